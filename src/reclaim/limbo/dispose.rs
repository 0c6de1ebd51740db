//! The end of a chain: block by block, after its grace period or at the close.

use core::cell::Cell;
use core::ptr;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::Bins;
use super::link::{Link, Meta};
use crate::reclaim::thread;
use crate::sync::Ordering;

impl Bins {
    /// Disposes of a chain; `chain` is always the part that is still to come.
    ///
    /// # Safety
    /// The caller took the chain by a swap, and nobody reads its blocks any more.
    pub(super) unsafe fn dispose_chain(&self, chain: &Cell<*mut Link>) {
        Rest { bins: self, chain, blocks: Cell::new(0), bytes: Cell::new(0) }.run();
    }
}

/// What is left of a chain. Goes on after a destructor that panicked; a second panic ends the process, as in any drop.
struct Rest<'a> {
    bins: &'a Bins,
    chain: &'a Cell<*mut Link>,
    /// What was disposed of here. Counted on the way: the blocks are cold, and one look at each is enough.
    blocks: Cell<u64>,
    bytes: Cell<u64>,
}

impl Rest<'_> {
    fn run(&self) {
        // SAFETY: null, or a block of the chain, not disposed of yet.
        while let Some(link) = unsafe { self.chain.get().as_ref() } {
            let block = self.chain.get();
            // Relaxed: the swap that took the chain acquired it.
            let next = link.next.load(Ordering::Relaxed);
            let meta = link.meta.get();
            // SAFETY: as above.
            let below = unsafe { next.as_ref() }.map_or(Meta::NONE, |below| below.meta.get());
            self.blocks.set(self.blocks.get() + 1);
            self.bytes.set(self.bytes.get() + meta.bytes_above(below));
            // Written before the block's own end, which may close the limbo and so take over the rest.
            self.chain.set(next);
            // SAFETY: invariant 1, and the promise of `dispose_chain` that the time has come.
            unsafe { (self.bins.dispose)(self.bins.whole, block, meta.kind()) };
        }
    }
}

impl Drop for Rest<'_> {
    fn drop(&mut self) {
        self.run();
        self.bins.shared.count_disposed(self.blocks.get(), self.bytes.get());
    }
}

/// A chain that a visit is disposing of. Those of a thread lie on its stack and are linked, innermost first.
pub(in crate::reclaim) struct Disposing {
    pub(super) bins: *const Bins,
    pub(super) rest: Cell<*mut Link>,
    outer: *const Disposing,
}

impl Disposing {
    pub(super) fn of_this_thread() -> impl Iterator<Item = &'static Self> {
        let mut at = thread::disposing();
        core::iter::from_fn(move || {
            // SAFETY: null, or on this thread's stack further up, where it stays until the caller has returned.
            let disposing = unsafe { at.as_ref() }?;
            at = disposing.outer;
            Some(disposing)
        })
    }

    /// Disposes of the chain `head`.
    ///
    /// # Safety
    /// As [`Bins::dispose_chain`]; the caller is in a visit.
    unsafe fn run(bins: &Bins, head: *mut Link) {
        struct Done(*const Disposing);
        impl Drop for Done {
            fn drop(&mut self) {
                thread::set_disposing(self.0);
            }
        }
        let this = Self { bins: bins.whole, rest: Cell::new(head), outer: thread::disposing() };
        let _done = Done(this.outer);
        thread::set_disposing(&raw const this);
        // SAFETY: the caller's promise.
        unsafe { bins.dispose_chain(&this.rest) };
    }
}

/// A sealed chain on its way through the collector: limbo, slot, phase. Owns a reference to the limbo.
pub(super) struct Graced(pub(super) *const Bins, pub(super) usize, pub(super) usize);

// SAFETY: it travels to the thread that collects; the limbo is Sync, and the reference keeps it alive.
unsafe impl Send for Graced {}

impl Graced {
    /// The grace period of the chain in the slot is over.
    pub(super) fn call(self) {
        let Self(bins, slot, phase) = self;
        // A destructor must not unwind; if one does, it ends here: the collector would forget the other calls of its
        // bag, and the thread's operation that happened to run this is none of the destructor's business.
        let end = catch_unwind(AssertUnwindSafe(|| {
            // SAFETY: the reference that `seal` took is given up only below.
            let bins = unsafe { &*bins };
            let _leave = bins.shared.phases.leave_on_drop(phase);
            bins.visit(|bins| {
                // (4) Acquire pairs with (3); null when the limbo was emptied by its close.
                let chain = bins.sealed[slot].swap(ptr::null_mut(), Ordering::Acquire);
                // SAFETY: sealed under a pin that has ended, with all others of its time; the swap made it ours.
                unsafe { Disposing::run(bins, chain) };
            });
        }));
        // The panic's message has been written. What it carries could panic in its own end, but not for ever.
        if let Err(panic) = end
            && let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(panic)))
        {
            core::mem::forget(again);
        }
        // SAFETY: the reference was ours, and nothing uses the limbo after this.
        unsafe { Bins::release(bins) };
    }
}
