//! What is done to a limbo in the child of `fork`: see [`domain::fork`](crate::reclaim::domain).

use core::ptr;

use super::Bins;
use super::dispose::Disposing;
use super::link::{Link, Meta};
use super::slot::{AGAIN, PARITY, RESERVED, Slot};
use crate::reclaim::domain::Shared;
use crate::reclaim::ready::Ready;
use crate::sync::Ordering;

/// In a slot's `phase`, in the handler only: it lies among the ready ones.
const LISTED: usize = 4;

impl Bins {
    /// Puts the limbo in order, and says how many objects and bytes are in it.
    ///
    /// # Safety
    /// There is no other thread; the slots that are ready have been told by [`Slot::enter_fork`].
    pub(in crate::reclaim) unsafe fn after_fork(&self, ready: &Ready) -> (u64, u64) {
        let mine = Disposing::of_this_thread().filter(|disposing| ptr::eq(disposing.bins, self.whole));
        // Relaxed, here and below: nobody else is there.
        self.busy.store(mine.count(), Ordering::Relaxed);
        let mut sum = (0, 0);
        let mut add = |chain: *mut Link| {
            // SAFETY: null, or a block of the limbo.
            let meta = unsafe { chain.as_ref() }.map_or(Meta::NONE, Link::meta);
            sum = (sum.0 + meta.count(), sum.1 + meta.bytes_above(Meta::NONE));
        };
        for open in &self.open {
            add(open.load(Ordering::Relaxed));
        }
        for slot in &self.sealed {
            let chain = slot.chain.load(Ordering::Relaxed);
            if chain == RESERVED {
                // Whoever had its chain in his hands has vanished with it.
                slot.chain.store(ptr::null_mut(), Ordering::Relaxed);
                continue;
            }
            add(chain);
            let phase = slot.phase.load(Ordering::Relaxed);
            if !chain.is_null() && phase & LISTED == 0 {
                // The old collector had it, or a thread that has vanished.
                slot.phase.store(phase | AGAIN, Ordering::Relaxed);
                // SAFETY: nobody's now, with the reference and the count that the chain had.
                unsafe { ready.put(slot) };
            }
        }
        sum
    }

    /// For who is alone.
    pub(in crate::reclaim) fn set_dirty(&self, dirty: bool) {
        // Relaxed: nobody else is there.
        self.dirty.store(dirty, Ordering::Relaxed);
    }
}

impl Slot {
    /// The slot lies among the ready ones. For who is alone.
    pub(in crate::reclaim) fn enter_fork(&self) {
        // Relaxed: nobody else is there.
        self.phase.fetch_or(LISTED, Ordering::Relaxed);
    }

    /// Forgets what `enter_fork` said, and says where the chain is counted.
    pub(in crate::reclaim) fn leave_fork(&self) -> usize {
        // Relaxed: nobody else is there.
        self.phase.fetch_and(!LISTED, Ordering::Relaxed) & PARITY
    }
}

impl Disposing {
    pub(in crate::reclaim) fn is_of(&self, shared: &Shared) -> bool {
        // SAFETY: a visit keeps its limbo alive.
        let bins = unsafe { &*self.bins };
        ptr::eq(&raw const *bins.shared, shared)
    }

    /// Where it is counted.
    pub(in crate::reclaim) fn phase(&self) -> usize {
        self.phase
    }
}
