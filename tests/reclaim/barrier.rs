//! The barrier: when it ends, what it has freed by then, and whom it refuses.

use std::ffi::c_void;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use conex::{BarrierError, Domain};

use super::common::scaled;
use super::{LONG, retire};

#[test]
fn the_barrier_frees_what_was_retired_before_it() {
    let freed = AtomicUsize::new(0);
    let domain = Domain::new().unwrap();
    for n in 1..=scaled(300) {
        retire(&domain, &freed, 16);
        if n % 10 == 0 {
            domain.barrier(LONG).unwrap();
            assert_eq!(freed.load(Ordering::SeqCst), n);
            assert_eq!(domain.stats().pending_objects, 0);
        }
    }
}

#[test]
fn the_barrier_reaches_what_idle_threads_retired() {
    let freed = AtomicUsize::new(0);
    let domain = Domain::new().unwrap();
    let retired = Barrier::new(3);
    let checked = Barrier::new(3);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                retire(&domain, &freed, 16);
                retired.wait();
                // Alive and idle until the check is done.
                checked.wait();
            });
        }
        retired.wait();
        assert_eq!(domain.barrier(LONG), Ok(()));
        assert_eq!(freed.load(Ordering::SeqCst), 2);
        checked.wait();
    });
}

#[test]
fn the_barrier_refuses_to_wait_for_its_own_thread() {
    let domain = Domain::new().unwrap();
    let guard = domain.enter();
    assert_eq!(domain.barrier(LONG), Err(BarrierError::Guarded));
    drop(guard);
    assert_eq!(domain.barrier(LONG), Ok(()));
}

/// A retire callback runs under a pin of its thread, so a barrier in it could never end.
#[test]
fn the_barrier_refuses_in_a_retire_callback() {
    struct Asks {
        domain: Domain,
        answers: std::sync::Mutex<Vec<Result<(), BarrierError>>>,
    }
    unsafe extern "C-unwind" fn ask(_ptr: *mut c_void, ctx: *mut c_void) {
        // SAFETY: `asks` below outlives the barrier that waits for this.
        let asks = unsafe { &*ctx.cast::<Asks>() };
        asks.answers.lock().unwrap().push(asks.domain.barrier(Duration::from_millis(10)));
    }
    let domain = Domain::new().unwrap();
    let asks = Asks { domain: domain.clone(), answers: Default::default() };
    let ctx = std::ptr::from_ref(&asks).cast_mut().cast();
    // SAFETY: `asks` lives until the barrier has seen the callback.
    unsafe { domain.retire(std::ptr::null_mut(), 8, ask, ctx) }.unwrap();
    domain.barrier(LONG).unwrap();
    assert_eq!(asks.answers.into_inner().unwrap(), [Err(BarrierError::Guarded)]);
}

#[test]
fn domains_do_not_hold_up_each_other() {
    let freed = AtomicUsize::new(0);
    let (one, two) = (Domain::new().unwrap(), Domain::new().unwrap());
    let _guard = one.enter();
    retire(&two, &freed, 8);
    two.barrier(LONG).unwrap();
    assert_eq!(freed.load(Ordering::SeqCst), 1);
}

/// With nothing to wait for, the barrier needs no time.
#[test]
fn a_barrier_without_work_does_not_time_out() {
    let domain = Domain::new().unwrap();
    assert_eq!(domain.barrier(Duration::ZERO), Ok(()));
}
