//! The pin of one operation.

use super::thread::ThreadRecord;
use crate::mem::Record;
use crate::sync::{AtomicUsize, Ordering};

/// While it lives, nothing that was reachable in its domain when it was made is freed.
///
/// Not public: it is one operation's. The public session is [`Guard`](super::Guard).
pub(crate) struct Pinned {
    guard: crossbeam_epoch::Guard,
    record: *const Record<ThreadRecord>,
}

impl Pinned {
    /// `record` is this thread's in the domain that `guard` pins, and stays so while the guard lives.
    pub(super) fn new(guard: crossbeam_epoch::Guard, record: *const Record<ThreadRecord>) -> Self {
        Self { guard, record }
    }

    pub(super) fn record(&self) -> &Record<ThreadRecord> {
        // SAFETY: records live as long as the domain's `Shared`, which the thread's handle keeps alive; the handle
        // outlives its guards (see `thread`).
        unsafe { &*self.record }
    }

    /// A small number of this thread, to spread threads over shards.
    #[inline]
    pub(crate) fn shard(&self) -> usize {
        self.record().index
    }

    /// Counts one retired block, for the statistics.
    #[inline]
    pub(super) fn count_retired(&self, bytes: usize) {
        let record = &self.record().value;
        add(&record.retired_objects, 1);
        add(&record.retired_bytes, bytes);
    }

    /// Calls `call` after the grace period. Runs nothing now.
    ///
    /// # Safety
    /// `call` may run at any later time on any thread, or never if the process ends.
    pub(super) unsafe fn defer(&self, call: impl FnOnce() + Send) {
        // SAFETY: the caller's promise.
        unsafe { self.guard.defer_unchecked(call) };
    }

    /// Pushes this thread's deferred calls out, tries to move the clock on, and runs calls that are due.
    pub(super) fn flush(&self) {
        super::thread::collect(&self.guard);
    }

    /// Lets go and pins again, so that the clock can move past this guard.
    pub(super) fn refresh(&mut self) {
        self.guard.repin_after(|| ());
    }
}

/// Adds to a counter that only the calling thread writes.
#[inline]
fn add(counter: &AtomicUsize, n: usize) {
    // Relaxed: one writer, and the statistics that read it promise no order.
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
}
