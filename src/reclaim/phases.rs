//! Counts what is under way, so that a barrier can wait for all that began before it and nothing that began later.
//!
//! Work is counted in one of two counters, chosen by the parity of the current phase. The phase moves on only when the
//! *other* counter is seen at zero, so the counter that is not current only drains. A barrier that has seen three moves
//! since it began has seen each counter at zero at some moment after its beginning (the first move may rest on an
//! older observation), and so knows that everything counted before it has ended.
//!
//! Work that read an old phase and is counted late goes into the draining counter; it began after the barrier, and at
//! worst delays it.
//!
//! Orderings are SeqCst throughout: one of these is touched a batch, never an element, and the argument above is about
//! one total order.

use crossbeam_utils::CachePadded;

use crate::sync::{AtomicUsize, Ordering};

pub(super) struct Phases {
    current: AtomicUsize,
    under_way: [CachePadded<AtomicUsize>; 2],
}

impl Phases {
    pub(super) fn new() -> Self {
        Self {
            current: AtomicUsize::new(0),
            under_way: core::array::from_fn(|_| CachePadded::new(AtomicUsize::new(0))),
        }
    }

    /// Work begins. The result is for [`Phases::leave`].
    pub(super) fn enter(&self) -> usize {
        // SeqCst: see the module's text.
        let parity = self.current.load(Ordering::SeqCst) & 1;
        // SeqCst: as above.
        self.under_way[parity].fetch_add(1, Ordering::SeqCst);
        parity
    }

    /// Work that is counted is divided: one more where `parity` says. Not where `enter` would count it now: a barrier that
    /// has seen the new counter at zero would then miss what it waits for, and see the old one at zero too.
    pub(super) fn enter_beside(&self, parity: usize) {
        // SeqCst: as above.
        self.under_way[parity].fetch_add(1, Ordering::SeqCst);
    }

    /// Work that `enter` counted has ended.
    pub(super) fn leave(&self, parity: usize) {
        // SeqCst: as above; its Release half makes the work's effects visible to the barrier that sees zero.
        self.under_way[parity].fetch_sub(1, Ordering::SeqCst);
    }

    /// [`Phases::leave`] at the end of a scope, also when a destructor panics in it.
    pub(super) fn leave_on_drop(&self, parity: usize) -> impl Drop {
        struct Leave<'a>(&'a Phases, usize);
        impl Drop for Leave<'_> {
            fn drop(&mut self) {
                self.0.leave(self.1);
            }
        }
        Leave(self, parity)
    }

    /// Counts anew: so much is under way.
    ///
    /// # Safety
    /// There is no other thread.
    #[cfg(all(unix, not(any(miri, loom))))]
    pub(super) unsafe fn begin_with(&self, under_way: [usize; 2]) {
        for (counter, n) in self.under_way.iter().zip(under_way) {
            // SeqCst: as above.
            counter.store(n, Ordering::SeqCst);
        }
    }

    /// The phase a barrier begins in.
    pub(super) fn now(&self) -> usize {
        // SeqCst: see the module's text.
        self.current.load(Ordering::SeqCst)
    }

    /// Moves the phase on as far as it may, and says whether all work that was counted before `begin` has ended.
    pub(super) fn passed(&self, begin: usize) -> bool {
        loop {
            // SeqCst here and below: see the module's text.
            let current = self.current.load(Ordering::SeqCst);
            if current.wrapping_sub(begin) >= 3 {
                return true;
            }
            if self.under_way[(current & 1) ^ 1].load(Ordering::SeqCst) != 0 {
                return false;
            }
            // A failure means that somebody else moved it; so this goes round three times at most.
            let _ = self.current.compare_exchange(
                current,
                current.wrapping_add(1),
                Ordering::SeqCst,
                Ordering::SeqCst,
            );
        }
    }
}
