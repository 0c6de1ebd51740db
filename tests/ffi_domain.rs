//! The C functions of the domain: every status, and what bad input does.

#![cfg(all(not(loom), feature = "capi"))]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "a block is a series of C calls, as C would write it"
)]

mod common;

use std::ffi::{CStr, c_void};
use std::ptr::{null, null_mut};

use common::c::{Calls, OwnDomain, note};
use conex::ffi::domain::*;
use conex::ffi::domain_retire::*;
use conex::ffi::guard::{conex_guard_enter, conex_guard_leave};
use conex::ffi::stack::{conex_stack_destroy, conex_stack_is_empty, conex_stack_new, conex_stack_options};
use conex::ffi::status::conex_status::{self, *};
use conex::ffi::status::conex_status_string;

const LONG: u64 = 20_000_000_000;

fn stats(struct_size: usize) -> conex_domain_stats {
    conex_domain_stats { struct_size, pending_objects: 7, pending_bytes: 7, guards: 7, oldest_guard_ns: 7 }
}

fn pending(domain: *mut conex_domain) -> (usize, usize) {
    let mut stats = stats(size_of::<conex_domain_stats>());
    // SAFETY: valid pointers.
    assert_eq!(unsafe { conex_domain_stats_get(domain, &mut stats) }, CONEX_OK);
    (stats.pending_objects, stats.pending_bytes)
}

#[test]
fn retired_pointers_are_called_once() {
    let domain = OwnDomain::new();
    let calls = Calls::default();
    let mut words = [1_u64, 2, 3];
    for word in &mut words {
        // SAFETY: `calls` and `words` outlive the domain's use of them.
        let status = unsafe {
            conex_domain_retire(domain.0, std::ptr::from_mut(word).cast(), 8, Some(note), calls.ctx())
        };
        assert_eq!(status, CONEX_OK);
    }
    assert!(pending(domain.0).0 <= 3);
    // SAFETY: a live domain.
    assert_eq!(unsafe { conex_domain_barrier(domain.0, LONG) }, CONEX_OK);
    let mut seen = calls.words();
    seen.sort_unstable();
    assert_eq!((seen, pending(domain.0)), (vec![1, 2, 3], (0, 0)));
    // SAFETY: a live domain.
    assert_eq!(unsafe { conex_domain_barrier(domain.0, 0) }, CONEX_OK);
}

#[test]
fn destruction_calls_what_is_due() {
    let calls = Calls::default();
    let mut word = 5_u64;
    let domain = OwnDomain::new();
    // SAFETY: `calls` and `word` outlive the domain.
    unsafe {
        assert_eq!(
            conex_domain_retire(domain.0, (&raw mut word).cast(), 8, Some(note), calls.ctx()),
            CONEX_OK
        );
    }
    drop(domain);
    assert_eq!(calls.words(), [5]);
}

#[test]
fn a_domain_in_use_is_busy() {
    let domain = OwnDomain::new();
    let options = conex_stack_options {
        struct_size: size_of::<conex_stack_options>(),
        flags: 0,
        element: conex::ffi::element::conex_element {
            size: 8,
            align: 8,
            drop: None,
            clone: None,
            ctx: null_mut(),
        },
        domain: domain.0,
        allocator: conex::ffi::element::conex_allocator { alloc: None, free: None, ctx: null_mut() },
    };
    let (mut stack, mut guard) = (null_mut(), null_mut());
    // SAFETY: valid pointers; each is destroyed once.
    unsafe {
        assert_eq!(conex_stack_new(&options, &mut stack), CONEX_OK);
        assert_eq!(conex_domain_destroy(domain.0), CONEX_BUSY);
        assert_eq!(conex_stack_destroy(stack), CONEX_OK);
        assert_eq!(conex_guard_enter(domain.0, &mut guard), CONEX_OK);
        assert_eq!(conex_domain_destroy(domain.0), CONEX_BUSY);
        assert_eq!(conex_guard_leave(guard), CONEX_OK);
    }
}

/// What a retire callback may ask of its own domain.
#[test]
fn a_retire_callback_may_come_back() {
    struct Asks(*mut conex_domain, Vec<conex_status>);
    unsafe extern "C-unwind" fn ask(ptr: *mut c_void, ctx: *mut c_void) {
        // SAFETY: the test passes its `Asks`, which nobody else uses meanwhile.
        let asks = unsafe { &mut *ctx.cast::<Asks>() };
        // SAFETY: a live domain.
        asks.1.extend(unsafe {
            [
                conex_domain_barrier(asks.0, u64::MAX),
                conex_domain_destroy(asks.0),
                conex_domain_flush(asks.0),
                conex_domain_retire(asks.0, ptr, 8, Some(nothing), null_mut()),
            ]
        });
    }
    unsafe extern "C-unwind" fn nothing(_ptr: *mut c_void, _ctx: *mut c_void) {}
    let domain = OwnDomain::new();
    let asks: *mut Asks = Box::leak(Box::new(Asks(domain.0, Vec::new())));
    // SAFETY: `asks` lives until the end of the test.
    unsafe {
        assert_eq!(conex_domain_retire(domain.0, null_mut(), 8, Some(ask), asks.cast()), CONEX_OK);
        assert_eq!(conex_domain_barrier(domain.0, LONG), CONEX_OK);
    }
    // SAFETY: from `Box::leak` above.
    let asks = unsafe { Box::from_raw(asks) };
    assert_eq!(asks.1, [CONEX_ERR_STALLED, CONEX_BUSY, CONEX_OK, CONEX_OK]);
}

/// In its own destruction a domain is dead already.
#[test]
fn a_callback_of_the_destruction_finds_the_domain_dead() {
    struct Asks(*mut conex_domain, Vec<conex_status>);
    unsafe extern "C-unwind" fn ask(ptr: *mut c_void, ctx: *mut c_void) {
        // SAFETY: the test passes its `Asks`, which nobody else uses meanwhile.
        let asks = unsafe { &mut *ctx.cast::<Asks>() };
        // SAFETY: recently destroyed.
        asks.1.extend(unsafe {
            [
                conex_domain_retire(asks.0, ptr, 8, Some(ask), ctx),
                conex_domain_flush(asks.0),
                conex_domain_barrier(asks.0, u64::MAX),
                conex_domain_destroy(asks.0),
            ]
        });
    }
    let domain = OwnDomain::new();
    let asks: *mut Asks = Box::leak(Box::new(Asks(domain.0, Vec::new())));
    // SAFETY: `asks` lives until the end of the test.
    unsafe {
        assert_eq!(conex_domain_retire(domain.0, null_mut(), 8, Some(ask), asks.cast()), CONEX_OK);
    }
    drop(domain);
    // SAFETY: from `Box::leak` above.
    let asks = unsafe { Box::from_raw(asks) };
    assert_eq!(asks.1, [CONEX_ERR_HANDLE; 4]);
}

#[test]
fn bad_input_is_told() {
    let domain = OwnDomain::new();
    let mut out = null_mut();
    let size = size_of::<conex_domain_options>();
    let foreign = [0_u64; 16];
    let gone = OwnDomain::new().0;
    // SAFETY: null, valid, or readable memory.
    unsafe {
        assert_eq!(conex_domain_new(null(), null_mut()), CONEX_ERR_NULL);
        for options in [(size, 1), (size - 1, 0), (0, 0), (usize::MAX, 0)] {
            let options = conex_domain_options {
                struct_size: options.0,
                flags: options.1,
                limit_bytes: 0,
                on_limit: None,
                limit_ctx: null_mut(),
            };
            assert_eq!(conex_domain_new(&options, &mut out), CONEX_ERR_INVALID);
        }
        assert!(out.is_null());
        assert_eq!(conex_domain_destroy(null_mut()), CONEX_OK);
        assert_eq!(conex_domain_retire(domain.0, null_mut(), 0, None, null_mut()), CONEX_ERR_NULL);
        assert_eq!(conex_domain_stats_get(domain.0, null_mut()), CONEX_ERR_NULL);
        for bad in [foreign.as_ptr().cast_mut().cast::<conex_domain>(), gone] {
            for bad in [bad, bad.wrapping_byte_add(1)] {
                let mut stats = stats(size_of::<conex_domain_stats>());
                assert_eq!(conex_domain_destroy(bad), CONEX_ERR_HANDLE);
                assert_eq!(conex_domain_retire(bad, null_mut(), 0, Some(note), null_mut()), CONEX_ERR_HANDLE);
                assert_eq!(conex_domain_flush(bad), CONEX_ERR_HANDLE);
                assert_eq!(conex_domain_barrier(bad, 0), CONEX_ERR_HANDLE);
                assert_eq!(conex_domain_stats_get(bad, &mut stats), CONEX_ERR_HANDLE);
                assert_eq!(stats.guards, 7, "left as it was");
            }
        }
        for size in [0, size_of::<conex_domain_stats>() - 1, usize::MAX] {
            let mut stats = stats(size);
            assert_eq!(conex_domain_stats_get(domain.0, &mut stats), CONEX_ERR_INVALID);
            assert_eq!(stats.guards, 7, "left as it was");
        }
    }
}

#[test]
fn a_limit_has_bytes_and_a_function() {
    unsafe extern "C-unwind" fn tell(_pending: usize, _age: u64, ctx: *mut c_void) {
        // SAFETY: the test passes a number of its own, on its own thread.
        unsafe { *ctx.cast::<usize>() += 1 };
    }
    let mut told = 0_usize;
    let mut options = conex_domain_options {
        struct_size: size_of::<conex_domain_options>(),
        flags: 0,
        limit_bytes: 4096,
        on_limit: None,
        limit_ctx: (&raw mut told).cast(),
    };
    let (mut domain, mut guard) = (null_mut(), null_mut());
    let calls = Calls::default();
    let mut word = 1_u64;
    // SAFETY: valid pointers; each is destroyed once.
    unsafe {
        assert_eq!(conex_domain_new(&options, &mut domain), CONEX_ERR_INVALID);
        options.on_limit = Some(tell);
        options.limit_bytes = 0;
        assert_eq!(conex_domain_new(&options, &mut domain), CONEX_ERR_INVALID);
        assert_eq!(domain, null_mut());
        options.limit_bytes = 4096;
        assert_eq!(conex_domain_new(&options, &mut domain), CONEX_OK);
        assert_eq!(conex_guard_enter(domain, &mut guard), CONEX_OK);
        for _ in 0..128 {
            let ptr = (&raw mut word).cast();
            assert_eq!(conex_domain_retire(domain, ptr, 64, Some(note), calls.ctx()), CONEX_OK);
        }
        assert!(told >= 1);
        assert_eq!(conex_guard_leave(guard), CONEX_OK);
        assert_eq!(conex_domain_destroy(domain), CONEX_OK);
    }
}

#[test]
#[cfg_attr(miri, ignore = "what is for ever counts as leaked")]
fn the_default_domain_is_for_ever() {
    let domain = conex_domain_default();
    assert_eq!(domain, conex_domain_default());
    // SAFETY: a live domain.
    unsafe {
        assert_eq!(conex_domain_destroy(domain), CONEX_ERR_INVALID);
        assert_eq!(conex_domain_flush(domain), CONEX_OK);
        assert_eq!(conex_domain_barrier(null_mut(), LONG), CONEX_OK);
    }
    assert_eq!(pending(null_mut()), pending(domain));
    let mut empty = false;
    // SAFETY: readable memory of another kind.
    assert_eq!(unsafe { conex_stack_is_empty(domain.cast(), &mut empty) }, CONEX_ERR_HANDLE);
}

#[test]
fn every_status_has_a_text() {
    let text = |status| {
        // SAFETY: a static text.
        unsafe { CStr::from_ptr(conex_status_string(status)) }.to_str().unwrap()
    };
    let unknown = text(1234);
    for status in -6..=8 {
        assert_ne!(text(status), unknown, "{status}");
    }
    assert_eq!((text(-7), text(9), text(i32::MIN), text(i32::MAX)), (unknown, unknown, unknown, unknown));
}
