//! What guards hold back: until they are left or refreshed, for ever if they are forgotten, and who is told of it.

use std::ffi::c_void;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use conex::{BarrierError, Domain};

use super::common::scaled;
use super::{LONG, retire};

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
            retire(domain, &freed, 96);
        }
        assert_eq!(domain.barrier(Duration::from_millis(20)), Err(BarrierError::TimedOut));
        assert_eq!(freed.load(Ordering::SeqCst), 0, "the guard was entered before");
        let stats = domain.stats();
        assert_eq!((stats.pending_objects, stats.pending_bytes, stats.guards), (many, many * 96, 1));
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

/// A thread that ends without leaving its session holds memory back for ever; but it is not the next thread that gets
/// its record whom the barrier then refuses.
#[test]
#[cfg_attr(miri, ignore = "what the guard is forgotten of is leaked")]
fn a_forgotten_guard_is_its_own_threads() {
    let freed = AtomicUsize::new(0);
    let domain = Domain::new().unwrap();
    // This thread has a record of its own before the other one gives up its.
    drop(domain.enter());
    thread::scope(|scope| scope.spawn(|| std::mem::forget(domain.enter())).join().unwrap());
    retire(&domain, &freed, 8);
    let next = || domain.barrier(Duration::from_millis(5));
    assert_eq!(thread::scope(|scope| scope.spawn(next).join().unwrap()), Err(BarrierError::TimedOut));
    assert_eq!(domain.stats().guards, 1);
}

/// A guard is held too long: the limit's function is told once, then at each doubling; and again after the memory was freed.
#[test]
fn the_limit_tells_when_memory_is_held_back() {
    struct Told {
        calls: std::sync::Mutex<Vec<(usize, u64)>>,
        again: std::sync::OnceLock<Domain>,
        freed: AtomicUsize,
    }
    unsafe extern "C-unwind" fn tell(pending: usize, age: u64, ctx: *mut c_void) {
        // SAFETY: the test passes its `Told`, which outlives the domain.
        let told = unsafe { &*ctx.cast::<Told>() };
        told.calls.lock().unwrap().push((pending, age));
        let domain = told.again.get().unwrap();
        assert_eq!(domain.barrier(LONG), Err(BarrierError::Guarded));
        drop(domain.enter());
        // What it retires itself does not make it call itself.
        for _ in 0..100 {
            retire(domain, &told.freed, 16);
        }
    }
    let told =
        Box::new(Told { calls: Default::default(), again: Default::default(), freed: AtomicUsize::new(0) });
    let ctx = std::ptr::from_ref(&*told).cast_mut().cast();
    const LIMIT: usize = if cfg!(miri) { 4 * 1024 } else { 64 * 1024 };
    // SAFETY: `told` outlives the domain, which it gives up below.
    let domain = unsafe { Domain::with_limit(LIMIT, tell, ctx) }.unwrap();
    told.again.set(domain.clone()).unwrap();
    for round in 1..=2 {
        let guard = domain.enter();
        thread::sleep(Duration::from_millis(10));
        for _ in 0..10 * LIMIT / 256 {
            retire(&domain, &told.freed, 256);
        }
        let calls = std::mem::take(&mut *told.calls.lock().unwrap());
        assert_eq!(
            calls.len(),
            4,
            "round {round}: at one, two, four and eight times the limit, or a little later: {calls:?}"
        );
        assert!(calls[0].0 >= LIMIT && calls[0].0 < LIMIT + 33 * 1024, "{calls:?}");
        assert!(calls.windows(2).all(|pair| pair[1].0 >= 2 * pair[0].0), "{calls:?}");
        assert!(calls.iter().all(|call| call.1 >= 5_000_000), "the guard's age: {calls:?}");
        drop(guard);
        domain.barrier(LONG).unwrap();
        // Notices that little waits, and begins anew.
        for _ in 0..200 {
            retire(&domain, &told.freed, 1);
        }
        domain.barrier(LONG).unwrap();
        assert!(told.calls.lock().unwrap().is_empty());
    }
    let mut told = told;
    drop(domain);
    drop(told.again.take());
}
