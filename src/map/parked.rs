//! Tables that are out of reach and still named: by the slot of a thread that has not used the map since.
//!
//! A table goes through three hands on its way out. When the last bucket has moved it is *unlinked*: `current` leads past
//! it. From then on no thread can come to protect it any more, but one that named it before still does; so it is *parked*
//! until no slot names it. Then it is *retired*, so that threads that were pinned meanwhile keep it too, among them those
//! that pinned while they had it by a slot.
//!
//! Whoever changes its slot to another table of the map looks here afterwards, and no table is overlooked: the two sides
//! write and read in opposite order, with a fence between. One puts the table here, then looks whether a slot has changed;
//! the other changes its slot and counts that, then looks here.
//!
//! A slot can also change without a word to the map: when its thread ends, or goes over to another container on the same
//! lane; and a thread that uses the map under pins alone leaves its slot as it is. For these, one in [`LOOK`] changes of
//! each thread looks here, and so does whoever asks for the figures, for room, or for a smaller table. In a map that is only
//! read nobody does; so its limbo is marked as one that spares something, and each sweep of the domain, by a flush or a
//! barrier, looks here, too.
//!
//! At most two tables stay for each thread that stands still outside of operations: its slots name no more. One that
//! stands still in the middle of this module's work has a list in its hands, and a pin, which holds back all tables that
//! are retired from then on.

use core::ptr::{self, NonNull};

use super::engine::Engine;
use super::memory::{Codec, retire_table};
use super::table::Table;
use crate::reclaim::{Lane, Pinned, Role};
use crate::sync::{AtomicPtr, AtomicUsize, Ordering, fence};

/// Lists of tables. As long as there are no more tables than lists, a thread that looks one through has no more than one
/// table in its hands.
const LISTS: usize = if cfg!(loom) { 1 } else { 4 };

/// What a thread protects the current table as, and the one that it is migrated to.
pub(super) const CURRENT: Role = Role::Head;
pub(super) const NEXT: Role = Role::Tail;

/// How many changes of a thread pass by, for one that looks here.
const LOOK: usize = 1024;

/// See the module's text. Each list is a stack of tables, linked by [`Table::below`].
pub(super) struct Parked {
    lists: [AtomicPtr<Table>; LISTS],
    /// How often a thread has changed its slots.
    changes: AtomicUsize,
    /// The size of all tables here: at no time less than that of those in the lists.
    bytes: AtomicUsize,
}

impl Parked {
    pub(super) fn new() -> Self {
        let lists = core::array::from_fn(|_| AtomicPtr::new(ptr::null_mut()));
        Self { lists, changes: AtomicUsize::new(0), bytes: AtomicUsize::new(0) }
    }

    /// The calling thread has changed its slots. True: it should [`settle`](Engine::settle) what is here.
    fn slots_changed(&self) -> bool {
        // (9) Release: the slots.
        self.changes.fetch_add(1, Ordering::Release);
        // (10) SeqCst: before the look, after the count.
        fence(Ordering::SeqCst);
        self.any()
    }

    /// Whether a table may be here.
    #[inline(always)]
    pub(super) fn any(&self) -> bool {
        self.bytes() != 0
    }

    /// The size of the tables that are here.
    #[inline(always)]
    pub(super) fn bytes(&self) -> usize {
        // Relaxed: a hint; where it must not be out of date, a fence came before.
        self.bytes.load(Ordering::Relaxed)
    }

    /// Gives the tables to `free` that are not `named` any more, and that no other thread has in its hands. True: some are
    /// left.
    pub(super) fn settle(
        &self,
        mut named: impl FnMut(*mut Table) -> bool,
        mut free: impl FnMut(NonNull<Table>),
    ) -> bool {
        while self.any() {
            // (9) Acquire: the slots as they are when this many changes have been counted, or later.
            let changes = self.changes.load(Ordering::Acquire);
            let mut left = false;
            self.take(|table| {
                // What this changes in the calling thread's slots is not counted as a change: while the table is in this
                // thread's hands, nobody else looks for it.
                if named(table.as_ptr()) {
                    left = true;
                    // SAFETY: it was parked, and the calling thread took it.
                    unsafe { self.put(table) };
                } else {
                    free(table);
                }
            });
            // (10) SeqCst: after the tables were put back, before the look whether a slot has changed meanwhile.
            fence(Ordering::SeqCst);
            // Relaxed: the next round acquires.
            if !left || self.changes.load(Ordering::Relaxed) == changes {
                return left;
            }
        }
        false
    }

    /// Takes out every table and calls `each` with it.
    pub(super) fn take(&self, mut each: impl FnMut(NonNull<Table>)) {
        for list in &self.lists {
            // Relaxed: a hint, as in `bytes`.
            if list.load(Ordering::Relaxed).is_null() {
                continue;
            }
            // (8) Acquire: the links, and that the tables were unlinked.
            let mut at = list.swap(ptr::null_mut(), Ordering::Acquire);
            while let Some(table) = NonNull::new(at) {
                // SAFETY: the swap made the list this thread's, and what is parked is not freed.
                let this = unsafe { table.as_ref() };
                at = this.below();
                // Relaxed: no longer in a list, which came before.
                self.bytes.fetch_sub(Table::bytes(this.log2()), Ordering::Relaxed);
                each(table);
            }
        }
    }

    /// Parks a table: on an empty list, if there is one.
    ///
    /// # Safety
    /// It is unlinked, by the calling thread or by one that parked it, and in no list.
    pub(super) unsafe fn put(&self, table: NonNull<Table>) {
        // SAFETY: not freed: it is not retired.
        let this = unsafe { table.as_ref() };
        this.set_below(ptr::null_mut());
        // Relaxed: not in a list yet; the Release below, and the fence before a look that must see it, come after.
        self.bytes.fetch_add(Table::bytes(this.log2()), Ordering::Relaxed);
        for list in &self.lists {
            // (8) Release: publishes the link, and that the table was unlinked. Relaxed on failure: nothing was learned.
            let put =
                list.compare_exchange(ptr::null_mut(), table.as_ptr(), Ordering::Release, Ordering::Relaxed);
            if put.is_ok() {
                return;
            }
        }
        let list = &self.lists[0];
        // Relaxed: only linked to.
        let mut top = list.load(Ordering::Relaxed);
        loop {
            this.set_below(top);
            // (8) Release, as above; it continues the release sequences of the tables below.
            match list.compare_exchange_weak(top, table.as_ptr(), Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => top = now,
            }
        }
    }
}

impl<C: Codec> Engine<C> {
    /// Lets go of a table: retires it, or parks it.
    ///
    /// # Safety
    /// The calling thread has unlinked it.
    pub(super) unsafe fn let_go(&self, pinned: &Pinned, table: NonNull<Table>) {
        if self.is_named(table.as_ptr()) {
            // SAFETY: the caller's promise.
            unsafe { self.parked().put(table) };
            return self.settle(pinned);
        }
        // SAFETY: unlinked, by the only thread that did so, and no slot names it.
        unsafe { retire_table(&self.limbo, pinned, table) };
    }

    /// Whether the thread whose number is `index`, and which has changed something, should [`settle`](Engine::settle)
    /// what is parked.
    #[inline(always)]
    pub(super) fn is_time_to_settle(&self, index: usize) -> bool {
        // In a model, which makes far fewer changes, only more to explore.
        cfg!(not(loom)) && self.parked().any() && self.count.tick(index).is_multiple_of(LOOK)
    }

    /// Retires the parked tables that no slot names any more. The calling thread's own slots keep none. May run users'
    /// destructors and the allocator's hook.
    #[cold]
    pub(super) fn settle(&self, pinned: &Pinned) {
        let left = self.parked().settle(
            |table| self.is_named(table),
            // SAFETY: unlinked before it was parked; the calling thread took it; no slot names it.
            |table| unsafe { retire_table(&self.limbo, pinned, table) },
        );
        if left {
            self.limbo.spares();
        }
    }

    /// Whether the slot of another thread names the table, which was unlinked before. This thread's own do not any more: an
    /// operation further up that still uses the table is pinned.
    fn is_named(&self, table: *mut Table) -> bool {
        self.hazards.lane().leave(table);
        self.hazards.before_scan();
        self.hazards.named(table)
    }

    #[inline(always)]
    pub(super) fn parked(&self) -> &Parked {
        &self.limbo.memory().parked
    }

    /// The current table, protected by the calling thread's slot, which names another one.
    #[cold]
    pub(super) fn move_on(&self, lane: &Lane<'_>) -> *mut Table {
        loop {
            lane.clear(NEXT);
            lane.protect(CURRENT, &self.current);
            if self.parked().slots_changed() {
                self.settle(&self.pin());
            }
            // If the map has moved on meanwhile, or other code has used the lane, the slots change once more.
            if let Some(table) = lane.protected(CURRENT, &self.current) {
                return table;
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
