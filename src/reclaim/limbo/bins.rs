//! Retiring, sealing, sweeping and closing: the states of a chain, as the parent's picture shows them.

use core::cell::Cell;
use core::ptr;

use super::dispose::Disposing;
use super::link::{Link, Meta};
use super::slot::Graced;
use super::{Bins, SHARDS, Slot, Spared};
use crate::reclaim::pinned::Pinned;
use crate::reclaim::ready::SHARE;
use crate::sync::{AtomicUsize, Ordering, fence, yield_now};

/// An open stack is sealed when it reaches a multiple of this many blocks …
const BATCH: u64 = if cfg!(any(loom, miri)) { 2 } else { 64 };
/// … or of this many bytes.
const BATCH_BYTES: u64 = 32 * 1024;

impl Bins {
    /// See [`Limbo::retire`].
    #[inline]
    pub(super) unsafe fn retire(&self, pinned: &Pinned, block: *mut Link, kind: u8, bytes: usize) {
        // SAFETY: the caller's promise.
        let (meta, is_time) = unsafe { self.push(pinned, block, kind, bytes) };
        // (8) Acquire. See also (5): if this reads true although a sweep has cleared it, the sweep's exchange is yet to
        // come.
        if !self.dirty.load(Ordering::Acquire) {
            self.mark_dirty();
        }
        if meta.count() % BATCH == 0 || meta.passed(Meta::units(bytes), BATCH_BYTES) {
            // (10) If not, the pin may be of the time before a fork, and what it defers would be lost.
            if !self.shared.is_held() {
                self.seal(pinned.shard() % SHARDS, pinned);
                pinned.flush();
            }
            if is_time {
                pinned.work(&self.shared, SHARE);
            }
            self.shared.check_limit();
        } else if is_time {
            pinned.work(&self.shared, SHARE);
        }
    }

    /// Puts a block on an open stack. The result is what it says of itself and those below, and whether the thread's share of
    /// freeing is due.
    ///
    /// # Safety
    /// As [`Limbo::retire`]; the caller sees to it that the stack is swept.
    #[inline]
    pub(super) unsafe fn push(
        &self,
        pinned: &Pinned,
        block: *mut Link,
        kind: u8,
        bytes: usize,
    ) -> (Meta, bool) {
        let open = &self.open[pinned.shard() % SHARDS];
        let units = Meta::units(bytes);
        // Acquire: pairs with (1); the head's `meta` is read.
        let mut head = open.load(Ordering::Acquire);
        let meta = loop {
            let below = if head.is_null() {
                Meta::NONE
            } else {
                // SAFETY: invariant 4: pinned since before the load, so the head is not disposed of yet.
                unsafe { &*head }.meta.get()
            };
            let meta = below.on_top(kind, units);
            // SAFETY: the block is unlinked, so only this thread writes to it; readers that still hold it read `next`
            // at most, atomically.
            let link = unsafe { &*block };
            // (7) Release: published by (1); and a reader that still walks over the block and reads this link can tell
            // from what it loads next that the block was unlinked.
            link.next.store(head, Ordering::Release);
            link.meta.set(meta);
            // (1) Release publishes the block to whoever seals. Acquire: after a sweep's swap (2) it makes that
            // sweep's (5) visible; on failure, the new head's `meta` is read.
            match open.compare_exchange_weak(head, block, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => break meta,
                Err(now) => head = now,
            }
        };
        // What is added here is taken off again by the chain's sum, so both count in units.
        let bytes = units * 16;
        (meta, pinned.count_retired(bytes as usize))
    }

    pub(in crate::reclaim) fn next_dirty(&self) -> *const Self {
        // Relaxed: the swap that took the list acquired it.
        self.next_dirty.load(Ordering::Relaxed)
    }

    pub(in crate::reclaim) fn set_next_dirty(&self, next: *mut Self) {
        // Relaxed: published with the list's head.
        self.next_dirty.store(next, Ordering::Relaxed);
    }

    /// For the dirty list, whose entries own references.
    pub(in crate::reclaim) fn as_entry(&self) -> *mut Self {
        self.whole.cast_mut()
    }

    /// Gives up a reference that `mark_dirty` took.
    ///
    /// # Safety
    /// There is such a reference, and the caller does not use the limbo any more.
    pub(in crate::reclaim) unsafe fn release(bins: *const Self) {
        // SAFETY: the caller's reference keeps the limbo alive until the call.
        let release = unsafe { (*bins).release };
        // SAFETY: the caller's promise.
        unsafe { release(bins) };
    }

    /// Puts the limbo on the domain's dirty list, unless it is there.
    #[cold]
    pub(in crate::reclaim) fn mark_dirty(&self) {
        // Counted before the flag is set: a barrier that relies on this mark waits until the limbo is on the list.
        let phase = self.shared.marks.enter();
        let _leave = self.shared.marks.leave_on_drop(phase);
        // AcqRel: Release (8), (9), and so that the sweep that clears the flag sees what was retired before; Acquire, so
        // that `next_dirty` is written after the sweep that cleared it has read it.
        if self.dirty.swap(true, Ordering::AcqRel) {
            return;
        }
        // SAFETY: the caller is inside an operation of the container, which holds a reference.
        unsafe { (self.retain)(self.whole) };
        self.shared.push_dirty(self);
    }

    /// Takes everything open and asks the collector for its grace period. False when no slot was free for it, or a pin lasts
    /// that the collector knows nothing of. Disposes of nothing.
    fn seal(&self, shard: usize, pinned: &Pinned) -> bool {
        if self.shared.is_held() {
            return false;
        }
        let Some(slot) = self.sealed.iter().find(|slot| slot.reserve()) else { return false };
        // Before the chain is taken: whoever finds the stack empty because of this seal finds the count raised.
        let phase = self.shared.phases.enter();
        // (2) Acquire pairs with (1) of every block of the chain. Release continues (5).
        let chain = self.open[shard].swap(ptr::null_mut(), Ordering::AcqRel);
        slot.fill(chain, phase);
        if chain.is_null() {
            self.shared.phases.leave(phase);
            return true;
        }
        // SAFETY: the caller's operation, or its place on the dirty list, holds a reference.
        unsafe { (self.retain)(self.whole) };
        let slot = Graced(slot);
        // SAFETY: the call may run at any time after this on any thread: it owns a reference to the limbo, and the slot,
        // which nobody else touches before but the close.
        unsafe { pinned.defer(move || slot.call()) };
        true
    }

    /// Runs `visit` unless the limbo is closed; a close waits until it has returned.
    pub(super) fn visit(&self, visit: impl FnOnce(&Self)) {
        struct Leave<'a>(&'a AtomicUsize);
        impl Drop for Leave<'_> {
            fn drop(&mut self) {
                // Release: pairs with the Acquire load in `close`, which then sees what the visit did.
                self.0.fetch_sub(1, Ordering::Release);
            }
        }
        // (6) Relaxed and a fence: store-load against `close`.
        self.busy.fetch_add(1, Ordering::Relaxed);
        let _leave = Leave(&self.busy);
        fence(Ordering::SeqCst);
        // Relaxed: the fence orders it.
        if !self.closed.load(Ordering::Relaxed) {
            visit(self);
        }
    }

    /// Seals every open stack, for a sweep that took the limbo off the dirty list. False when slots ran out.
    pub(in crate::reclaim) fn sweep(&self, pinned: &Pinned) -> bool {
        let mut all = true;
        self.visit(|bins| {
            // (5), (9) Acquire: what was retired, or spared, before the flag was set is seen below.
            bins.dirty.swap(false, Ordering::AcqRel);
            let spared = Spared { bins, pinned: Some(pinned) };
            // SAFETY: the function that was stored for this limbo.
            let left = unsafe { (bins.retire_spared)(bins.whole, &spared) };
            for (shard, open) in bins.open.iter().enumerate() {
                // (2) for an empty stack. An exchange, not a load: the next CAS (1) must read from it (5). AcqRel as in
                // `seal`. Relaxed on failure: `seal` looks again.
                let null = ptr::null_mut();
                let empty = open.compare_exchange(null, null, Ordering::AcqRel, Ordering::Relaxed).is_ok();
                all &= empty || bins.seal(shard, pinned);
            }
            if left || !all {
                bins.mark_dirty();
            }
            if !all {
                bins.shared.count_unsealed();
            }
        });
        all
    }

    /// Disposes of everything, now.
    ///
    /// A destructor that is running in a disposal of this limbo may be what closes it: the last owner of a container may
    /// lie in the container itself. This thread then does not wait for itself, and takes over what its own disposals
    /// have not come to yet.
    ///
    /// # Safety
    /// Nobody uses the container any more.
    pub(super) unsafe fn close(&self) {
        // (6) Relaxed and a fence: store-load against `visit`.
        self.closed.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        let mine = || Disposing::of_this_thread().filter(|disposing| ptr::eq(disposing.bins, self.whole));
        let inside = mine().count();
        // Acquire: pairs with the Release of the leaving visitor.
        while self.busy.load(Ordering::Acquire) != inside {
            yield_now();
        }
        let spared = Spared { bins: self, pinned: None };
        // SAFETY: the function that was stored for this limbo.
        let _nothing_is_left = unsafe { (self.retire_spared)(self.whole, &spared) };
        for disposing in mine() {
            // SAFETY: the rest of a chain that this thread took; nobody else disposes of it.
            unsafe { self.dispose_chain(&disposing.rest, disposing.below) };
        }
        // Acquire: pairs with (1).
        let open = self.open.iter().map(|open| open.swap(ptr::null_mut(), Ordering::Acquire));
        for chain in open.chain(self.sealed.iter().map(Slot::empty)) {
            // SAFETY: nobody reads blocks of this container any more, and a swap made the chain ours.
            unsafe { self.dispose_chain(&Cell::new(chain), Meta::NONE) };
        }
    }
}
