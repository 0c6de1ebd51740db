//! The domain's part of the hazard pointers: their slots, and what was retired until a scan finds it free. The parent's text
//! has the numbered pairs.

use core::ffi::c_void;
use core::ptr;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crossbeam_utils::CachePadded;

use crate::mem::Registry;
use crate::reclaim::domain::Shared;
use crate::reclaim::limbo::{Dispose, Link, Meta};
use crate::reclaim::phases::Phases;
use crate::reclaim::retired::{Block, Retired};
use crate::sync::{AtomicPtr, AtomicUsize, Ordering, fence};

pub(super) type Slot = CachePadded<AtomicPtr<c_void>>;

/// How many blocks wait for a scan, beside two for each hazard pointer.
const SLACK: usize = if cfg!(any(loom, miri)) { 2 } else { 64 };

/// The kind of a block: bit 0 is [`Retired::IN_NODE`], bit 1 the phase that it is counted in.
pub(super) const PHASE_SHIFT: u32 = 1;

/// The domain's part: all slots, and what was retired.
pub(in crate::reclaim) struct UserHazards {
    pub(super) slots: Registry<Slot>,
    retired: AtomicPtr<Link>,
    waiting: AtomicUsize,
    /// Blocks from their retirement to their end, for the barrier.
    pub(in crate::reclaim) under_way: Phases,
}

impl UserHazards {
    pub(in crate::reclaim) fn new() -> Self {
        Self {
            slots: Registry::new(),
            retired: AtomicPtr::new(ptr::null_mut()),
            waiting: AtomicUsize::new(0),
            under_way: Phases::new(),
        }
    }

    /// Hands over `n` blocks from `first` to `last`, which are linked. True if it is time for a scan.
    ///
    /// # Safety
    /// The blocks are the caller's, alone.
    pub(super) unsafe fn push(&self, first: *mut Link, last: *mut Link, n: usize) -> bool {
        // Relaxed: only compared and linked to.
        let mut head = self.retired.load(Ordering::Relaxed);
        loop {
            // SAFETY: the caller's promise.
            let link = unsafe { &*last };
            // Relaxed: published by (5).
            link.next.store(head, Ordering::Relaxed);
            // (5) Release: publishes the blocks. Relaxed on failure: as the load.
            match self.retired.compare_exchange_weak(head, first, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => break,
                Err(now) => head = now,
            }
        }
        // Relaxed: only a count. It may be behind the list, and below zero for a moment.
        let waiting = self.waiting.fetch_add(n, Ordering::Relaxed).wrapping_add(n);
        waiting.cast_signed() >= (SLACK + 2 * self.slots.len()).cast_signed()
    }

    /// What the slots name, sorted; `None` if there is no memory for it.
    fn names(&self) -> Option<Vec<*mut c_void>> {
        let mut names = Vec::new();
        // More may come meanwhile: those of hazard pointers that are newer than the fence, and need not be seen.
        names.try_reserve_exact(self.slots.len()).ok()?;
        let room = names.capacity();
        // (4) Acquire: pairs with (3).
        let named = self.slots.iter().map(|record| record.value.load(Ordering::Acquire));
        for name in named.filter(|name| !name.is_null()) {
            if names.len() == room {
                return None;
            }
            names.push(name);
        }
        names.sort_unstable();
        Some(names)
    }

    fn is_named(&self, names: Option<&[*mut c_void]>, ptr: *mut c_void) -> bool {
        match names {
            Some(names) => names.binary_search(&ptr).is_ok(),
            // (4)
            None => self.slots.iter().any(|record| ptr::eq(record.value.load(Ordering::Acquire), ptr)),
        }
    }

    /// Takes what was retired, disposes of what no slot names, and puts back the rest.
    pub(in crate::reclaim) fn scan(&self, shared: &Shared) {
        // (6) Acquire: pairs with (5).
        let mut at = self.retired.swap(ptr::null_mut(), Ordering::Acquire);
        if at.is_null() {
            return;
        }
        // (2)
        fence(Ordering::SeqCst);
        let names = self.names();
        let (mut free, mut taken) = (ptr::null_mut(), 0_usize);
        let mut kept: Option<(*mut Link, *mut Link, usize)> = None;
        while !at.is_null() {
            // SAFETY: a block of the list that the swap made ours.
            let link = unsafe { &*at };
            // Relaxed, here and below: the blocks are this thread's.
            let next = link.next.load(Ordering::Relaxed);
            // SAFETY: only such blocks are pushed.
            let ptr = unsafe { (*at.cast::<Block>()).ptr };
            taken += 1;
            if self.is_named(names.as_deref(), ptr) {
                link.next.store(kept.map_or(ptr::null_mut(), |(first, ..)| first), Ordering::Relaxed);
                kept = Some(kept.map_or((at, at, 1), |(_, last, n)| (at, last, n + 1)));
            } else {
                link.next.store(free, Ordering::Relaxed);
                free = at;
            }
            at = next;
        }
        // Relaxed: only a count.
        self.waiting.fetch_sub(taken, Ordering::Relaxed);
        if let Some((first, last, n)) = kept {
            // SAFETY: ours, linked above.
            unsafe { self.push(first, last, n) };
        }
        drop(names);
        // SAFETY: ours, and named by no slot after the fence (invariant 2).
        unsafe { self.dispose(free, shared) };
    }

    /// Disposes of a chain of blocks.
    ///
    /// # Safety
    /// The blocks are the caller's, and nobody can be reading what they stand for.
    unsafe fn dispose(&self, mut at: *mut Link, shared: &Shared) {
        while !at.is_null() {
            // SAFETY: a block of the chain, not disposed of yet.
            let link = unsafe { &*at };
            let meta = link.meta();
            // Relaxed: this thread's own.
            let next = link.next.load(Ordering::Relaxed);
            shared.count_disposed(1, meta.bytes_above(Meta::NONE));
            let _leave = self.under_way.leave_on_drop(usize::from(meta.kind() >> PHASE_SHIFT));
            // A callback must not unwind; if one does, it ends here, as in a limbo.
            let end = catch_unwind(AssertUnwindSafe(|| {
                // SAFETY: the caller's promise; the block is not used after this.
                unsafe { Retired.dispose(at, meta.kind()) };
            }));
            if let Err(panic) = end {
                core::mem::forget(panic);
            }
            at = next;
        }
    }

    /// Counts anew in the child of `fork`, and says how many objects and bytes wait.
    ///
    /// # Safety
    /// There is no other thread, and no scan is under way.
    #[cfg(all(unix, not(any(miri, loom))))]
    pub(in crate::reclaim) unsafe fn after_fork(&self) -> (u64, u64) {
        let (mut under_way, mut objects, mut bytes) = ([0; 2], 0, 0);
        // Relaxed, here and below: nobody else is there.
        let mut at = self.retired.load(Ordering::Relaxed);
        // SAFETY: null, or a block of the list.
        while let Some(link) = unsafe { at.as_ref() } {
            under_way[usize::from(link.meta().kind() >> PHASE_SHIFT)] += 1;
            objects += 1;
            bytes += link.meta().bytes_above(Meta::NONE);
            at = link.next.load(Ordering::Relaxed);
        }
        self.waiting.store(objects as usize, Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { self.under_way.begin_with(under_way) };
        (objects, bytes)
    }

    /// Disposes of everything, at the end of the domain.
    ///
    /// # Safety
    /// There is no hazard pointer any more, and nobody retires.
    pub(in crate::reclaim) unsafe fn close(&self, shared: &Shared) {
        loop {
            // (6)
            let all = self.retired.swap(ptr::null_mut(), Ordering::Acquire);
            if all.is_null() {
                return;
            }
            // SAFETY: the swap made the blocks ours; no hazard pointer, no reader.
            unsafe { self.dispose(all, shared) };
        }
    }
}
