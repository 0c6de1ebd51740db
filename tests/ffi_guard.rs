//! The C functions of the guard: every status, and what bad input does.

#![cfg(all(not(loom), feature = "capi"))]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "a block is a series of C calls, as C would write it"
)]

mod common;

use std::ffi::c_void;
use std::ptr::null_mut;
use std::thread;

use common::c::OwnDomain;
use conex::ffi::domain::*;
use conex::ffi::domain_retire::*;
use conex::ffi::guard::*;
use conex::ffi::status::conex_status::{self, *};

fn enter(domain: *mut conex_domain) -> *mut conex_guard {
    let mut guard = null_mut();
    // SAFETY: valid pointers.
    assert_eq!(unsafe { conex_guard_enter(domain, &mut guard) }, CONEX_OK);
    guard
}

fn leave(guard: *mut conex_guard) -> conex_status {
    // SAFETY: null or readable memory.
    unsafe { conex_guard_leave(guard) }
}

fn refresh(guard: *mut conex_guard) -> conex_status {
    // SAFETY: null or readable memory.
    unsafe { conex_guard_refresh(guard) }
}

fn guards(domain: *mut conex_domain) -> usize {
    let mut stats = conex_domain_stats {
        struct_size: size_of::<conex_domain_stats>(),
        pending_objects: 0,
        pending_bytes: 0,
        guards: 0,
        oldest_guard_ns: 0,
    };
    // SAFETY: valid pointers.
    assert_eq!(unsafe { conex_domain_stats_get(domain, &mut stats) }, CONEX_OK);
    stats.guards
}

#[test]
fn guards_nest_and_leave_in_any_order() {
    let domain = OwnDomain::new();
    let (one, two, three) = (enter(domain.0), enter(domain.0), enter(domain.0));
    assert_eq!(guards(domain.0), 3);
    // SAFETY: a live domain.
    assert_eq!(unsafe { conex_domain_barrier(domain.0, u64::MAX) }, CONEX_ERR_STALLED);
    // SAFETY: nobody else uses it; refused.
    assert_eq!(unsafe { conex_domain_destroy(domain.0) }, CONEX_BUSY);
    assert_eq!(
        (leave(one), refresh(two), leave(three), refresh(two)),
        (CONEX_OK, CONEX_OK, CONEX_OK, CONEX_OK)
    );
    assert_eq!((guards(domain.0), leave(two), guards(domain.0)), (1, CONEX_OK, 0));
    // SAFETY: a live domain.
    assert_eq!(unsafe { conex_domain_barrier(domain.0, u64::MAX) }, CONEX_OK);
}

#[test]
fn bad_handles_are_told() {
    let domain = OwnDomain::new();
    // SAFETY: valid or null.
    assert_eq!(unsafe { conex_guard_enter(domain.0, null_mut()) }, CONEX_ERR_NULL);
    assert_eq!(guards(domain.0), 0);
    assert_eq!((leave(null_mut()), refresh(null_mut())), (CONEX_OK, CONEX_ERR_NULL));
    let gone = enter(domain.0);
    assert_eq!(leave(gone), CONEX_OK);
    let foreign = [0_u64; 16];
    for bad in [gone.cast(), domain.0.cast(), foreign.as_ptr().cast_mut().cast::<c_void>()] {
        assert_eq!((leave(bad.cast()), refresh(bad.cast())), (CONEX_ERR_HANDLE, CONEX_ERR_HANDLE));
        let odd = bad.wrapping_byte_add(1);
        assert_eq!((leave(odd.cast()), refresh(odd.cast())), (CONEX_ERR_HANDLE, CONEX_ERR_HANDLE));
    }
    let mut guard = null_mut();
    // SAFETY: readable memory that is no domain.
    let entered = unsafe { conex_guard_enter(gone.cast(), &mut guard) };
    assert_eq!((entered, guard), (CONEX_ERR_HANDLE, null_mut()));
}

#[test]
fn a_guard_is_its_threads() {
    let domain = OwnDomain::new();
    let guard = enter(domain.0);
    let address = guard.expose_provenance();
    let other = thread::spawn(move || {
        let guard = std::ptr::with_exposed_provenance_mut(address);
        (leave(guard), refresh(guard))
    });
    assert_eq!(other.join().unwrap(), (CONEX_ERR_INVALID, CONEX_ERR_INVALID));
    assert_eq!((refresh(guard), leave(guard)), (CONEX_OK, CONEX_OK));
}

/// A refresh may run a retire callback, and that may meddle with the guard that is being refreshed.
#[test]
fn a_guard_that_is_being_refreshed_is_left_alone() {
    struct Meddler(*mut conex_guard, Vec<(conex_status, conex_status)>);
    unsafe extern "C-unwind" fn meddle(_ptr: *mut c_void, ctx: *mut c_void) {
        // SAFETY: the test passes its `Meddler`, which nobody else uses meanwhile.
        let meddler = unsafe { &mut *ctx.cast::<Meddler>() };
        meddler.1.push((refresh(meddler.0), leave(meddler.0)));
    }
    let domain = OwnDomain::new();
    let meddler: *mut Meddler = &raw mut *Box::leak(Box::new(Meddler(enter(domain.0), Vec::new())));
    // SAFETY: nobody else uses it between the calls.
    let guard = unsafe { (*meddler).0 };
    // SAFETY: the meddler lives until the end of the test.
    unsafe {
        assert_eq!(conex_domain_retire(domain.0, null_mut(), 8, Some(meddle), meddler.cast()), CONEX_OK);
        assert_eq!(conex_domain_flush(domain.0), CONEX_OK);
    }
    // Every 128th pin of a thread collects.
    for _ in 0..400 {
        assert_eq!(refresh(guard), CONEX_OK);
    }
    // SAFETY: from `Box::leak` above.
    let meddler = unsafe { Box::from_raw(meddler) };
    assert_eq!(meddler.1, [(CONEX_ERR_INVALID, CONEX_ERR_INVALID)]);
    assert_eq!(leave(guard), CONEX_OK);
}
