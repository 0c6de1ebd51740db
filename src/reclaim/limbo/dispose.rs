//! The end of a chain, or of a share of one: block by block, after its grace period or at the close.

use core::cell::Cell;

use super::Bins;
use super::link::{Link, Meta};
use crate::reclaim::thread;
use crate::sync::Ordering;

impl Bins {
    /// Disposes of a chain; `chain` is always the part that is still to come, and `below` what the block says that was below
    /// its last one.
    ///
    /// # Safety
    /// The caller took the chain by a swap, and nobody reads its blocks any more.
    pub(super) unsafe fn dispose_chain(&self, chain: &Cell<*mut Link>, below: Meta) {
        Rest { bins: self, chain, below, blocks: Cell::new(0), bytes: Cell::new(0) }.run();
    }
}

/// What is left of a chain. Goes on after a destructor that panicked; a second panic ends the process, as in any drop.
struct Rest<'a> {
    bins: &'a Bins,
    chain: &'a Cell<*mut Link>,
    below: Meta,
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
            let below = unsafe { next.as_ref() }.map_or(self.below, |below| below.meta.get());
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
    pub(super) below: Meta,
    /// Where it is counted, among the domain's phases.
    #[cfg_attr(any(miri, loom, not(unix)), expect(dead_code, reason = "for the child of a fork"))]
    pub(super) phase: usize,
    outer: *const Disposing,
}

impl Disposing {
    pub(in crate::reclaim) fn of_this_thread() -> impl Iterator<Item = &'static Self> {
        let mut at = thread::disposing();
        core::iter::from_fn(move || {
            // SAFETY: null, or on this thread's stack further up, where it stays until the caller has returned.
            let disposing = unsafe { at.as_ref() }?;
            at = disposing.outer;
            Some(disposing)
        })
    }

    /// Disposes of the chain `head`, below whose last block was one that says `below`.
    ///
    /// # Safety
    /// As [`Bins::dispose_chain`]; the caller is in a visit.
    pub(super) unsafe fn run(bins: &Bins, head: *mut Link, below: Meta, phase: usize) {
        struct Done(*const Disposing);
        impl Drop for Done {
            fn drop(&mut self) {
                thread::set_disposing(self.0);
            }
        }
        let this = Self { bins: bins.whole, rest: Cell::new(head), below, phase, outer: thread::disposing() };
        let _done = Done(this.outer);
        thread::set_disposing(&raw const this);
        // SAFETY: the caller's promise.
        unsafe { bins.dispose_chain(&this.rest, below) };
    }
}
