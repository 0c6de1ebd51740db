//! The domain in loom: every interleaving of small programs, within the preemption bound.
//!
//! The blocks are retired pointers whose callback counts them, so that a block that is freed twice, never, or under a
//! guard shows. Counters are the standard library's: they are not part of the program that is checked.
//!
//! Run by `ci/loom.sh`.

#![cfg(loom)]

use std::ffi::c_void;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use conex::Domain;
use loom::thread;

/// As `loom::model`, with room for the rounds of a barrier.
fn model(program: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.max_branches = 10_000;
    builder.check(program);
}

/// Never reached: a model that waits for it would be stopped by loom before.
const LONG: Duration = Duration::from_secs(3600);

unsafe extern "C-unwind" fn count(_ptr: *mut c_void, ctx: *mut c_void) {
    // SAFETY: the models pass a counter that outlives the domain.
    unsafe { &*ctx.cast::<AtomicUsize>() }.fetch_add(1, Ordering::SeqCst);
}

fn retire(domain: &Domain, freed: &'static AtomicUsize) {
    let ctx = std::ptr::from_ref(freed).cast_mut().cast();
    // SAFETY: `count` uses `ctx` only, a static counter.
    unsafe { domain.retire(std::ptr::null_mut(), 16, count, ctx) }.unwrap();
}

/// A block that is retired while another thread sweeps is either swept or found by the next sweep.
#[test]
fn retire_against_sweep() {
    static FREED: AtomicUsize = AtomicUsize::new(0);
    model(|| {
        FREED.store(0, Ordering::SeqCst);
        let domain = Domain::new().unwrap();
        // A full batch: the limbo is on the dirty list, and its stack is empty.
        retire(&domain, &FREED);
        retire(&domain, &FREED);
        let other = {
            let domain = domain.clone();
            thread::spawn(move || retire(&domain, &FREED))
        };
        domain.flush();
        other.join().unwrap();
        domain.barrier(LONG).unwrap();
        assert_eq!(FREED.load(Ordering::SeqCst), 3);
    });
}

/// A thread's barrier frees what it retired itself, also when another thread is just about to put the limbo on the
/// dirty list.
#[test]
fn barrier_against_a_thread_that_retires() {
    static MINE: AtomicUsize = AtomicUsize::new(0);
    static THEIRS: AtomicUsize = AtomicUsize::new(0);
    model(|| {
        MINE.store(0, Ordering::SeqCst);
        THEIRS.store(0, Ordering::SeqCst);
        let domain = Domain::new().unwrap();
        let other = {
            let domain = domain.clone();
            thread::spawn(move || retire(&domain, &THEIRS))
        };
        // Of these two one completes a batch, whatever the other thread does, and one may stay in the open.
        retire(&domain, &MINE);
        retire(&domain, &MINE);
        domain.barrier(LONG).unwrap();
        assert_eq!(MINE.load(Ordering::SeqCst), 2);
        other.join().unwrap();
        drop(domain);
        assert_eq!(THEIRS.load(Ordering::SeqCst), 1);
    });
}

/// Two slots are taken and a third chain waits in the open: the sweep of another thread may fail to seal it, and the
/// barrier must not take that sweep's word.
#[test]
fn barrier_against_a_sweep_that_finds_no_slot() {
    static FREED: AtomicUsize = AtomicUsize::new(0);
    model(|| {
        FREED.store(0, Ordering::SeqCst);
        let domain = Domain::new().unwrap();
        let guard = domain.enter();
        for _ in 0..5 {
            retire(&domain, &FREED);
        }
        drop(guard);
        let other = {
            let domain = domain.clone();
            thread::spawn(move || domain.flush())
        };
        domain.barrier(LONG).unwrap();
        assert_eq!(FREED.load(Ordering::SeqCst), 5);
        other.join().unwrap();
    });
}
