//! Chains whose grace period is over: every operation of the domain disposes of a share of them.
//!
//! # Problem
//!
//! When the clock has moved on, thousands of blocks may be due at once. Were they freed by the operation that happened to
//! notice, that one would take a thousand times as long as the others. So the clock only says which chains are ready,
//! and who pins the domain, or retires to it, disposes of a few of their blocks: [`SHARE`], and a little more where that
//! saves a division.
//!
//! # Shape
//!
//! ```text
//!  some:    1   0   1   ...              a bit for each place: there may be something
//!  places:  │   -   │
//!           ▼       ▼
//!         Slot    Slot ► Slot            one chain each, at home in its limbo; longer lists only if no place is free
//! ```
//!
//! Who takes a chain takes what lies at its place, and puts back the others at once. A chain that is longer than a share is
//! divided, and its rest put back, before the first destructor runs.
//!
//! # Invariants
//!
//! 1. A slot is in at most one place, or in the hands of one thread.
//! 2. Where something lies, the bit is set, or a thread is about to set it, or to take what lies there.
//! 3. A slot that is here owns a reference to its limbo, and its chain is counted in the domain's phases.
//!
//! # Ordering pairs
//!
//! - (1) the Release half of the exchange that puts a slot at a place → (2) the Acquire swap that takes it: the slot's link
//!   and its chain. Exchanges on one word continue each other's release sequences.
//! - (3) the Release half of setting a bit → (4) the Acquire half of clearing it: the swap (2) that follows finds what
//!   was put there before the bit was set.
//!
//! # Progress
//!
//! Lock-free: an exchange fails only because another one succeeded. A thread that is suspended for ever while it takes a
//! slot keeps what lay at that place: one chain, unless more chains than places are ready. In a destructor it keeps the
//! share that it took.

use core::ptr;

use crossbeam_utils::CachePadded;

use super::limbo::Slot;
use crate::sync::{AtomicPtr, AtomicUsize, Ordering};

/// How many blocks an operation disposes of, and up to half as many more if they are the last of their chain.
pub(super) const SHARE: u64 = if cfg!(loom) {
    1
} else if cfg!(miri) {
    2
} else {
    64
};

const PLACES: usize = if cfg!(loom) { 2 } else { 16 };

/// See the module's text.
pub(super) struct Ready {
    some: CachePadded<AtomicUsize>,
    places: [AtomicPtr<Slot>; PLACES],
}

impl Ready {
    pub(super) fn new() -> Self {
        Self {
            some: CachePadded::new(AtomicUsize::new(0)),
            places: core::array::from_fn(|_| AtomicPtr::new(ptr::null_mut())),
        }
    }

    /// Whether there may be something.
    #[inline(always)]
    pub(super) fn is_some(&self) -> bool {
        // Relaxed: a hint.
        self.some.load(Ordering::Relaxed) != 0
    }

    /// Puts a slot at a place.
    ///
    /// # Safety
    /// The slot's chain is ready, and it is the caller's, with what invariant 3 says.
    pub(super) unsafe fn put(&self, slot: *const Slot) {
        let slot = slot.cast_mut();
        // SAFETY: the caller's.
        let next = unsafe { (*slot).next() };
        // Relaxed: published by (1).
        next.store(ptr::null_mut(), Ordering::Relaxed);
        for (at, place) in self.places.iter().enumerate() {
            // (1) Relaxed on failure: nothing was learned.
            if place.compare_exchange(ptr::null_mut(), slot, Ordering::Release, Ordering::Relaxed).is_ok() {
                return self.tell(at);
            }
        }
        // Slots stand apart by some words.
        let at = slot.addr() / size_of::<Slot>() % PLACES;
        // Relaxed: only linked to.
        let mut top = self.places[at].load(Ordering::Relaxed);
        loop {
            // Relaxed: published by (1).
            next.store(top, Ordering::Relaxed);
            // (1) Relaxed on failure: as the load.
            match self.places[at].compare_exchange_weak(top, slot, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return self.tell(at),
                Err(now) => top = now,
            }
        }
    }

    /// Something was put at a place.
    fn tell(&self, at: usize) {
        // (3)
        self.some.fetch_or(1 << at, Ordering::Release);
    }

    /// Takes a slot, if there is one; looks first at the place that `from` says. It is then the caller's, with what invariant
    /// 3 says.
    pub(super) fn take(&self, from: usize) -> Option<*const Slot> {
        let from = from % PLACES;
        loop {
            // Relaxed: a hint; the swap decides.
            let some = self.some.load(Ordering::Relaxed);
            if some == 0 {
                return None;
            }
            let behind = some >> from;
            let at = if behind == 0 { some.trailing_zeros() } else { behind.trailing_zeros() + from as u32 };
            let at = at as usize;
            // (4)
            self.some.fetch_and(!(1 << at), Ordering::Acquire);
            // (2)
            let first = self.places[at].swap(ptr::null_mut(), Ordering::Acquire);
            // SAFETY: null, or a slot that the swap made ours (invariant 3).
            if let Some(slot) = unsafe { first.as_ref() } {
                // Relaxed: acquired with the slot.
                let others = slot.next().load(Ordering::Relaxed);
                if !others.is_null() {
                    self.put_back(at, others);
                }
                return Some(first);
            }
        }
    }

    /// Puts a list of slots back where it was taken. They are the caller's.
    #[cold]
    fn put_back(&self, at: usize, mut first: *mut Slot) {
        let place = &self.places[at];
        // (1) Relaxed on failure: nothing was learned.
        while place.compare_exchange(ptr::null_mut(), first, Ordering::Release, Ordering::Relaxed).is_err() {
            // What came meanwhile goes on top: it is few, and the list may be long.
            // (2)
            let newer = place.swap(ptr::null_mut(), Ordering::Acquire);
            let mut at = newer;
            // SAFETY: null, or a slot that the swap made ours.
            while let Some(slot) = unsafe { at.as_ref() } {
                // Relaxed, both: acquired with the list, and published by (1).
                at = slot.next().load(Ordering::Relaxed);
                if at.is_null() {
                    slot.next().store(first, Ordering::Relaxed);
                    first = newer;
                }
            }
        }
        self.tell(at);
    }
}

/// For the child of `fork`.
#[cfg(all(unix, not(any(miri, loom))))]
impl Ready {
    /// Sets the bits, and tells the slots that they are here.
    ///
    /// # Safety
    /// There is no other thread.
    pub(super) unsafe fn renew(&self) -> &Self {
        // SAFETY: the caller's promise; the slots that are here keep their limbos alive.
        unsafe { self.each(Slot::enter_fork) };
        for (at, place) in self.places.iter().enumerate() {
            // Relaxed: nobody else is there.
            if !place.load(Ordering::Relaxed).is_null() {
                self.tell(at);
            }
        }
        self
    }

    /// Gives all slots to `each`.
    ///
    /// # Safety
    /// There is no other thread.
    pub(super) unsafe fn each(&self, mut each: impl FnMut(&Slot)) {
        for place in &self.places {
            // Relaxed, both: nobody else is there.
            let mut at = place.load(Ordering::Relaxed);
            // SAFETY: null, or a slot that keeps its limbo alive.
            while let Some(slot) = unsafe { at.as_ref() } {
                each(slot);
                at = slot.next().load(Ordering::Relaxed);
            }
        }
    }
}

#[cfg(all(test, loom))]
mod tests {
    use std::sync::Arc;

    use loom::cell::UnsafeCell;
    use loom::thread;

    use super::*;

    /// Three slots at two places, and what they stand for. Loom ends a model in which a cell is used by two threads without
    /// an order between them.
    struct Slots {
        ready: Ready,
        slots: [Slot; 3],
        cells: [UnsafeCell<u32>; 3],
    }

    // SAFETY: that is what the models are for.
    unsafe impl Send for Slots {}
    // SAFETY: as above.
    unsafe impl Sync for Slots {}

    impl Slots {
        fn new(put: usize) -> Arc<Self> {
            let slots = Arc::new(Self {
                ready: Ready::new(),
                slots: core::array::from_fn(|_| Slot::new()),
                cells: core::array::from_fn(|_| UnsafeCell::new(0)),
            });
            for slot in &slots.slots[..put] {
                // SAFETY: nobody else's. Nothing asks for the limbo that it does not have.
                unsafe { slots.ready.put(slot) };
            }
            slots
        }

        /// Takes a slot, if there is one, and uses what it stands for.
        fn take(&self, from: usize) -> Option<*const Slot> {
            let slot = self.ready.take(from)?;
            let at = self.slots.iter().position(|each| ptr::eq(each, slot)).expect("one of ours");
            // SAFETY: the slot is ours; loom sees to it that this is so.
            self.cells[at].with_mut(|cell| unsafe { *cell += 1 });
            Some(slot)
        }

        /// As a thread does that disposes of a share of a chain.
        fn take_and_put(&self, from: usize) {
            if let Some(slot) = self.take(from) {
                // SAFETY: taken just now.
                unsafe { self.ready.put(slot) };
            }
        }
    }

    fn model(put: usize, each: impl Fn(&Slots) + Sync + Send + Copy + 'static) {
        loom::model(move || {
            let slots = Slots::new(put);
            let other = {
                let slots = slots.clone();
                thread::spawn(move || each(&slots))
            };
            each(&slots);
            other.join().unwrap();
            // Each is there, once.
            let mut left = core::iter::from_fn(|| slots.take(0)).collect::<Vec<_>>();
            left.sort_unstable();
            left.dedup();
            assert_eq!(left.len(), put);
        });
    }

    /// Two threads at one slot: who takes it sees what was done with it before it was put back.
    #[test]
    fn a_slot_comes_with_what_was_done_with_it() {
        model(1, |slots| slots.take_and_put(0));
    }

    /// Two slots share a place: so do those that are put on top of others, or are put back.
    #[test]
    fn slots_of_one_place_are_put_back() {
        model(3, |slots| {
            slots.take_and_put(0);
            slots.take_and_put(0);
        });
    }
}
