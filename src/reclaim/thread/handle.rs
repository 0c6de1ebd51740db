//! One thread's membership in one domain: its record, which others may read, and its registration with the collector.

use core::cell::Cell;
use core::mem::ManuallyDrop;
use core::ptr;

use super::{disposing, id};
use crate::mem::{Counted, Record};
use crate::reclaim::domain::{Domain, Shared};
use crate::reclaim::hazard::Lanes;
use crate::reclaim::pinned::Pinned;
use crate::reclaim::ready::SHARE;
use crate::sync::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

/// What the other threads may know of this one, in one domain. Written by the thread that holds the record.
#[derive(Default)]
pub(in crate::reclaim) struct ThreadRecord {
    /// Blocks and bytes that holders of this record have retired, ever.
    pub(in crate::reclaim) retired_objects: AtomicUsize,
    pub(in crate::reclaim) retired_bytes: AtomicUsize,
    /// Sessions of this thread: how many are open, and since when the oldest (nanoseconds of the domain's clock).
    pub(in crate::reclaim) sessions: AtomicUsize,
    pub(in crate::reclaim) session_since: AtomicU64,
    /// Those among the sessions that no [`Guard`](super::Guard) stands for.
    pub(in crate::reclaim) locks: AtomicUsize,
    /// The blocks that this thread protects without a pin.
    pub(in crate::reclaim) lanes: Lanes,
    /// The membership ended while a session was open. The end of the last session gives the record back.
    pub(in crate::reclaim) orphan: AtomicBool,
    /// Whose record it is: [`id`], or 0.
    pub(in crate::reclaim) owner: AtomicUsize,
    /// Whether destructors of the domain are running on this thread.
    pub(in crate::reclaim) collecting: AtomicBool,
    /// What `retired_objects` was when this thread last disposed of a share of what was ready.
    pub(in crate::reclaim) worked: AtomicUsize,
}

/// One thread's membership in one domain.
pub(super) struct Handle {
    pub(super) shared: Counted<Shared>,
    // The registration ends before this clone of its collector: a registration that is the collector's last reference would
    // free itself in the middle of its own end.
    pub(super) local: ManuallyDrop<crossbeam_epoch::LocalHandle>,
    collector: ManuallyDrop<crossbeam_epoch::Collector>,
    pub(super) record: *const Record<ThreadRecord>,
    /// The domain's era when it was made: in a later one, the collector is not the domain's any more.
    era: usize,
    /// Of an earlier era: another handle has taken over the record, and these were the record's `locks` then.
    pub(super) outlived: Cell<Option<usize>>,
}

impl Handle {
    pub(super) fn new(domain: &Domain) -> Self {
        let record = domain.shared().threads.take(ThreadRecord::default);
        // Relaxed: read by who is alone.
        record.value.owner.store(id(), Ordering::Relaxed);
        Self::with(domain, record)
    }

    fn with(domain: &Domain, record: *const Record<ThreadRecord>) -> Self {
        let collector = domain.collector();
        Self {
            shared: domain.shared().clone(),
            local: ManuallyDrop::new(collector.register()),
            collector: ManuallyDrop::new(collector.clone()),
            record,
            era: domain.shared().era(),
            outlived: Cell::new(None),
        }
    }

    /// The membership of the same thread in the present era.
    #[cold]
    pub(super) fn again(&self, domain: &Domain) -> Self {
        // SAFETY: `shared` keeps the registry of records alive.
        let record = unsafe { &*self.record };
        // Relaxed: this thread's own.
        self.outlived.set(Some(record.value.locks.load(Ordering::Relaxed)));
        Self::with(domain, record)
    }

    pub(super) fn is_of(&self, shared: &Shared) -> bool {
        ptr::eq(&raw const *self.shared, shared)
    }

    pub(super) fn is_present(&self) -> bool {
        self.era == self.shared.era()
    }

    /// `shared` is that of the domain. May dispose of a share of what is ready there.
    #[inline]
    pub(super) fn pin(&self, shared: &Shared) -> Pinned {
        if shared.ready.is_some() { self.pin_and_work(shared) } else { self.only_pin() }
    }

    #[inline]
    fn only_pin(&self) -> Pinned {
        Pinned::new(self.local.pin(), self.record)
    }

    #[cold]
    fn pin_and_work(&self, shared: &Shared) -> Pinned {
        // Not in the middle of another operation or a session: its retirements see to that.
        let outermost = !self.local.is_pinned();
        let pinned = self.only_pin();
        if outermost {
            pinned.work(shared, SHARE);
        }
        pinned
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: `shared` keeps the registry of records alive.
        let record = unsafe { &*self.record };
        if self.outlived.get().is_none() {
            // Whoever takes the record next protects nothing, and until then nothing is held back.
            record.value.lanes.clear();
        }
        if self.is_present() {
            // A thread that ends has its share too, unless it is in the middle of one. In a model `LASTING` may be gone.
            if cfg!(not(loom)) && disposing().is_null() {
                drop(self.pin_and_work(&self.shared));
            }
            // SAFETY: not used any more.
            unsafe { ManuallyDrop::drop(&mut self.local) };
            // SAFETY: as above.
            unsafe { ManuallyDrop::drop(&mut self.collector) };
        } else if self.local.is_pinned() {
            // The collector of an earlier era is not touched any more. Nobody will end the pin.
            self.shared.hold_for_ever();
        } else {
            self.shared.let_go(id());
        }
        // The last thing: who has no record is not in the collector either.
        if self.outlived.get().is_none() {
            // Relaxed, both: only this thread writes them; who gets the record next acquires it from `give_back`.
            if record.value.sessions.load(Ordering::Relaxed) == 0 {
                give_back(record);
            } else {
                record.value.orphan.store(true, Ordering::Relaxed);
            }
        }
    }
}

#[cfg(all(unix, not(any(miri, loom))))]
impl ThreadRecord {
    /// The thread that had the record has vanished in a `fork`.
    pub(in crate::reclaim) fn vanish(&self) {
        self.lanes.clear();
        // Relaxed, all: nobody else is there.
        for count in [&self.sessions, &self.locks] {
            count.store(0, Ordering::Relaxed);
        }
        for flag in [&self.orphan, &self.collecting] {
            // Relaxed: as above.
            flag.store(false, Ordering::Relaxed);
        }
    }
}

/// Gives a record back that nothing refers to any more.
pub(in crate::reclaim) fn give_back(record: &Record<ThreadRecord>) {
    // Relaxed: published by the registry's pair (1).
    record.value.owner.store(0, Ordering::Relaxed);
    record.give_back();
}
