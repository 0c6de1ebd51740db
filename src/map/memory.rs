//! What the map's limbo needs to free what was retired: the allocator, and the codec's word on entries.

use core::ptr::NonNull;

use super::bucket::Pair;
use super::node::Node;
use super::parked::Parked;
use super::table::Table;
use crate::mem::Allocator;
use crate::reclaim::{Dispose, Limbo, Link, Pinned, Spared};
use crate::sync::{AtomicUsize, Ordering, fence};

const TABLE: u8 = 0;
const NODE: u8 = 1;
/// Kinds of retired blocks from here on are the codec's.
pub(super) const CODEC: u8 = 2;

/// What two words mean: the one thing that differs between maps of small and of large entries.
///
/// # Safety
/// `dispose` must meet what [`Dispose`] asks for.
pub(super) unsafe trait Codec: Send + Sync + 'static {
    /// Whether entries own anything, so that a map that is dropped must discard them.
    const OWNS: bool;

    /// The hash of the entry with this key word: what [`Probe::position`](super::bucket::Probe) was when it was inserted.
    fn position(&self, key: u64) -> u64;

    /// A hash that begins with the same `bits` bits as [`Codec::position`], given one, `near`, that begins with the same
    /// `known` bits. Cheaper, where the key word tells the bits between.
    #[inline]
    fn position_near(&self, key: u64, _near: u64, _known: u32, _bits: u32) -> u64 {
        self.position(key)
    }

    /// Where a lookup reads first of what an entry points to: a hint, to ask for it ahead of time. The words may be of no
    /// entry.
    fn block(&self, entry: Pair) -> *const u8;

    /// Ends the life of a retired block of the codec's own kinds ([`CODEC`] and up).
    ///
    /// # Safety
    /// As [`Dispose::dispose`].
    unsafe fn dispose(&self, allocator: &Allocator, block: *mut Link, kind: u8);

    /// Ends the life of an entry of a map that is being dropped.
    ///
    /// # Safety
    /// The entry is in the map, nobody uses the map any more, and this is the only call for it.
    unsafe fn discard(&self, allocator: &Allocator, entry: Pair);
}

pub(super) struct Memory<C> {
    pub(super) allocator: Allocator,
    pub(super) codec: C,
    pub(super) parked: Parked,
    /// That of the map's hazards.
    lane: usize,
    /// Bytes of tables that were retired and not freed yet.
    retired_tables: AtomicUsize,
    /// How many nodes were freed.
    frees: AtomicUsize,
}

impl<C: Codec> Memory<C> {
    /// `lane` is that of the map's hazards.
    pub(super) fn new(allocator: Allocator, codec: C, lane: usize) -> Self {
        Self {
            allocator,
            codec,
            parked: Parked::new(),
            lane,
            retired_tables: AtomicUsize::new(0),
            frees: AtomicUsize::new(0),
        }
    }

    /// Counts a table that is being retired. The result is its size.
    fn count_retired(&self, table: NonNull<Table>) -> usize {
        // SAFETY: not freed: it is only now retired.
        let table = unsafe { table.as_ref() };
        table.note_retired();
        let bytes = Table::bytes(table.log2());
        // Relaxed: as in `retired_tables`.
        self.retired_tables.fetch_add(bytes, Ordering::Relaxed);
        bytes
    }

    /// Bytes of tables that readers still hold back.
    pub(super) fn retired_tables(&self) -> usize {
        // Relaxed: a matter of policy, not of safety.
        self.retired_tables.load(Ordering::Relaxed)
    }

    /// How many nodes were freed. As long as the number stays the same, none has come back at the address of another one:
    /// so a mixed header that is loaded after the number, and validated before it is asked for again, has not repeated.
    #[inline(always)]
    pub(super) fn frees(&self) -> usize {
        // (11) Acquire: whoever sees a free counted sees that its node has left the header.
        self.frees.load(Ordering::Acquire)
    }

    /// A node is about to be freed.
    pub(super) fn count_free(&self) {
        // (11) Release: the node has left the header, by what happened before its retirement.
        self.frees.fetch_add(1, Ordering::Release);
    }

    /// Whether there have been no more frees, for a caller that has validated a header since.
    #[inline(always)]
    pub(super) fn frees_are_still(&self, frees: usize) -> bool {
        // (11) Acquire: if the validated header names a node whose address has come back, this follows the header change
        // that installed it, and so the allocation, the free, and its count.
        fence(Ordering::Acquire);
        // Relaxed: ordered by the fence.
        self.frees.load(Ordering::Relaxed) == frees
    }
}

// SAFETY: tables and nodes are freed with the allocator, which lives in the limbo; the rest is the codec's promise.
unsafe impl<C: Codec> Dispose for Memory<C> {
    unsafe fn dispose(&self, block: *mut Link, kind: u8) {
        match kind {
            TABLE => {
                let table = block.cast::<Table>();
                // SAFETY: retired as a table, not freed yet.
                let bytes = Table::bytes(unsafe { (*table).log2() });
                // Relaxed: as in `retired_tables`.
                self.retired_tables.fetch_sub(bytes, Ordering::Relaxed);
                // SAFETY: retired once, by the winner of the exchange that unlinked it; its time has come.
                unsafe { Table::release(table, &self.allocator) };
            }
            NODE => {
                self.count_free();
                // SAFETY: retired once, by the thread whose header change replaced it or moved its bucket.
                unsafe { Node::release(block.cast(), &self.allocator) };
            }
            // SAFETY: the caller's promise, passed on.
            kind => unsafe { self.codec.dispose(&self.allocator, block, kind) },
        }
    }

    fn retire_spared(&self, spared: &Spared<'_>) -> bool {
        let is_named = |table| spared.is_named(self.lane, table);
        self.parked.settle(is_named, |table| {
            let bytes = self.count_retired(table);
            // SAFETY: it was parked, so it is unlinked; no slot names it, or nobody uses the map any more; and nobody else
            // has it. A table starts with a link.
            unsafe { spared.retire(table.as_ptr().cast(), TABLE, bytes) };
        })
    }
}

/// Retires a table.
///
/// # Safety
/// As [`Limbo::retire`]; the table came from the limbo's allocator.
pub(super) unsafe fn retire_table<C: Codec>(
    limbo: &Limbo<Memory<C>>,
    pinned: &Pinned,
    table: NonNull<Table>,
) {
    let bytes = limbo.memory().count_retired(table);
    // SAFETY: the caller's promise; a table starts with a link.
    unsafe { limbo.retire(pinned, table.as_ptr().cast(), TABLE, bytes) };
}

/// Retires a node.
///
/// # Safety
/// As [`Limbo::retire`]; the node came from the limbo's allocator.
pub(super) unsafe fn retire_node<C: Codec>(
    limbo: &Limbo<Memory<C>>,
    pinned: &Pinned,
    node: *const Node,
    len: usize,
) {
    // SAFETY: the caller's promise; a node starts with a link.
    unsafe { limbo.retire(pinned, node.cast_mut().cast(), NODE, Node::bytes(len)) };
}
