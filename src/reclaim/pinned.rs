//! The pin of one operation.

use super::domain::Shared;
use super::limbo::Slot;
use super::ready::SHARE;
use super::thread::{self, ThreadRecord};
use crate::mem::Record;
use crate::sync::{AtomicBool, AtomicUsize, Ordering};

/// While it lives, nothing that was reachable in its domain when it was made is freed.
///
/// Not public: it is one operation's. The public session is [`Guard`](super::Guard).
pub(crate) struct Pinned {
    guard: crossbeam_epoch::Guard,
    record: *const Record<ThreadRecord>,
    // Dropped after the guard.
    late: Late,
}

/// Whether the pin was made when the thread's own storage was gone.
struct Late(bool);

impl Drop for Late {
    #[inline]
    fn drop(&mut self) {
        if self.0 {
            thread::end_late_pin();
        }
    }
}

impl Pinned {
    /// `record` is this thread's in the domain that `guard` pins, and stays so while the guard lives.
    pub(super) fn new(guard: crossbeam_epoch::Guard, record: *const Record<ThreadRecord>) -> Self {
        Self { guard, record, late: Late(false) }
    }

    /// The same pin; its end will be told to `thread`.
    pub(super) fn made_late(mut self) -> Self {
        self.late.0 = true;
        self
    }

    pub(super) fn record(&self) -> &Record<ThreadRecord> {
        // SAFETY: records live as long as the domain's `Shared`. Whoever holds a pin holds the domain: a session by a
        // clone, an operation by its container or by the domain it was called on.
        unsafe { &*self.record }
    }

    /// A small number of this thread, to spread threads over shards.
    #[inline]
    pub(crate) fn shard(&self) -> usize {
        self.record().index()
    }

    /// Counts one retired block. True if this thread has retired so many since it last disposed of a share that it is time
    /// for another one.
    #[inline]
    pub(super) fn count_retired(&self, bytes: usize) -> bool {
        let record = &self.record().value;
        let retired = add(&record.retired_objects, 1);
        add(&record.retired_bytes, bytes);
        // Relaxed: this thread's own. In a model it is always time: one thing less to explore.
        cfg!(loom)
            || retired.wrapping_sub(record.worked.load(Ordering::Relaxed)) >= (SHARE as usize).div_ceil(2)
    }

    /// Calls `call` after the grace period. Runs nothing now.
    ///
    /// # Safety
    /// `call` may run at any later time on any thread, or never if the process ends.
    pub(super) unsafe fn defer(&self, call: impl FnOnce() + Send) {
        // SAFETY: the caller's promise.
        unsafe { self.guard.defer_unchecked(call) };
    }

    /// Pushes this thread's deferred calls out and tries to move the clock on. Disposes of nothing, but chains become ready.
    pub(super) fn flush(&self) {
        self.guard.flush();
    }

    /// Disposes of up to `most` blocks that are ready in its domain, and of up to half a share more. Runs users' code.
    pub(super) fn work(&self, shared: &Shared, most: u64) {
        let record = &self.record().value;
        if cfg!(not(loom)) {
            // Relaxed, both: this thread's own.
            record.worked.store(record.retired_objects.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        if !shared.ready.is_some() || shared.is_held() {
            return;
        }
        self.collecting(|| {
            let mut left = most;
            while left > 0
                && !shared.is_held()
                && let Some(slot) = shared.ready.take(self.shard())
            {
                // SAFETY: taken just now.
                let disposed = unsafe { Slot::work(slot, self, &shared.ready, left.min(SHARE)) };
                left = left.saturating_sub(disposed);
            }
        });
    }

    /// Disposes of all that is ready.
    pub(super) fn work_all(&self, shared: &Shared) {
        self.work(shared, u64::MAX);
    }

    /// Runs `collect`, which runs users' code, unless such code of this domain is running already further up this
    /// thread's stack: a destructor that retires more must not nest ever deeper.
    pub(super) fn collecting(&self, collect: impl FnOnce()) {
        struct Done<'a>(&'a AtomicBool);
        impl Drop for Done<'_> {
            fn drop(&mut self) {
                // Relaxed: this thread's own record.
                self.0.store(false, Ordering::Relaxed);
            }
        }
        let collecting = &self.record().value.collecting;
        // Relaxed, both: this thread's own record.
        if !collecting.load(Ordering::Relaxed) {
            collecting.store(true, Ordering::Relaxed);
            let _done = Done(collecting);
            collect();
        }
    }

    /// Lets go and pins again, so that the clock can move past this guard.
    pub(super) fn refresh(&mut self) {
        self.guard.repin_after(|| ());
    }
}

/// Adds to a counter that only the calling thread writes.
#[inline]
fn add(counter: &AtomicUsize, n: usize) -> usize {
    // Relaxed, both: one writer, and the statistics that read it promise no order.
    let now = counter.load(Ordering::Relaxed).wrapping_add(n);
    counter.store(now, Ordering::Relaxed);
    now
}
