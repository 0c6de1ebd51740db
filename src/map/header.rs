//! The header word of a bucket: the one word that decides.
//!
//! ```text
//!  63    61 60 54 53     48 47                        4   3       2      1      0
//! ┌────────┬─────┬─────────┬───────────────────────────┬───────┬───────┬───────┬────────┐
//! │  lent  │valid│          version: 50 bits           │CLAIMED│MIXED=0│ MOVED │ FROZEN │  plain
//! ├────────┼─────┼─────────┬───────────────────────────┼───────┼───────┼───────┼────────┤
//! │  lent  │valid│ count:6 │ node address, bits 4..48  │CLAIMED│MIXED=1│ MOVED │ FROZEN │  mixed
//! └────────┴─────┴─────────┴───────────────────────────┴───────┴───────┴───────┴────────┘
//! ```
//!
//! `lent` is the one cell, counted from 1, whose value is in the spare lane, or 0: then the spare lane is free.
//!
//! | word | meaning |
//! |---|---|
//! | 0 | virgin: an empty bucket in a table that was born as the current one, "not migrated yet" in a successor |
//! | not FROZEN | live: changes by compare-and-swap only |
//! | FROZEN | immutable but for MOVED; a migration copies the contents out |
//! | FROZEN, MOVED | the contents live in the next table |
//!
//! *No header value repeats while a thread that saw it is pinned.* Every successful change of a plain header adds one to
//! the version. A mixed header is named by its node, whose address cannot come again under a pin, and a count of the
//! changes under this node; when the count is used up, the next change installs a fresh copy of the node. A node keeps
//! the version for the way back to plain.

use core::ptr;

use super::bucket::{CELLS, SPARE};
use super::node::Node;

const FROZEN: u64 = 1;
const MOVED: u64 = 1 << 1;
const MIXED: u64 = 1 << 2;
const CLAIMED: u64 = 1 << 3;
const FLAGS: u64 = FROZEN | MOVED | MIXED | CLAIMED;

const VERSION_SHIFT: u32 = 4;
const VERSION_BITS: u32 = 50;
const VERSION_MASK: u64 = ((1 << VERSION_BITS) - 1) << VERSION_SHIFT;

/// A node's address: 16-aligned, so its low four bits are free for the flags.
const ADDRESS_MASK: u64 = ((1 << 48) - 1) & !FLAGS;
const COUNT_SHIFT: u32 = 48;
const COUNT_MAX: u64 = if cfg!(loom) {
    1
} else if cfg!(miri) {
    5
} else {
    COUNT_MASK
};
const COUNT_MASK: u64 = (1 << (VALID_SHIFT - COUNT_SHIFT)) - 1;

const VALID_SHIFT: u32 = 54;
const VALID_MASK: u64 = ((1 << CELLS) - 1) << VALID_SHIFT;
const LENT_SHIFT: u32 = 61;
const LENT_MASK: u64 = 7 << LENT_SHIFT;

const _: () = assert!(CELLS <= 7, "seven valid bits, and three bits for one of them or none");
const _: () = assert!(VERSION_SHIFT + VERSION_BITS == VALID_SHIFT);

/// A value of the header word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header(u64);

/// What a change does to the overflow node.
#[derive(Clone, Copy, Debug)]
pub(super) enum NodeChange {
    /// Leave it, or the absence of one, as it is.
    Keep,
    /// Install this one.
    Set(*const Node),
    /// Back to plain; the version continues after this one.
    Clear(u64),
}

impl Header {
    /// What `fetch_or` adds to freeze a bucket.
    pub(super) const FREEZE: u64 = FROZEN;
    /// What `fetch_or` adds when the contents have moved.
    pub(super) const MOVE: u64 = MOVED;
    /// See the table of the module's text.
    pub(super) const VIRGIN: Self = Self(0);

    pub(super) const fn from_word(word: u64) -> Self {
        Self(word)
    }

    pub(super) const fn word(self) -> u64 {
        self.0
    }

    /// The first header of a bucket that a migration fills: `cells` entries in the first cells.
    pub(super) fn first(valid: usize, node: Option<*const Node>) -> Self {
        let header = Self(0).with_valid(valid);
        match node {
            None => Self(header.0 | 1 << VERSION_SHIFT),
            Some(node) => header.with_node(node),
        }
    }

    #[inline]
    pub(super) const fn is_virgin(self) -> bool {
        self.0 == 0
    }

    #[inline]
    pub(super) const fn is_frozen(self) -> bool {
        self.0 & FROZEN != 0
    }

    #[inline]
    pub(super) const fn is_moved(self) -> bool {
        self.0 & MOVED != 0
    }

    #[inline]
    pub(super) const fn is_claimed(self) -> bool {
        self.0 & CLAIMED != 0
    }

    #[inline]
    pub(super) const fn is_mixed(self) -> bool {
        self.0 & MIXED != 0
    }

    /// Neither frozen, nor such that one of the next three changes needs a fresh node.
    #[inline]
    pub(super) const fn is_simple(self) -> bool {
        self.0 & FROZEN == 0 && !(self.is_mixed() && self.count() + 2 >= COUNT_MAX)
    }

    /// Neither frozen nor mixed: the cells are all there is to the bucket, and they may be changed.
    #[inline]
    pub(super) const fn is_plain(self) -> bool {
        self.0 & (MIXED | FROZEN) == 0
    }

    /// One bit a cell: its entry exists.
    #[inline]
    pub(super) const fn valid(self) -> usize {
        ((self.0 & VALID_MASK) >> VALID_SHIFT) as usize
    }

    /// The lane of cell `cell`: its own, or the spare one.
    #[inline]
    pub(super) const fn lane(self, cell: usize) -> usize {
        debug_assert!(cell < CELLS);
        if self.lent() == cell + 1 { SPARE } else { cell + 1 }
    }

    /// The lane that no cell has: the spare one, or that of the cell which has the spare one.
    #[inline]
    pub(super) const fn free_lane(self) -> usize {
        self.lent()
    }

    /// Counted from 1, the cell that has the spare lane.
    #[inline]
    const fn lent(self) -> usize {
        (self.0 >> LENT_SHIFT) as usize
    }

    /// Whether the value of `cell` is in the spare lane.
    #[inline(always)]
    pub(super) const fn has_spare(self, cell: usize) -> bool {
        self.lent() == cell + 1
    }

    /// Whether the free lane can be the lane of `cell`: it is spare, or the cell's own.
    #[inline]
    pub(super) const fn can_swap(self, cell: usize) -> bool {
        self.lent() == 0 || self.lent() == cell + 1
    }

    /// The valid cell that has the spare lane, if there is one.
    #[inline]
    pub(super) const fn borrower(self) -> Option<usize> {
        match self.lent().checked_sub(1) {
            Some(cell) if self.valid() >> cell & 1 == 1 => Some(cell),
            _ => None,
        }
    }

    /// The overflow node, if there is one.
    #[inline]
    pub(super) fn node(self) -> Option<*const Node> {
        self.is_mixed().then(|| ptr::with_exposed_provenance((self.0 & ADDRESS_MASK) as usize))
    }

    /// The version of a plain header.
    pub(super) const fn version(self) -> u64 {
        (self.0 & VERSION_MASK) >> VERSION_SHIFT
    }

    /// Whether the next change of this header must install a fresh node.
    #[inline]
    pub(super) const fn is_spent(self) -> bool {
        self.is_mixed() && self.count() >= COUNT_MAX
    }

    /// The changes of a mixed header since its node was installed.
    #[inline]
    const fn count(self) -> u64 {
        (self.0 >> COUNT_SHIFT) & COUNT_MASK
    }

    #[inline]
    pub(super) const fn with_valid(self, valid: usize) -> Self {
        Self((self.0 & !VALID_MASK) | (valid as u64) << VALID_SHIFT)
    }

    #[inline]
    pub(super) const fn with_claim(self, claimed: bool) -> Self {
        Self(if claimed { self.0 | CLAIMED } else { self.0 & !CLAIMED })
    }

    /// Cell `cell` gets the free lane, and its old lane becomes the free one. Only where that [can be](Self::can_swap).
    #[inline]
    pub(super) const fn with_lane_swapped(self, cell: usize) -> Self {
        debug_assert!(self.can_swap(cell));
        Self(self.0 ^ (cell as u64 + 1) << LENT_SHIFT)
    }

    fn with_node(self, node: *const Node) -> Self {
        let address = node.expose_provenance() as u64;
        debug_assert!(address & !ADDRESS_MASK == 0, "`Node::new` checks this");
        Self((self.0 & (VALID_MASK | LENT_MASK | CLAIMED)) | address | MIXED)
    }

    /// The header that follows `before` in the order of changes, with the valid bits, lane and claim of `self`.
    /// Not for a spent header with [`NodeChange::Keep`].
    #[inline]
    pub(super) fn after(self, before: Self, node: NodeChange) -> Self {
        debug_assert!(!before.is_frozen());
        match node {
            NodeChange::Keep if before.is_mixed() => {
                debug_assert!(!before.is_spent());
                Self(self.0 + (1 << COUNT_SHIFT))
            }
            NodeChange::Keep => self.with_version(before.version() + 1),
            NodeChange::Set(node) => self.with_node(node),
            NodeChange::Clear(version) => {
                Self(self.0 & (VALID_MASK | LENT_MASK | CLAIMED)).with_version(version + 1)
            }
        }
    }

    #[inline]
    const fn with_version(self, version: u64) -> Self {
        let word = (self.0 & !VERSION_MASK) | (version << VERSION_SHIFT & VERSION_MASK);
        // After 2^50 changes of one bucket the version starts over, but never as the virgin word.
        Self(if word == 0 { 1 << VERSION_SHIFT } else { word })
    }

    /// Whether a node at this address can be named by a header.
    pub(super) fn can_name(node: *const Node) -> bool {
        node.addr() as u64 & !ADDRESS_MASK == 0
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::map::bucket::LANES;

    #[test]
    fn zero_is_the_identity_with_the_spare_lane_free() {
        let h = Header::VIRGIN;
        assert!((0..CELLS).all(|c| h.lane(c) == c + 1 && h.can_swap(c)));
        assert_eq!((h.free_lane(), h.valid(), h.borrower()), (SPARE, 0, None));
    }

    #[test]
    fn one_cell_at_a_time_has_the_spare_lane() {
        let mut h = Header::VIRGIN.with_valid((1 << CELLS) - 1);
        for step in 0..1000_usize {
            let cell = (step * 7 + step / 3) % CELLS;
            if !h.can_swap(cell) {
                let borrower = h.borrower().unwrap();
                assert!(borrower != cell && h.lane(borrower) == SPARE);
                assert_eq!(h.with_valid(0).borrower(), None);
                h = h.with_lane_swapped(borrower);
                assert_eq!((h.lane(borrower), h.free_lane()), (borrower + 1, SPARE));
            }
            let (old, free) = (h.lane(cell), h.free_lane());
            h = h.with_lane_swapped(cell).after(h, NodeChange::Keep);
            assert_eq!((h.lane(cell), h.free_lane()), (free, old));
            let mut seen: Vec<_> = (0..CELLS).map(|c| h.lane(c)).chain([h.free_lane()]).collect();
            seen.sort_unstable();
            assert_eq!(seen, (0..LANES).collect::<Vec<_>>());
            assert_eq!((h.version(), h.valid()), (step as u64 + 1, (1 << CELLS) - 1));
        }
    }

    #[test]
    fn a_wrapped_version_is_not_virgin() {
        let last = Header(VERSION_MASK);
        assert!(!last.after(last, NodeChange::Keep).is_virgin());
    }

    #[test]
    fn mixed_headers_count_and_come_back_to_plain() {
        let node = ptr::without_provenance::<Node>(0xffff_ffff_fff0);
        let h = Header::VIRGIN.with_valid(0b101).with_lane_swapped(1).with_claim(true);
        let mut m = h.after(Header::VIRGIN, NodeChange::Set(node));
        for _ in 0..COUNT_MAX {
            assert!(!m.is_spent());
            assert!(
                !m.is_simple() || !m.after(m, NodeChange::Keep).after(m, NodeChange::Keep).is_spent(),
                "room for a claim, a value that goes home, and a change"
            );
            assert_eq!(m.node().map(<*const Node>::addr), Some(node.addr()));
            assert_eq!((m.valid(), m.lane(1), m.is_claimed()), (0b101, SPARE, true));
            m = m.after(m, NodeChange::Keep);
        }
        assert!(m.is_spent() && !m.is_simple());
        let plain = m.with_claim(false).after(m, NodeChange::Clear(41));
        assert_eq!((plain.version(), plain.valid(), plain.is_mixed()), (42, 0b101, false));
        assert_eq!(plain.lane(1), SPARE);
    }
}
