//! The end of a chain: block by block, after its grace period or at the close.

use core::cell::Cell;
use core::ptr;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::Bins;
use super::link::{Link, Meta};
use crate::reclaim::thread;
use crate::sync::Ordering;

impl Bins {
    /// Disposes of a whole chain; `chain` is always the part that is still to come.
    ///
    /// # Safety
    /// The caller took the chain by a swap, and nobody reads its blocks any more.
    pub(super) unsafe fn dispose_chain(&self, chain: &Cell<*mut Link>) {
        let (mut at, mut blocks, mut bytes) = (chain.get().cast_const(), 0, 0);
        // SAFETY: null, or a block of the chain, which is ours.
        while let Some(block) = unsafe { at.as_ref() } {
            // Relaxed: the swap that took the chain acquired it.
            at = block.next.load(Ordering::Relaxed);
            // SAFETY: as above.
            let below = unsafe { at.as_ref() }.map_or(Meta::NONE, |below| below.meta.get());
            blocks += 1;
            bytes += block.meta.get().bytes_above(below);
        }
        self.shared.count_disposed(blocks, bytes);
        // SAFETY: the caller's promise.
        unsafe { self.dispose_rest(chain) };
    }

    /// # Safety
    /// As [`Bins::dispose_chain`].
    pub(super) unsafe fn dispose_rest(&self, chain: &Cell<*mut Link>) {
        /// Goes on after a destructor that panicked; a second panic ends the process, as in any drop.
        struct Rest<'a>(&'a Bins, &'a Cell<*mut Link>);
        impl Rest<'_> {
            fn run(&self) {
                while !self.1.get().is_null() {
                    let block = self.1.get();
                    // SAFETY: a block of the chain, not disposed of yet.
                    let link = unsafe { &*block };
                    // Relaxed: the swap that took the chain acquired it. Written before the block's own end, which may
                    // close the limbo and so take over the rest.
                    self.1.set(link.next.load(Ordering::Relaxed));
                    let kind = link.meta.get().kind();
                    // SAFETY: invariant 1, and the caller's promise that the time has come.
                    unsafe { (self.0.dispose)(self.0.whole, block, kind) };
                }
            }
        }
        impl Drop for Rest<'_> {
            fn drop(&mut self) {
                self.run();
            }
        }
        Rest(self, chain).run();
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
