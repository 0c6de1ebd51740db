//! Two cache lines of the map: a header, cells of a key word and a value lane each, and a spare lane.
//!
//! ```text
//!      0        8       16       24       32       40       48       56       64
//!      ├────────┼────────┼────────┼────────┼────────┼────────┼────────┼────────┤
//!      │ header │ spare  │ key 0  │ lane 1 │ key 1  │ lane 2 │ key 2  │ lane 3 │
//!      ├────────┼────────┼────────┼────────┼────────┼────────┼────────┼────────┤
//!      │ key 3  │ lane 4 │ key 4  │ lane 5 │ key 5  │ lane 6 │ key 6  │ lane 7 │
//!      └────────┴────────┴────────┴────────┴────────┴────────┴────────┴────────┘
//! ```
//!
//! There is one lane more than cells, lane 0, the spare one: an update writes the new value into the lane that is free and
//! exchanges the two in the header, also when the bucket is full. The header has room to say of one cell that its value is
//! in the spare lane. Where that is another cell than the one to be updated, the update copies its value back first.
//!
//! Header and spare lane lie beside each other, so that a machine which can exchange two words exchanges them in one step.
//! Where several threads update one value, that is where it lives: an update is one exchange then, as that of a counter.
//!
//! A key word is FREE, RESERVED, or an entry's. It leaves FREE only by the compare-and-swap of a thread that reserves the
//! cell, and goes back to FREE only by that thread, or by the one whose header change made the cell invalid. Nobody else
//! stores to a cell, and nobody at all while it is valid; but for the spare lane, where that goes with the header.

use super::header::Header;
use super::node::Node;
#[cfg(doc)]
use crate::sync::can_exchange_two;
use crate::sync::{AtomicU64, Ordering, exchange_two, fence};

pub(super) use super::CELLS;
/// Value words of a bucket.
pub(super) const LANES: usize = CELLS + 1;
/// The lane that is no cell's own.
pub(super) const SPARE: usize = 0;

/// A key word nobody uses.
const FREE: u64 = 0;
/// A key word whose cell belongs to a thread that is about to write it.
const RESERVED: u64 = 1;

/// An entry as the engine sees it: two words, whose meaning is the codec's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) key: u64,
    pub(super) value: u64,
}

impl Pair {
    /// Whether the key word can stand in a cell: the marker words cannot, and live in overflow nodes.
    #[inline]
    pub(super) fn fits_a_cell(self) -> bool {
        self.key > RESERVED
    }
}

/// What a lookup looks for.
pub(super) trait Probe {
    /// The hash of the key, which decides where its entry lives.
    fn position(&self) -> u64;

    /// Whether an entry with this key word can be the one.
    fn may_be(&self, key: u64) -> bool;

    /// Whether an entry with this key word, for which `may_be` was true, is the one.
    ///
    /// # Safety
    /// The entry was in the map at some moment since the calling thread pinned.
    unsafe fn is(&self, entry: Pair) -> bool;

    /// The key word of an entry that is about to be inserted.
    fn key(&self) -> u64;

    /// Whether the entry, if there is one, has the key word `key`, and no other one has it.
    const EXACT: bool;
}

/// A probe for entries that are nothing but their two words: `is` follows no pointer, and asks for no pin.
pub(super) trait WordProbe: Probe {}

/// Where in a bucket an entry was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In this cell.
    Cell(usize),
    /// At this index of the overflow node.
    Node(usize),
}

/// An entry that was in the bucket while its header was the one that the search was given.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub(super) place: Place,
    pub(super) entry: Pair,
}

/// The header is no longer the one that was given; nothing that was read counts.
#[derive(Debug)]
pub(super) struct Stale;

/// See the module's text.
#[repr(C, align(128))]
pub(super) struct Bucket {
    slots: [Slot; LANES],
}

/// Of slot 0 the header and the spare lane; of the others a cell's key and its lane.
#[repr(C)]
struct Slot {
    word: AtomicU64,
    lane: AtomicU64,
}

#[cfg(not(loom))]
const _: () = assert!(size_of::<Bucket>() == 128 && core::mem::offset_of!(Slot, lane) == 8);

impl Bucket {
    /// What zeroed memory is, for the model checker, whose atomics are more than their bits.
    #[cfg(loom)]
    pub(super) fn new() -> Self {
        let slot = |_| Slot { word: AtomicU64::new(FREE), lane: AtomicU64::new(0) };
        Self { slots: core::array::from_fn(slot) }
    }

    #[inline(always)]
    fn header(&self) -> &AtomicU64 {
        &self.slots[0].word
    }

    #[inline(always)]
    fn key_word(&self, cell: usize) -> &AtomicU64 {
        debug_assert!(cell < CELLS);
        // The remainder changes nothing; it spares a check.
        &self.slots[(cell + 1) % LANES].word
    }

    #[inline(always)]
    fn lane_word(&self, lane: usize) -> &AtomicU64 {
        debug_assert!(lane < LANES);
        // As in `key_word`.
        &self.slots[lane % LANES].lane
    }

    /// A name of this bucket, which few others have as well.
    #[inline]
    pub(super) fn place(&self) -> u16 {
        (core::ptr::from_ref(self).addr() / size_of::<Self>()) as u16
    }

    #[inline]
    pub(super) fn load(&self) -> Header {
        // (1) Acquire: the cells, the node, the frozen contents or the next table that the header speaks of.
        Header::from_word(self.header().load(Ordering::Acquire))
    }

    /// The linearization point of every change: `from` becomes `to`, or nothing happens.
    #[inline]
    pub(super) fn exchange(&self, from: Header, to: Header) -> bool {
        // (1) AcqRel: Release publishes what the change refers to. Acquire makes the earlier changes, and what their
        // threads read, happen before this one, so that a cell read without validation was read before it is re-used.
        // Relaxed on failure: the caller loads again.
        self.header().compare_exchange(from.word(), to.word(), Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// [`Bucket::exchange`] and a new value in the spare lane, which has `old` under `from`, in one step.
    ///
    /// # Safety
    /// The machine [can](can_exchange_two).
    #[inline(always)]
    pub(super) unsafe fn exchange_with_spare(&self, from: Header, old: u64, to: Header, new: u64) -> bool {
        let words = core::ptr::from_ref(self).cast_mut().cast::<u64>();
        // (1), (2) AcqRel: as in `exchange`. The value needs no order of its own: it comes with the header.
        // SAFETY: the header and the spare lane are the first two words, aligned as the bucket is; the caller has asked.
        unsafe { exchange_two(words, [from.word(), old], [to.word(), new], Ordering::AcqRel) }
    }

    /// What is in the spare lane, to be validated.
    #[inline(always)]
    pub(super) fn spare(&self) -> u64 {
        // (2) Relaxed: as in `entry`.
        self.lane_word(SPARE).load(Ordering::Relaxed)
    }

    /// Freezes the bucket. From the returned header on, only MOVED changes.
    pub(super) fn freeze(&self) -> Header {
        let before = self.load();
        if before.is_frozen() {
            return before;
        }
        // (1) AcqRel: Acquire, because the contents are read now; Release continues the earlier changes' release
        // sequences and publishes the table's `next` to those who see FROZEN.
        let before = self.header().fetch_or(Header::FREEZE, Ordering::AcqRel);
        Header::from_word(before | Header::FREEZE)
    }

    /// Says that the contents live in the next table. True for the one call that changed it.
    pub(super) fn set_moved(&self) -> bool {
        // (1) Release: whoever sees MOVED sees the children that this thread saw or made live. Acquire: as in `freeze`.
        !Header::from_word(self.header().fetch_or(Header::MOVE, Ordering::AcqRel)).is_moved()
    }

    /// Whether everything read from the bucket since `header` was loaded was in it at one moment.
    #[inline]
    pub(super) fn validate(&self, header: Header) -> Result<(), Stale> {
        // (2) Acquire: if a word read before this fence was written after its cell left `header`'s bucket, the fence
        // synchronises with that Release store, and the load below sees the header change that came before it.
        fence(Ordering::Acquire);
        // Relaxed: ordered by the fence; the value is only compared.
        if self.header().load(Ordering::Relaxed) == header.word() { Ok(()) } else { Err(Stale) }
    }

    #[inline]
    fn key(&self, cell: usize) -> u64 {
        // (2) Relaxed: followed by `validate`, or by a header exchange that fails if the cell changed.
        self.key_word(cell).load(Ordering::Relaxed)
    }

    /// The entry of a valid cell, to be validated.
    #[inline]
    pub(super) fn entry(&self, header: Header, cell: usize) -> Pair {
        // (2) Relaxed: as in `key`.
        let value = self.lane_word(header.lane(cell)).load(Ordering::Relaxed);
        Pair { key: self.key(cell), value }
    }

    /// Looks for an entry under `header`, which the caller loaded while pinned.
    #[inline]
    pub(super) fn find<P: Probe>(&self, header: Header, probe: &P) -> Result<Option<Found>, Stale> {
        // SAFETY: the caller is pinned.
        if let Some(found) = unsafe { self.find_in_cells(header, probe) }? {
            return Ok(Some(found));
        }
        if let Some(node) = header.node() {
            // SAFETY: the header named the node while the caller was pinned, so it is not freed.
            let node = unsafe { Node::pairs(node) };
            if let Some(found) = find_in_node(node, probe) {
                // No validation: the node is immutable, and was the bucket's when the header was loaded.
                return Ok(Some(found));
            }
        }
        self.validate(header)?;
        Ok(None)
    }

    /// Looks for an entry in the cells, for a caller that need not be pinned. That one was found is validated, that none
    /// was is not. A mixed header may have repeated meanwhile: it is the caller's to see that it has not.
    #[inline(always)]
    pub(super) fn find_word<P: WordProbe>(&self, header: Header, probe: &P) -> Result<Option<Found>, Stale> {
        // SAFETY: such a probe looks at the words only.
        unsafe { self.find_in_cells(header, probe) }
    }

    /// An entry in a cell that may be the one, by its key word, if there is one. To be validated.
    #[inline(always)]
    pub(super) fn candidate<P: Probe>(&self, header: Header, probe: &P) -> Option<Pair> {
        let candidates = self.candidates(header, probe);
        (candidates != 0).then(|| self.entry(header, candidates.trailing_zeros() as usize))
    }

    /// The cells whose entry may be the one, by its key word. To be validated.
    ///
    /// All are looked at: a branch on what is in a line that is just coming would hold up the operations behind this one
    /// for as long as the line takes, whenever it was guessed wrong.
    #[inline(always)]
    fn candidates<P: Probe>(&self, header: Header, probe: &P) -> usize {
        let mut candidates = 0;
        for cell in 0..CELLS {
            candidates |= usize::from(probe.may_be(self.key(cell))) << cell;
        }
        candidates & header.valid()
    }

    /// Looks for an entry in the cells. That one was found is validated; that none was, is not.
    ///
    /// # Safety
    /// The caller loaded `header` while it was pinned, or the probe is a [`WordProbe`].
    #[inline(always)]
    unsafe fn find_in_cells<P: Probe>(&self, header: Header, probe: &P) -> Result<Option<Found>, Stale> {
        if P::EXACT {
            let mut at = CELLS;
            for cell in 0..CELLS {
                at = if self.key(cell) == probe.key() { cell } else { at };
            }
            if at == CELLS {
                return Ok(None);
            }
            // Not so, if it is of a cell that is being written, or has just been left: then there may be a valid one, too.
            if header.valid() >> at & 1 == 1 {
                let entry = self.entry(header, at);
                self.validate(header)?;
                return Ok(Some(Found { place: Place::Cell(at), entry }));
            }
        }
        let mut candidates = self.candidates(header, probe);
        while candidates != 0 {
            let cell = candidates.trailing_zeros() as usize;
            let entry = self.entry(header, cell);
            // Before the entry is looked into: what stands in a cell that is being re-used was never published.
            self.validate(header)?;
            // SAFETY: validated: the entry is in the map; the rest is the caller's promise.
            if unsafe { probe.is(entry) } {
                return Ok(Some(Found { place: Place::Cell(cell), entry }));
            }
            candidates &= candidates - 1;
        }
        Ok(None)
    }

    /// Reserves a cell that is not valid in `header`. It is the caller's until [`Bucket::free`], or until a header change
    /// of the caller makes it valid.
    #[inline]
    pub(super) fn reserve(&self, header: Header) -> Option<usize> {
        let mut invalid = !header.valid() & ((1 << CELLS) - 1);
        while invalid != 0 {
            let cell = invalid.trailing_zeros() as usize;
            invalid &= invalid - 1;
            if self.key(cell) == FREE {
                // (3) Acquire: the header change that made the cell invalid, and the last use of its lane, come before.
                // Relaxed on failure: nothing was learned.
                let reserved = self.key_word(cell).compare_exchange(
                    FREE,
                    RESERVED,
                    Ordering::Acquire,
                    Ordering::Relaxed,
                );
                if reserved.is_ok() {
                    return Some(cell);
                }
            }
        }
        None
    }

    /// Writes the key word of a cell that the caller has reserved.
    #[inline]
    pub(super) fn write_key(&self, cell: usize, key: u64) {
        // (2) Release: a reader that sees the word sees that its header is out of date.
        self.key_word(cell).store(key, Ordering::Release);
    }

    /// Writes a lane that is the caller's: of its reserved cell, or claimed.
    #[inline]
    pub(super) fn write_value(&self, lane: usize, value: u64) {
        // (2) Release: as in `write_key`.
        self.lane_word(lane).store(value, Ordering::Release);
    }

    /// Copies the value of `borrower`, which is in the spare lane, into the cell's own lane; that is the free one, and the
    /// caller's claim. The result is the header by which the spare lane becomes free, to be exchanged for `claimed`: if
    /// that succeeds, the cell was valid all the time, and what was read its value.
    #[inline]
    pub(super) fn bring_home(&self, claimed: Header, borrower: usize) -> Header {
        let value = self.entry(claimed, borrower).value;
        self.write_value(claimed.free_lane(), value);
        claimed.with_lane_swapped(borrower)
    }

    /// In a model: whether nobody has a cell reserved, or the lane claimed.
    #[cfg(all(test, loom))]
    pub(super) fn is_settled(&self) -> bool {
        let header = self.load();
        let settled = |cell| header.valid() >> cell & 1 == 1 || self.key(cell) == FREE;
        !header.is_claimed() && (0..CELLS).all(settled)
    }

    /// Gives a cell back: one that the caller reserved, or that its header change made invalid.
    #[inline]
    pub(super) fn free(&self, cell: usize) {
        // (2), (3) Release: whoever sees or takes the free cell sees the header change that made it invalid.
        self.key_word(cell).store(FREE, Ordering::Release);
    }
}

#[cold]
fn find_in_node<P: Probe>(node: &[Pair], probe: &P) -> Option<Found> {
    node.iter().enumerate().find_map(|(index, &entry)| {
        // SAFETY: nodes hold entries that were in the map when the header was loaded, under the caller's pin.
        (probe.may_be(entry.key) && unsafe { probe.is(entry) })
            .then_some(Found { place: Place::Node(index), entry })
    })
}
