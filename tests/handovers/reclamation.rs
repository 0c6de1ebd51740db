//! What reclamation hands on: retired blocks, the domain itself, objects behind hazard pointers, counted references.

use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::Mutex;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use std::thread;

use conex::{AtomicRef, Domain, Ref};

use super::turns::{Turn, relay_in, until};

unsafe extern "C-unwind" fn count(_: *mut c_void, ctx: *mut c_void) {
    // SAFETY: the tests pass a counter that outlives the domain.
    unsafe { &*ctx.cast::<AtomicUsize>() }.fetch_add(1, Ordering::Relaxed);
}

unsafe extern "C-unwind" fn free(ptr: *mut c_void, _: *mut c_void) {
    // SAFETY: the tests pass such a box.
    drop(unsafe { Box::from_raw(ptr.cast::<u64>()) });
}

/// Pair (1) of the limbo: what a block says of those below it. Five threads, because four have an open stack each.
#[test]
fn a_retired_block() {
    static FREED: AtomicUsize = AtomicUsize::new(0);
    FREED.store(0, Ordering::Relaxed);
    let domain = Domain::new().expect("memory");
    // SAFETY: the callback uses a static counter only.
    let retire = || unsafe {
        domain.retire(null_mut(), 16, count, std::ptr::from_ref(&FREED).cast_mut().cast()).unwrap();
    };
    relay_in(&domain, &[(0, &retire), (4, &retire)]);
    drop(domain);
    assert_eq!(FREED.load(Ordering::Relaxed), 2);
}

/// Pair (1) → (2) of the counted reference: the last one frees what the others have used.
#[test]
fn a_domain_of_two_owners() {
    let domain = Domain::new().expect("memory");
    let other = domain.clone();
    let turn = Turn::new();
    thread::scope(|scope| {
        let turn = &turn;
        scope.spawn(move || {
            turn.pass(1, || {
                other.flush();
                drop(other);
            });
        });
        scope.spawn(move || {
            turn.wait(1);
            drop(domain);
        });
    });
}

/// Pair (5) → (6) of the hazard pointers: what was retired, for the thread that scans. It scans because it retires as well: a
/// flush would look at the clock first, which orders what the other one has done.
#[test]
fn an_object_retired_to_hazard_pointers() {
    static FREED: AtomicUsize = AtomicUsize::new(0);
    FREED.store(0, Ordering::Relaxed);
    let domain = Domain::new().expect("memory");
    // SAFETY: the callback uses a static counter only.
    let retire = || unsafe {
        let ctx = std::ptr::from_ref(&FREED).cast_mut().cast();
        domain.retire_hazardous(null_mut(), 16, count, ctx).unwrap();
    };
    relay_in(&domain, &[(0, &retire), (1, &retire)]);
    drop(domain);
    assert_eq!(FREED.load(Ordering::Relaxed), 2);
}

/// Pair (3) → (4) of the hazard pointers: the last use of an object before its end.
#[test]
fn an_object_that_was_protected() {
    let domain = Domain::new().expect("memory");
    let source = AtomicPtr::new(Box::into_raw(Box::new(7_u64)));
    // Locked by one thread only.
    let hazard = Mutex::new(domain.hazard_pointer().expect("memory"));
    relay_in(
        &domain,
        &[
            (0, &|| {
                let mut hazard = hazard.lock().unwrap();
                let seen = hazard.protect(&source);
                // SAFETY: protected.
                assert_eq!(unsafe { *seen }, 7);
                hazard.reset();
            }),
            (1, &|| {
                let seen = source.swap(null_mut(), Ordering::AcqRel);
                // SAFETY: unlinked; `free` ends the box.
                unsafe { domain.retire_hazardous(seen.cast(), 8, free, null_mut()) }.unwrap();
                until(|| {
                    domain.flush();
                    domain.stats().pending_objects == 0
                });
            }),
        ],
    );
}

/// Pair (1) → (2) of the counted references: a value by its place.
#[test]
fn a_value_in_a_place() {
    let domain = Domain::new().expect("memory");
    let value = |n: u64| Some(Ref::new_in(&domain, n).expect("memory"));
    let place = AtomicRef::new_in(&domain, None);
    let seen = |n| until(|| place.load().is_some_and(|value| *value == n));
    relay_in(&domain, &[(0, &|| place.store(value(1))), (1, &|| seen(1))]);
    let exchange = || {
        // Its pin is the last fence before the value is made.
        let _session = domain.enter();
        until(|| place.compare_exchange(place.load().as_ref(), value(2)).is_ok());
    };
    relay_in(&domain, &[(0, &exchange), (1, &|| seen(2))]);
}
