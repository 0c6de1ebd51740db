//! Domains: what is retired is freed, not too early, once, and by the barrier at the latest.

#![cfg(not(loom))]

mod common;

use std::ffi::c_void;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Barrier, mpsc};
use std::thread;
use std::time::Duration;

use common::{Heap, scaled};
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

/// A container that is destroyed by a retire callback, while the domain is sweeping that container.
#[test]
fn a_retire_callback_may_destroy_a_container_that_is_being_swept() {
    unsafe extern "C-unwind" fn destroy(ptr: *mut c_void, ctx: *mut c_void) {
        // SAFETY: from `Box::into_raw` below, and retired once.
        drop(unsafe { Box::from_raw(ptr.cast::<Stack<u32>>()) });
        // SAFETY: a counter that outlives the domain.
        unsafe { count(ptr, ctx) };
    }
    let destroyed = AtomicUsize::new(0);
    let domain = Domain::new().unwrap();
    let stack = Box::new(Stack::with_options(&Options::new().domain(&domain)).unwrap());
    stack.push(1);
    stack.push(2);
    let reader = domain.enter();
    let stack = Box::into_raw(stack);
    let ctx = std::ptr::from_ref(&destroyed).cast_mut().cast();
    // SAFETY: nobody can find the stack any more but the reader below, whose guard is older.
    unsafe { domain.retire(stack.cast(), 64, destroy, ctx) }.unwrap();
    domain.flush();
    // SAFETY: under a guard that was entered before the stack was retired.
    assert_eq!(unsafe { &*stack }.pop(), Some(2));
    drop(reader);
    domain.flush();
    domain.barrier(LONG).unwrap();
    assert_eq!(destroyed.load(Ordering::SeqCst), 1);
}

/// Containers come and go, nobody ever calls flush or barrier: nothing may pile up.
#[test]
fn destroyed_containers_leave_nothing() {
    let domain = Domain::new().unwrap();
    let round = || {
        for _ in 0..200 {
            let stack = Stack::with_options(&Options::new().domain(&domain)).unwrap();
            stack.push(1);
            stack.pop();
        }
    };
    round();
    let before = Heap::live();
    for _ in 0..scaled(1_000).min(50) {
        round();
    }
    let grown = Heap::live() - before;
    assert!(grown < 64 * 1024, "{grown} bytes more than after the first round");
}

/// A domain that is dropped while all places for sealed chains are taken leaves nothing behind.
#[test]
fn a_domain_dropped_in_a_backlog_leaves_nothing() {
    let freed = AtomicUsize::new(0);
    let round = || {
        let domain = Domain::new().unwrap();
        let guard = domain.enter();
        for _ in 0..64 * 20 + 5 {
            retire(&domain, &freed, 16);
        }
        drop(guard);
        drop(domain);
        // Gives up this thread's membership in the domain.
        drop(Domain::new().unwrap().enter());
    };
    round();
    let before = Heap::live();
    for _ in 0..20 {
        round();
    }
    assert_eq!(freed.load(Ordering::SeqCst), 21 * (64 * 20 + 5));
    assert!(Heap::live() - before < 1024, "{} bytes more than after the first round", Heap::live() - before);
}

/// With nothing to wait for, the barrier needs no time.
#[test]
fn a_barrier_without_work_does_not_time_out() {
    let domain = Domain::new().unwrap();
    assert_eq!(domain.barrier(Duration::ZERO), Ok(()));
}
