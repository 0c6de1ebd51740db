//! Domains: what is retired is freed, not too early, once, and by the barrier at the latest.

#![cfg(not(loom))]

mod common;

use std::ffi::c_void;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Barrier, mpsc};
use std::thread;
use std::time::Duration;

use common::scaled;
use conex::{BarrierError, Domain, Options, Stack};

const LONG: Duration = Duration::from_secs(20);

unsafe extern "C-unwind" fn count(_ptr: *mut c_void, ctx: *mut c_void) {
    // SAFETY: the tests pass a counter that outlives the domain.
    unsafe { &*ctx.cast::<AtomicUsize>() }.fetch_add(1, Ordering::SeqCst);
}

fn retire(domain: &Domain, counter: &AtomicUsize, bytes: usize) {
    let ctx = std::ptr::from_ref(counter).cast_mut().cast();
    // SAFETY: `count` uses `ctx` only, a counter that outlives the domain.
    unsafe { domain.retire(std::ptr::null_mut(), bytes, count, ctx) }.unwrap();
}

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
fn a_guard_holds_memory_back_and_the_statistics_show_it() {
    let freed = AtomicUsize::new(0);
    let domain = Domain::new().unwrap();
    let (entered, is_entered) = mpsc::channel();
    let (leave, may_leave) = mpsc::channel::<()>();
    thread::scope(|scope| {
        let domain = &domain;
        scope.spawn(move || {
            let guard = domain.enter();
            entered.send(()).unwrap();
            may_leave.recv().unwrap();
            drop(guard);
        });
        is_entered.recv().unwrap();
        let many = scaled(5_000);
        for _ in 0..many {
            retire(domain, &freed, 100);
        }
        assert_eq!(domain.barrier(Duration::from_millis(20)), Err(BarrierError::TimedOut));
        assert_eq!(freed.load(Ordering::SeqCst), 0, "the guard was entered before");
        let stats = domain.stats();
        assert_eq!((stats.pending_objects, stats.pending_bytes, stats.guards), (many, many * 100, 1));
        assert!(stats.oldest_guard >= Duration::from_millis(20));
        leave.send(()).unwrap();
        domain.barrier(LONG).unwrap();
        assert_eq!(freed.load(Ordering::SeqCst), many);
        assert_eq!(domain.stats(), conex::DomainStats::default());
    });
}

#[test]
fn a_refreshed_guard_lets_go() {
    let freed = AtomicUsize::new(0);
    let domain = Domain::new().unwrap();
    let (to_holder, steps) = mpsc::channel::<()>();
    let (to_main, done) = mpsc::channel();
    thread::scope(|scope| {
        let domain = &domain;
        scope.spawn(move || {
            let mut guard = domain.enter();
            to_main.send(()).unwrap();
            while steps.recv().is_ok() {
                guard.refresh();
                to_main.send(()).unwrap();
            }
        });
        done.recv().unwrap();
        retire(domain, &freed, 8);
        // Two steps of the clock need two refreshes.
        for _ in 0..8 {
            domain.flush();
            to_holder.send(()).unwrap();
            done.recv().unwrap();
        }
        domain.flush();
        assert_eq!(freed.load(Ordering::SeqCst), 1);
        drop(to_holder);
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

#[test]
fn garbage_is_bounded_without_a_barrier() {
    let freed = AtomicUsize::new(0);
    let domain = Domain::new().unwrap();
    let mut most = 0;
    for _ in 0..scaled(100_000) {
        retire(&domain, &freed, 16);
        most = most.max(domain.stats().pending_objects);
    }
    assert!(most <= 64 * 8, "{most} blocks waited at once");
}

#[test]
fn dropping_a_domain_frees_everything() {
    let freed = AtomicUsize::new(0);
    let domain = Domain::new().unwrap();
    for _ in 0..scaled(1_000) {
        retire(&domain, &freed, 16);
    }
    drop(domain);
    assert_eq!(freed.load(Ordering::SeqCst), scaled(1_000));
}

#[test]
fn a_retire_callback_may_retire() {
    struct Chain {
        domain: Domain,
        left: AtomicUsize,
    }
    unsafe extern "C-unwind" fn again(_ptr: *mut c_void, ctx: *mut c_void) {
        // SAFETY: the chain below outlives the barrier that waits for its end.
        let chain = unsafe { &*ctx.cast::<Chain>() };
        if chain.left.fetch_sub(1, Ordering::SeqCst) > 1 {
            // SAFETY: as above.
            unsafe { chain.domain.retire(std::ptr::null_mut(), 8, again, ctx) }.unwrap();
        }
    }
    let domain = Domain::new().unwrap();
    let chain = Chain { domain: domain.clone(), left: AtomicUsize::new(scaled(2_000)) };
    let ctx = std::ptr::from_ref(&chain).cast_mut().cast();
    // SAFETY: `chain` lives until the loop below has seen the last callback.
    unsafe { domain.retire(std::ptr::null_mut(), 8, again, ctx) }.unwrap();
    while chain.left.load(Ordering::SeqCst) > 0 {
        domain.barrier(LONG).unwrap();
    }
}

#[test]
fn short_lived_threads_leave_nothing() {
    let domain = Domain::new().unwrap();
    let stack = Stack::with_options(&Options::new().domain(&domain)).unwrap();
    for i in 0..scaled(2_000) {
        thread::scope(|scope| {
            scope.spawn(|| {
                stack.push(i);
                stack.pop();
            });
        });
    }
    domain.barrier(LONG).unwrap();
    assert_eq!(domain.stats().pending_objects, 0);
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

#[test]
fn a_domain_outlives_its_name() {
    let stack = {
        let domain = Domain::new().unwrap();
        Stack::with_options(&Options::new().domain(&domain)).unwrap()
    };
    stack.push(1);
    assert_eq!(stack.pop(), Some(1));
}

/// Threads come and go, domains come and go, and everything is used from everywhere.
#[test]
fn churn_of_domains_and_threads() {
    for _ in 0..scaled(50) {
        let freed = AtomicUsize::new(0);
        let domains: Vec<_> = (0..3).map(|_| Domain::new().unwrap()).collect();
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    for i in 0..scaled(300) {
                        let domain = &domains[i % 3];
                        let guard = (i % 7 == 0).then(|| domain.enter());
                        retire(domain, &freed, 8);
                        if guard.is_none() && i % 50 == 1 {
                            let _ = domain.barrier(Duration::from_millis(1));
                        }
                    }
                });
            }
        });
        drop(domains);
        assert_eq!(freed.load(Ordering::SeqCst), 3 * scaled(300));
    }
}
