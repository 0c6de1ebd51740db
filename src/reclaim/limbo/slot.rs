//! A sealed chain on its way: through the collector, to the domain's ready chains, and from there share by share to its end.

use core::ptr;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::Bins;
use super::dispose::Disposing;
use super::link::{Link, Meta};
use crate::reclaim::pinned::Pinned;
use crate::reclaim::ready::{Ready, SHARE};
use crate::sync::{AtomicPtr, AtomicUsize, Ordering};

/// A place for a sealed chain. Free, if it has none.
///
/// A chain that has been sealed owns a reference to the limbo and is counted in the domain's phases, until its last block
/// has been disposed of.
pub(in crate::reclaim) struct Slot {
    pub(super) chain: AtomicPtr<Link>,
    /// The link of [`Ready`].
    next: AtomicPtr<Slot>,
    /// Where the chain is counted: [`PARITY`]; and [`AGAIN`].
    pub(super) phase: AtomicUsize,
    /// Whose slot it is. Written once, when the limbo is made.
    pub(super) bins: *const Bins,
}

pub(super) const PARITY: usize = 1;
/// The chain's grace period is to be asked for again, and it is among the ready ones for that.
pub(super) const AGAIN: usize = 2;

/// Instead of a chain: somebody has it in his hands.
pub(super) const RESERVED: *mut Link = ptr::without_provenance_mut(1);

impl Slot {
    pub(in crate::reclaim) fn new() -> Self {
        Self {
            chain: AtomicPtr::new(ptr::null_mut()),
            next: AtomicPtr::new(ptr::null_mut()),
            phase: AtomicUsize::new(0),
            bins: ptr::null(),
        }
    }

    /// The link of [`Ready`], for whoever owns the slot there.
    pub(in crate::reclaim) fn next(&self) -> &AtomicPtr<Self> {
        &self.next
    }

    /// Makes the slot the caller's alone, if it is free.
    pub(super) fn reserve(&self) -> bool {
        // Relaxed load: a hint. (9) Acquire on success; Relaxed on failure: nothing was learned.
        self.chain.load(Ordering::Relaxed).is_null()
            && self
                .chain
                .compare_exchange(ptr::null_mut(), RESERVED, Ordering::Acquire, Ordering::Relaxed)
                .is_ok()
    }

    /// The chain of a slot that was reserved; null makes it free again.
    pub(super) fn fill(&self, chain: *mut Link, phase: usize) {
        // Relaxed: published by (3).
        self.phase.store(phase, Ordering::Relaxed);
        // (3)
        self.chain.store(chain, Ordering::Release);
    }

    /// The chain of a slot of a limbo that is closed, which is then the caller's.
    pub(super) fn empty(&self) -> *mut Link {
        // (4) Acquire pairs with (3).
        let chain = self.chain.swap(ptr::null_mut(), Ordering::Acquire);
        if chain == RESERVED { ptr::null_mut() } else { chain }
    }

    /// What the chain owned is given up; the slot is not used after this.
    ///
    /// # Safety
    /// The slot is the caller's, and its chain was disposed of, or is by the close of its limbo.
    pub(in crate::reclaim) unsafe fn finish(this: *const Self) {
        // SAFETY: the chain's reference keeps it alive until the end of this.
        let slot = unsafe { &*this };
        let whole = slot.bins;
        // SAFETY: as above.
        let bins = unsafe { &*whole };
        // Relaxed: acquired with the slot.
        bins.shared.phases.leave(slot.phase.load(Ordering::Relaxed) & PARITY);
        // SAFETY: the reference that `seal` took, given up once.
        unsafe { Bins::release(whole) };
    }

    /// Disposes of up to `most` blocks of the chain, a few more if they are the last ones, and puts back the slot if there is
    /// a rest. Says how many they were; it is never 0.
    ///
    /// # Safety
    /// `this` was taken from `ready`, and `pinned` is of the domain's present collector.
    pub(in crate::reclaim) unsafe fn work(
        this: *const Self,
        pinned: &Pinned,
        ready: &Ready,
        most: u64,
    ) -> u64 {
        // SAFETY: the chain's reference, which is ours now, is given up only below.
        let slot = unsafe { &*this };
        let whole = slot.bins;
        // Relaxed: acquired with the slot. Read now: as soon as the rest is put back, the slot is somebody else's.
        let phase = slot.phase.load(Ordering::Relaxed);
        if phase & AGAIN != 0 {
            // Relaxed: published by the collector's own order.
            slot.phase.store(phase & PARITY, Ordering::Relaxed);
            let again = Graced(this);
            // SAFETY: as where the chain was sealed; the slot, with what the chain owns, is the call's.
            unsafe { pinned.defer(move || again.call()) };
            pinned.flush();
            return 1;
        }
        let mut disposed = 1;
        // A destructor must not unwind; if one does, it ends here: the operation that happens to do this is none of its
        // business.
        let end = catch_unwind(AssertUnwindSafe(|| {
            // SAFETY: as above.
            let bins = unsafe { &*whole };
            let _leave = bins.shared.phases.leave_on_drop(phase);
            // A closed limbo disposes of its chains itself.
            bins.visit(|bins| {
                // (4) Acquire pairs with (3). Reserved, so that nobody takes the slot for free before the rest is back.
                let chain = slot.chain.swap(RESERVED, Ordering::Acquire);
                // SAFETY: sealed under a pin that has ended, with all others of its time; the swap made it ours.
                let (share, rest) = unsafe { divide(chain, most) };
                disposed = share.blocks;
                if rest.is_null() {
                    // (9)
                    slot.chain.store(ptr::null_mut(), Ordering::Release);
                } else {
                    // While the chain itself is counted, so that its count does not fall to 0 between.
                    bins.shared.phases.enter_beside(phase);
                    // SAFETY: we have a reference.
                    unsafe { (bins.retain)(whole) };
                    // (3)
                    slot.chain.store(rest, Ordering::Release);
                    // SAFETY: ours, and the rest of a chain that is ready.
                    unsafe { ready.put(this) };
                }
                // SAFETY: as for `divide`; the rest is not part of it any more.
                unsafe { Disposing::run(bins, share.first, share.below, phase) };
            });
        }));
        // The panic's message has been written. What it carries could panic in its own end, but not for ever.
        if let Err(panic) = end
            && let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(panic)))
        {
            core::mem::forget(again);
        }
        // SAFETY: the reference was ours, and nothing uses the limbo after this.
        unsafe { Bins::release(whole) };
        disposed
    }
}

/// The front of a chain.
struct Share {
    first: *mut Link,
    blocks: u64,
    /// What the block below its last one says.
    below: Meta,
}

/// Divides a chain after `most` blocks, unless there are few more.
///
/// # Safety
/// The chain is the caller's, and not empty.
unsafe fn divide(chain: *mut Link, most: u64) -> (Share, *mut Link) {
    // SAFETY: the caller's promise.
    let blocks = unsafe { (*chain).meta.get() }.count();
    if blocks <= most + SHARE / 2 {
        return (Share { first: chain, blocks, below: Meta::NONE }, ptr::null_mut());
    }
    let mut last = chain;
    for _ in 1..most {
        // SAFETY: the chain has more blocks than that.
        let link = unsafe { &*last };
        // Relaxed: acquired with the chain.
        last = link.next.load(Ordering::Relaxed);
    }
    // SAFETY: as above.
    let link = unsafe { &*last };
    // Relaxed: acquired with the chain.
    let rest = link.next.load(Ordering::Relaxed);
    // Relaxed: ours; no reader walks here any more.
    link.next.store(ptr::null_mut(), Ordering::Relaxed);
    // SAFETY: as above. Read now: as soon as the rest is put back, it is somebody else's.
    let below = unsafe { (*rest).meta.get() };
    (Share { first: chain, blocks: most, below }, rest)
}

/// The deferred call of a seal.
pub(super) struct Graced(pub(super) *const Slot);

// SAFETY: it travels to the thread that collects; the limbo is Sync, and the chain's reference keeps it alive.
unsafe impl Send for Graced {}

impl Graced {
    /// The grace period of the chain in the slot is over. Disposes of nothing.
    pub(super) fn call(self) {
        let Self(slot) = self;
        let mut closed = true;
        // SAFETY: the chain's reference keeps the limbo alive.
        let bins = unsafe { (*slot).bins };
        // SAFETY: as above.
        let bins = unsafe { &*bins };
        // In a visit: what the close of a limbo comes before is not put among the ready ones, where nobody may look any
        // more.
        bins.visit(|bins| {
            closed = false;
            // SAFETY: the slot is this call's.
            unsafe { bins.shared.ready.put(slot) };
        });
        if closed {
            // SAFETY: the slot is this call's, and the close takes care of the chain.
            unsafe { Slot::finish(slot) };
        }
    }
}
