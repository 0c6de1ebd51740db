//! Blocks that were unlinked and may still be named by a hazard slot: they wait until they are not.
//!
//! Each list is a stack that is pushed to one by one and taken as a whole. Who retires a block takes what waits, frees
//! what nobody names any more, and puts the rest back. A thread's slots name few blocks, so few wait: as long as there are
//! no more of them than lists, a thread that looks one through has no more than one block in its hands, should it
//! stall there.
//!
//! # Ordering pairs
//!
//! - (1) the Release exchange that puts a block on a list → (2) the Acquire swap that takes the list: the block's link,
//!   and that it was unlinked, with all that was done with it before.
//!
//! That nobody can reach a block that no slot names is pair (1) ↔ (2) of [`hazard`](super::hazard).

use core::ptr;

use super::hazard::Hazards;
use crate::sync::{AtomicPtr, Ordering};

const LISTS: usize = if cfg!(loom) { 2 } else { 16 };

/// A block that can wait.
pub(crate) trait Waits: Sized {
    /// The link of the list. Those who still use the block do not look at it.
    fn below(&self) -> &AtomicPtr<Self>;
}

/// See the module's text.
pub(crate) struct Waiting<B> {
    lists: [AtomicPtr<B>; LISTS],
}

impl<B: Waits> Waiting<B> {
    pub(crate) fn new() -> Self {
        Self { lists: core::array::from_fn(|_| AtomicPtr::new(ptr::null_mut())) }
    }

    /// Gives `block` to `discard` as soon as nobody uses it, and earlier ones that waited for that.
    ///
    /// # Safety
    /// The calling thread unlinked the block from all pointers that it is protected through, and it is not linked again
    /// before it was discarded.
    #[cold]
    pub(crate) unsafe fn retire(&self, hazards: &Hazards, block: *mut B, discard: impl Fn(*mut B)) {
        hazards.before_scan();
        for list in &self.lists {
            // Relaxed: a hint.
            if list.load(Ordering::Relaxed).is_null() {
                continue;
            }
            // (2)
            let mut at = list.swap(ptr::null_mut(), Ordering::Acquire);
            while !at.is_null() {
                let this = at;
                // SAFETY: the swap made the chain this thread's.
                let below = unsafe { (*this).below() };
                // Relaxed: acquired with the list.
                at = below.load(Ordering::Relaxed);
                // SAFETY: retired before, so unlinked; and the fence above came after that.
                unsafe { self.settle(hazards, this, &discard) };
            }
        }
        // SAFETY: the caller's promise; the fence above came after the unlinking.
        unsafe { self.settle(hazards, block, &discard) };
    }

    /// Discards a block, or lets it wait.
    ///
    /// # Safety
    /// It was unlinked before this thread's `before_scan`, and is in no list.
    unsafe fn settle(&self, hazards: &Hazards, block: *mut B, discard: &impl Fn(*mut B)) {
        if hazards.named(block) {
            // SAFETY: the caller's promise.
            unsafe { self.wait(block) };
        } else {
            discard(block);
        }
    }

    /// Puts a block on a list: an empty one if there is.
    ///
    /// # Safety
    /// As [`Waiting::settle`].
    unsafe fn wait(&self, block: *mut B) {
        // SAFETY: not freed yet.
        let below = unsafe { (*block).below() };
        // Relaxed: published by (1).
        below.store(ptr::null_mut(), Ordering::Relaxed);
        for list in &self.lists {
            // (1) Relaxed on failure: nothing was learned.
            let put = list.compare_exchange(ptr::null_mut(), block, Ordering::Release, Ordering::Relaxed);
            if put.is_ok() {
                return;
            }
        }
        // Blocks stand apart by many times this.
        let list = &self.lists[block.addr() / 128 % LISTS];
        // Relaxed: only linked to.
        let mut top = list.load(Ordering::Relaxed);
        loop {
            // Relaxed: published by (1).
            below.store(top, Ordering::Relaxed);
            // (1) and it continues the release sequences of the blocks below.
            match list.compare_exchange_weak(top, block, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => top = now,
            }
        }
    }

    /// Gives all blocks to `each`.
    ///
    /// # Safety
    /// Nobody uses the container any more. `each` may free the block.
    pub(crate) unsafe fn drain(&self, each: impl Fn(*mut B)) {
        for list in &self.lists {
            // Relaxed: whoever ended the use of the container synchronised with all threads.
            let mut at = list.swap(ptr::null_mut(), Ordering::Relaxed);
            while !at.is_null() {
                let this = at;
                // SAFETY: not freed yet.
                let below = unsafe { (*this).below() };
                // Relaxed: as above.
                at = below.load(Ordering::Relaxed);
                each(this);
            }
        }
    }
}

#[cfg(all(test, loom))]
mod models {
    use std::sync::Mutex;

    use loom::sync::Arc;
    use loom::thread;

    use super::*;
    use crate::reclaim::Domain;

    #[repr(align(128))]
    struct Block {
        below: AtomicPtr<Block>,
    }

    impl Waits for Block {
        fn below(&self) -> &AtomicPtr<Self> {
            &self.below
        }
    }

    /// Blocks that wait one below the other are all found by who takes the list.
    #[test]
    fn blocks_are_taken_with_their_list() {
        // Not loom's own.
        static DISCARDED: Mutex<usize> = Mutex::new(0);
        // The same addresses each time: they choose the list.
        let places: [usize; 4] = core::array::from_fn(|_| {
            // SAFETY: a block has a size.
            unsafe { std::alloc::alloc(std::alloc::Layout::new::<Block>()) }.expose_provenance()
        });
        let block = move |at: usize| {
            let block = ptr::with_exposed_provenance_mut::<Block>(places[at]);
            // SAFETY: allocated above; nobody else has it yet.
            unsafe { block.write(Block { below: AtomicPtr::new(ptr::null_mut()) }) };
            block
        };
        let discard = |_| *DISCARDED.lock().unwrap() += 1;
        loom::model(move || {
            *DISCARDED.lock().unwrap() = 0;
            let domain = Domain::new().unwrap();
            let waiting = Arc::new((Waiting::new(), Hazards::new(&domain)));
            let other = {
                let waiting = waiting.clone();
                // SAFETY: the blocks are this thread's, and in no list. There are more of them than lists.
                thread::spawn(move || (0..3).for_each(|at| unsafe { waiting.0.wait(block(at)) }))
            };
            // SAFETY: nobody has used the block.
            unsafe { waiting.0.retire(&waiting.1, block(3), discard) };
            other.join().unwrap();
            // SAFETY: nobody uses the lists any more.
            unsafe { waiting.0.drain(discard) };
            assert_eq!(*DISCARDED.lock().unwrap(), 4);
        });
    }
}
