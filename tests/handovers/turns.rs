//! Threads that take turns, which order nothing.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use conex::Domain;

/// Whose turn it is.
pub(super) struct Turn {
    now: AtomicUsize,
    begin: Instant,
}

/// What the word is when a step has failed.
const FAILED: usize = usize::MAX;

impl Turn {
    pub(super) fn new() -> Self {
        Self { now: AtomicUsize::new(0), begin: Instant::now() }
    }

    /// Waits until it is the turn of step `at`.
    pub(super) fn wait(&self, at: usize) {
        if cfg!(miri) {
            // No step takes that long on Miri's clock, by which an instruction takes microseconds.
            let time = self.begin + Duration::from_secs(60) * u32::try_from(at).expect("few steps");
            return thread::sleep(time.saturating_duration_since(Instant::now()));
        }
        loop {
            match self.now.load(Ordering::Relaxed) {
                FAILED => panic!("another step has failed"),
                now if now >= at => return,
                _ => thread::yield_now(),
            }
        }
    }

    /// Runs `step` and passes the turn on to `next`.
    pub(super) fn pass(&self, next: usize, step: impl FnOnce()) {
        struct Failed<'a>(&'a AtomicUsize);
        impl Drop for Failed<'_> {
            fn drop(&mut self) {
                self.0.store(FAILED, Ordering::Relaxed);
            }
        }
        let failed = Failed(&self.now);
        step();
        std::mem::forget(failed);
        self.now.store(next, Ordering::Relaxed);
    }
}

/// Repeats `step` until it answers true: a load may well be out of date, since the turn orders nothing.
pub(super) fn until(mut step: impl FnMut() -> bool) {
    // In Miri here no load is out of date.
    let tries = if cfg!(miri) { 100 } else { 100_000_000 };
    for _ in 0..tries {
        if step() {
            return;
        }
        thread::yield_now();
    }
    panic!("what should come does not");
}

/// A step: the thread that runs it, and what it does.
pub(super) type Step<'a> = (usize, &'a (dyn Fn() + Sync));

/// Runs the steps one after the other. No thread ends before the last.
pub(super) fn relay(steps: &[Step<'_>]) {
    let turn = Turn::new();
    let threads = steps.iter().map(|(who, _)| who + 1).max().expect("a step");
    thread::scope(|scope| {
        for me in 0..threads {
            let turn = &turn;
            scope.spawn(move || {
                for (at, (_, step)) in steps.iter().enumerate().filter(|(_, (who, _))| *who == me) {
                    turn.wait(at);
                    turn.pass(at + 1, step);
                }
                turn.wait(steps.len());
            });
        }
    });
}

/// The same on threads that have used `domain` before. A thread's first pin looks at what all others did last, and so orders
/// it; and every pin is a fence, so that only what a step has done after its pin is left to the container.
pub(super) fn relay_in(domain: &Domain, steps: &[Step<'_>]) {
    let enter = || drop(domain.enter());
    let threads = steps.iter().map(|(who, _)| who + 1).max().expect("a step");
    let all: Vec<Step<'_>> =
        (0..threads).map(|who| (who, &enter as _)).chain(steps.iter().copied()).collect();
    relay(&all);
}
