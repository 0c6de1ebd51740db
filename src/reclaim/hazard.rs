//! Sticky hazards: protection of large blocks that costs nothing while a thread stays on one.
//!
//! # Problem
//!
//! A pin protects everything for the length of one operation, costs a locked instruction each time, and a thread that
//! stalls under one holds back all that is retired meanwhile. A container whose threads work on the same large block
//! for thousands of operations, as a queue's do on a segment, wants the opposite: to name the one block that it uses,
//! once, and to hold back that one and no more, however long it sleeps.
//!
//! # Shape
//!
//! ```text
//!  ThreadRecord ─► lanes[0]  { Head: P, Tail: P }      one lane for each container (modulo LANES),
//!                  lanes[1]  { Head: -, Tail: Q }      one slot in it for each role of a block, or, for
//!                                                      blocks of one role, for the two that were named last
//!                  ...
//! ```
//!
//! This is Michael's hazard pointer with one change: the slot is not cleared when the operation ends. The next one loads
//! the container's pointer; if that is what the slot names already, the block is protected without a store or a fence.
//! Only when the container has moved to another block is the slot written, followed by the usual fence and check.
//!
//! # Invariants
//!
//! 1. A block is unlinked from every pointer it can be protected through before it is scanned for, for good: it is not
//!    linked again before a scan has found it free.
//! 2. *Protection.* Let a thread store `P` in its slot, then fence, and later load `P` from the container's pointer,
//!    the slot unchanged. Then no scan frees `P` while the slot stays as it is. For if the scanner's fence comes before
//!    this one, the load sees that `P` was unlinked, against what was assumed; and if it comes after, the scan sees the
//!    slot. It does not matter when before the load the slot was written, nor whether `P` was another block at the same
//!    address then: this is why the slot may stay as it is from one operation to the next. A name that moves from the
//!    first slot to the second is written there before it is overwritten, and the scan looks in the same order.
//! 3. A slot is written by the thread that holds its record only.
//!
//! # Ordering pairs
//!
//! - (1) the SeqCst fence after a slot was written ↔ (2) the SeqCst fence after a block was unlinked: store-load on both
//!   sides, as in invariant 2.
//! - (3) the Release store that overwrites a slot → (4) the Acquire load of the scan that finds the block named no more:
//!   all that was done with the block happens before it is freed.
//!
//! # Re-entrance
//!
//! Slots belong to a thread, not to an operation. When an operation lets other code run (an allocator's hook), that
//! code may use this lane; the operation protects its block anew afterwards. Or it pins before, if the container retires its
//! blocks to a limbo after the scan: a pin that began while a slot protected the block goes on protecting it.

#[cfg(all(test, loom))]
mod models;

use core::marker::PhantomData;
use core::ptr;

use super::domain::{Domain, Shared};
use super::pace::Pace;
use super::pinned::Pinned;
use super::thread::{self, Member};
use crate::sync::{AtomicPtr, Ordering, fence};

/// Lanes of a thread: containers are spread over them in the order of their creation. Two containers on one lane cost a
/// fence whenever a thread goes from one to the other. A lane takes 128 bytes of each thread's record.
const LANES: usize = if cfg!(loom) { 4 } else { 32 };

/// What a container protects a block as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Head = 0,
    Tail = 1,
}

/// What one thread keeps in one lane, on a line of its own: its slots, and its pace.
#[derive(Default)]
#[repr(align(128))]
struct Slots {
    slots: [AtomicPtr<()>; 2],
    pace: Pace,
}

#[cfg(all(target_pointer_width = "64", not(loom)))]
const _: () =
    assert!(size_of::<Slots>() == 128, "one field more, and the lanes of each thread take twice the memory");

impl Slots {
    /// This thread does not use `block` any more, in whatever role.
    fn leave(&self, block: *mut ()) {
        for slot in &self.slots {
            // Relaxed: only this thread writes the slot.
            if ptr::eq(slot.load(Ordering::Relaxed), block) {
                // (3)
                slot.store(ptr::null_mut(), Ordering::Release);
            }
        }
    }
}

/// The slots of one thread.
#[derive(Default)]
pub(super) struct Lanes([Slots; LANES]);

impl Lanes {
    /// As [`Lane::leave`], for a container of this lane.
    pub(super) fn leave<T>(&self, lane: usize, block: *mut T) {
        self.0[lane].leave(block.cast());
    }

    /// Protects nothing any more.
    pub(super) fn clear(&self) {
        for slot in self.0.iter().flat_map(|lane| &lane.slots) {
            // (3)
            slot.store(ptr::null_mut(), Ordering::Release);
        }
    }
}

/// A container's part in the hazards of its domain.
pub(crate) struct Hazards {
    domain: Domain,
    /// That of the domain: one load away, not three.
    shared: *const Shared,
    lane: usize,
}

// SAFETY: the pointer is to a part of the domain, which is Send and Sync, and is only compared.
unsafe impl Send for Hazards {}
// SAFETY: as above.
unsafe impl Sync for Hazards {}

impl Hazards {
    pub(crate) fn new(domain: &Domain) -> Self {
        // Relaxed: any number will do.
        let lane = domain.shared().lanes.fetch_add(1, Ordering::Relaxed) % LANES;
        Self { lane, ..Self::unused(domain) }
    }

    /// For a container that has hazards and protects nothing with them.
    pub(crate) fn unused(domain: &Domain) -> Self {
        Self { domain: domain.clone(), shared: &raw const **domain.shared(), lane: 0 }
    }

    /// The lane that the container has been given.
    pub(crate) fn number(&self) -> usize {
        self.lane
    }

    /// Whether the two containers share the slots of each thread.
    #[cfg(all(test, not(loom)))]
    pub(crate) fn share_a_lane(&self, other: &Self) -> bool {
        self.lane == other.lane
    }

    /// The calling thread's slots for this container.
    ///
    /// Progress: lock-free; allocates on the thread's first use of the domain.
    #[inline(always)]
    pub(crate) fn lane(&self) -> Lane<'_> {
        let member = thread::member(self.shared, &self.domain);
        let slots = &raw const member.record().lanes.0[self.lane % LANES];
        Lane { slots, member, hazards: PhantomData }
    }

    /// [`Lane::won_at`] of the thread that has this pin.
    #[inline(always)]
    pub(crate) fn won_at(&self, pinned: &Pinned, place: u16, number: u16) {
        if cfg!(not(loom)) {
            pinned.record().value.lanes.0[self.lane % LANES].pace.won_at(place, number);
        }
    }

    /// Before [`Hazards::named`], after the blocks to be asked for were unlinked.
    pub(crate) fn before_scan(&self) {
        before_scan();
    }

    /// Whether a thread protects `block`, or may be about to find that it came too late. If not, no thread will: the
    /// block can be freed.
    ///
    /// The block was unlinked from all pointers that it is protected through, then [`Hazards::before_scan`] was called.
    pub(crate) fn named<T>(&self, block: *mut T) -> bool {
        named(self.domain.shared(), self.lane, block)
    }
}

/// See [`Hazards::before_scan`].
pub(super) fn before_scan() {
    // (2)
    fence(Ordering::SeqCst);
}

/// See [`Hazards::named`].
pub(super) fn named<T>(shared: &Shared, lane: usize, block: *mut T) -> bool {
    let slots = shared.threads.iter().flat_map(|record| &record.value.lanes.0[lane].slots);
    // (4) Acquire: pairs with (3).
    slots.map(|slot| slot.load(Ordering::Acquire)).any(|named| ptr::eq(named, block.cast()))
}

/// The calling thread's slots for one container.
pub(crate) struct Lane<'a> {
    slots: *const Slots,
    member: Member,
    hazards: PhantomData<&'a Hazards>,
}

impl Lane<'_> {
    #[inline(always)]
    fn slots(&self) -> &Slots {
        // SAFETY: a part of the member's record.
        unsafe { &*self.slots }
    }

    #[inline(always)]
    fn slot(&self, role: Role) -> &AtomicPtr<()> {
        &self.slots().slots[role as usize]
    }

    /// Loads `source` and protects what it points to, until this thread protects something else in this role.
    ///
    /// Progress: lock-free: it repeats only when the container has moved on to another block.
    #[inline]
    pub(crate) fn protect<T>(&self, role: Role, source: &AtomicPtr<T>) -> *mut T {
        // Acquire: the block's contents, as the container's own pairs say. After (1) of this slot it is also the load
        // that invariant 2 speaks of.
        let block = source.load(Ordering::Acquire);
        // Relaxed: only this thread writes the slot.
        if ptr::eq(self.slot(role).load(Ordering::Relaxed), block.cast()) {
            return block;
        }
        self.move_to(role, source, block)
    }

    /// What `source` points to, if this role protects that already.
    #[inline(always)]
    pub(crate) fn protected<T>(&self, role: Role, source: &AtomicPtr<T>) -> Option<*mut T> {
        // Acquire and Relaxed: as in `protect`.
        let block = source.load(Ordering::Acquire);
        // Relaxed: as in `protect`.
        ptr::eq(self.slot(role).load(Ordering::Relaxed), block.cast()).then_some(block)
    }

    /// Names `block` in this role. It is protected if a load that comes after this call finds that it is not unlinked:
    /// see invariant 2, where the container's pointer is whatever leads to the block.
    pub(crate) fn name_as<T>(&self, role: Role, block: *mut T) {
        // Relaxed: only this thread writes the slot.
        if !ptr::eq(self.slot(role).load(Ordering::Relaxed), block.cast()) {
            // (3) Release: ends the use of the block that was named before.
            self.slot(role).store(block.cast(), Ordering::Release);
            // (1)
            fence(Ordering::SeqCst);
        }
    }

    /// This thread does not use what it protects in this role any more.
    pub(crate) fn clear(&self, role: Role) {
        // (3)
        self.slot(role).store(ptr::null_mut(), Ordering::Release);
    }

    #[cold]
    fn move_to<T>(&self, role: Role, source: &AtomicPtr<T>, mut block: *mut T) -> *mut T {
        loop {
            // (3) Release: ends the use of the block that was named before.
            self.slot(role).store(block.cast(), Ordering::Release);
            // (1)
            fence(Ordering::SeqCst);
            // Acquire: as in `protect`.
            let now = source.load(Ordering::Acquire);
            if ptr::eq(now, block) {
                // Not `block`, which was loaded before it was named: that may be the pointer to a block that was freed, and
                // to whose address another one has come.
                return now;
            }
            block = now;
        }
    }

    /// A small number of the calling thread, or of this operation of a thread whose thread-local storage is gone: no other
    /// thread has it meanwhile. A thread that ends leaves its number, in the order of the registry's pair (1), to another.
    #[inline(always)]
    pub(crate) fn index(&self) -> usize {
        self.member.index()
    }

    /// Whether `block` is named. If so, and the container's pointer led to it *afterwards*, it is protected until this
    /// thread has named two other blocks.
    #[inline(always)]
    pub(crate) fn names<T>(&self, block: *mut T) -> bool {
        // Relaxed, both: only this thread writes the slots.
        ptr::eq(self.slot(Role::Head).load(Ordering::Relaxed), block.cast())
            || ptr::eq(self.slot(Role::Tail).load(Ordering::Relaxed), block.cast())
    }

    /// Names `block`, in a container whose blocks have one role, beside the one that was named last. The caller loads the
    /// container's pointer again: only if that leads to the block now, it is protected.
    #[cold]
    pub(crate) fn name_beside<T>(&self, block: *mut T) {
        // Relaxed: only this thread writes the slots.
        let last = self.slot(Role::Head).load(Ordering::Relaxed);
        // (3) Release, both: the first ends the use of the block that it overwrites; the second lets a scan, which looks
        // at the slots in this order, find `last` in one of them.
        self.slot(Role::Tail).store(last, Ordering::Release);
        // (3) as above.
        self.slot(Role::Head).store(block.cast(), Ordering::Release);
        // (1)
        fence(Ordering::SeqCst);
    }

    /// The operation is complete; it got the `n` numbers from `number` on of the counter at the end that `role` says.
    /// May pause for a moment: see [`Pace`].
    #[inline(always)]
    pub(crate) fn step(&self, role: Role, number: usize, n: usize) {
        // In a model a pause is only more to explore.
        if cfg!(not(loom)) {
            self.slots().pace.step(role as usize, number, n);
        }
    }

    /// The operation is complete; it won the exchange of this number in a container with one counter of them. May pause for
    /// a moment: see [`Pace`].
    #[inline(always)]
    pub(crate) fn won(&self, number: u64) {
        if cfg!(not(loom)) {
            self.slots().pace.won(number as usize);
        }
    }

    /// [`Lane::won`], of a container with a counter at each of many places.
    #[inline(always)]
    pub(crate) fn won_at(&self, place: u16, number: u16) {
        if cfg!(not(loom)) {
            self.slots().pace.won_at(place, number);
        }
    }

    /// [`Lane::won`], after this thread has asked for a turn.
    #[cold]
    pub(crate) fn begin_turn(&self, number: u64) {
        if cfg!(not(loom)) {
            self.slots().pace.begin_turn(number as usize);
        }
    }

    /// The operation is complete, and another thread asks for a turn: pauses for it, or answers false. See [`Pace`].
    #[cold]
    pub(crate) fn give_way(&self) -> bool {
        cfg!(not(loom)) && self.slots().pace.give_way()
    }

    /// The operation is complete; it found nothing. May pause for a moment: see [`Pace`].
    pub(crate) fn found_nothing(&self, role: Role) {
        if cfg!(not(loom)) {
            self.slots().pace.found_nothing(role as usize);
        }
    }

    /// The operation is complete; it found nothing, and this thread has got `got` elements ever. May pause for a moment: see
    /// [`Pace`].
    #[cold]
    pub(crate) fn found_nothing_after(&self, got: usize) {
        if cfg!(not(loom)) {
            self.slots().pace.found_nothing_after(Role::Tail as usize, got);
        }
    }

    /// This thread does not use `block` any more, in whatever role.
    pub(crate) fn leave<T>(&self, block: *mut T) {
        self.slots().leave(block.cast());
    }
}
