//! Poppers that wait, and those who wake them.
//!
//! An event count: a waiter says that it is there, looks once more, and sleeps only if nothing was announced since; a
//! pusher announces only if somebody is there.
//!
//! ```text
//!  waiter:  waiting += 1 ; read announced ; look into the queue ; sleep while announced is unchanged ; waiting -= 1
//!  pusher:  set FULL ; if waiting != 0 { announced += 1 ; wake one }
//! ```
//!
//! No wake-up is lost: all four accesses are SeqCst, so either the pusher sees the waiter, or the waiter's look, which
//! comes after it said that it is there, sees the element. If the pusher announces before the waiter sleeps, the number
//! differs from the one read and the sleep ends at once; if after, the waiter is asleep and is woken. A pusher wakes as
//! many as it pushed elements, so a waiter that finds its element taken by another popper goes back to sleep, and who
//! took it had no need of a wake-up.
//!
//! A push with nobody waiting pays for one load of a line that does not change.

use std::time::{Duration, Instant};

use crate::sync::{AtomicU32, AtomicUsize, Futex, Ordering};

pub(super) struct Event {
    waiting: AtomicUsize,
    announced: Futex,
}

/// What a look into the queue found.
pub(super) enum Found<T> {
    Something(T),
    Nothing,
}

impl Event {
    pub(super) fn new() -> Self {
        Self { waiting: AtomicUsize::new(0), announced: Futex::new(AtomicU32::new(0)) }
    }

    /// There are `n` more elements, or an end to the waiting: for those who may sleep.
    #[inline(always)]
    pub(super) fn announce(&self, n: usize) {
        // (10) SeqCst, after the element was published by a SeqCst operation: see the module's text. loom's loads may
        // be out of date where SeqCst ones are not: see `latest`.
        if super::segment::latest(&self.waiting) != 0 {
            self.wake(n);
        }
    }

    #[cold]
    fn wake(&self, n: usize) {
        // (10) SeqCst: see the module's text.
        self.announced.word().fetch_add(1, Ordering::SeqCst);
        self.announced.wake(u32::try_from(n).unwrap_or(u32::MAX));
    }

    /// Calls `look` until it finds something, and sleeps in between. `None` if `timeout` was up before. `look` is called
    /// at least once.
    pub(super) fn wait<T>(&self, timeout: Duration, mut look: impl FnMut() -> Found<T>) -> Option<T> {
        /// Says that this thread waits, for as long as it lives.
        struct Waiting<'a>(&'a AtomicUsize);
        impl Drop for Waiting<'_> {
            fn drop(&mut self) {
                // Relaxed: at worst somebody announces for nobody.
                self.0.fetch_sub(1, Ordering::Relaxed);
            }
        }
        if let Found::Something(found) = look() {
            return Some(found);
        }
        if timeout.is_zero() {
            return None;
        }
        // `None`: so late that it is never.
        let deadline = Instant::now().checked_add(timeout);
        loop {
            // (10) SeqCst, before the look.
            self.waiting.fetch_add(1, Ordering::SeqCst);
            let _waiting = Waiting(&self.waiting);
            // (10) SeqCst, before the look.
            let announced = self.announced.word().load(Ordering::SeqCst);
            if let Found::Something(found) = look() {
                return Some(found);
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return None;
            }
            self.announced.sleep(announced, left);
        }
    }
}
