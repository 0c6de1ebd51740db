//! Where the slots of a segment lie, and how large segments are.
//!
//! Slots come in groups. A group is a word with two bits of state for each of its slots, and behind it the elements:
//!
//! ```text
//!  segment ─► Header | state word, element 0 … element 7 | state word, element 8 … element 15 | …
//! ```
//!
//! State and elements stand together so that a push or pop of a small element touches one or two cache lines for them,
//! and a batch publishes a whole group with one exchange. Seven words and their state would be one line exactly; that makes
//! a round trip of two threads an eighth shorter, but a push and pop of one thread a tenth longer, and batches a third,
//! because numbers have to be divided by seven.

use core::alloc::Layout;

use super::segment::Header;
use crate::mem::{NoMemory, Slot};
use crate::sync::AtomicUsize;

/// Bytes of the first segment, about: a queue that is never filled stays small.
const FIRST_BYTES: usize = 1024;
/// Bytes of the largest segments, about. Large enough that the costs of a new segment (some hundred nanoseconds) are
/// nothing per element, small enough that the few segments a thread can hold back do not matter.
const LARGEST_BYTES: usize = 16 * 1024;
/// A segment has at least this many slots, unless that makes it larger than [`ENOUGH_BYTES`].
const FEWEST: usize = 16;
const ENOUGH_BYTES: usize = 1 << 20;

/// Geometry of the segments of one queue.
#[derive(Clone, Copy)]
pub(super) struct Shape<S> {
    pub(super) slot: S,
}

/// A slot's place: its group's state word, and its number in the group.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// Distance of the state word from the segment.
    pub(super) group: usize,
    /// Number in the group.
    pub(super) at: usize,
}

impl<S: Slot> Shape<S> {
    /// Logarithm of the slots of a group: 8 small elements share a line or two with their word, larger ones come by 16,
    /// the most a 32-bit word has room for.
    #[inline(always)]
    fn shift(self) -> u32 {
        if self.slot.layout().size() <= 8 { 3 } else { 4 }
    }

    /// Slots of a group.
    #[inline(always)]
    pub(super) fn group(self) -> usize {
        1 << self.shift()
    }

    #[inline(always)]
    fn align(self) -> usize {
        self.slot.layout().align().max(align_of::<AtomicUsize>())
    }

    /// Distance of a group's first element from its state word.
    #[inline(always)]
    fn elements(self) -> usize {
        size_of::<AtomicUsize>().next_multiple_of(self.align())
    }

    /// Distance of a group from the next.
    #[inline(always)]
    fn stride(self) -> usize {
        (self.elements() + (self.slot.layout().size() << self.shift())).next_multiple_of(self.align())
    }

    /// Distance of the first group from the segment.
    #[inline(always)]
    fn groups(self) -> usize {
        size_of::<Header>().next_multiple_of(self.align())
    }

    #[inline(always)]
    pub(super) fn place(self, index: usize) -> Place {
        Place {
            group: self.groups() + (index >> self.shift()) * self.stride(),
            at: index & (self.group() - 1),
        }
    }

    /// Distance of the element at `place` from the segment.
    #[inline(always)]
    pub(super) fn element(self, place: Place) -> usize {
        place.group + self.elements() + place.at * self.slot.layout().size()
    }

    /// The memory of a segment of `capacity` slots.
    pub(super) fn segment(self, capacity: usize) -> Result<Layout, NoMemory> {
        let element = self.slot.layout().size();
        // The usual case, without a check in `stride`: an element of at most half the address space over 16.
        let slots = element.checked_mul(self.group()).ok_or(NoMemory)?;
        isize::try_from(slots).ok().filter(|slots| *slots < isize::MAX / 2).ok_or(NoMemory)?;
        let whole = capacity >> self.shift();
        let rest = capacity & (self.group() - 1);
        // The last group is cut off behind its last slot.
        let last = if rest == 0 { 0 } else { self.elements() + rest * element };
        let size = whole.checked_mul(self.stride()).and_then(|size| size.checked_add(self.groups() + last));
        let align = self.align().max(align_of::<Header>());
        Layout::from_size_align(size.ok_or(NoMemory)?, align)
            .map(|layout| layout.pad_to_align())
            .map_err(|_| NoMemory)
    }

    /// How many slots segments have, from the first to the largest. `hint` is the user's wish, 0 for none.
    pub(super) fn capacities(self, hint: usize) -> Capacities {
        let element = self.slot.layout().size().max(1);
        let fewest = (ENOUGH_BYTES / element).clamp(1, FEWEST);
        if hint != 0 {
            let most = (ENOUGH_BYTES / element).max(fewest);
            let fixed = hint.min(most);
            return Capacities { first: fixed, largest: fixed };
        }
        let whole = |bytes: usize| (bytes / (element + 1)) & !(self.group() - 1);
        let first = whole(FIRST_BYTES).max((2 * FIRST_BYTES / element).clamp(1, fewest));
        Capacities { first, largest: whole(LARGEST_BYTES).max(fewest) }
    }
}

/// How many slots the segments of a queue have: each has twice as many as the one before, up to the largest.
#[derive(Clone, Copy, Debug)]
pub(super) struct Capacities {
    pub(super) first: usize,
    pub(super) largest: usize,
}

impl Capacities {
    pub(super) fn after(self, capacity: usize) -> usize {
        capacity.saturating_mul(2).min(self.largest)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::mem::{Blob, Typed};

    fn check<S: Slot>(slot: S) {
        let shape = Shape { slot };
        let size = slot.layout().size();
        for capacity in [1, 2, 7, 8, 9, 16, 17, 100] {
            let layout = shape.segment(capacity).expect("a small segment");
            let mut end = size_of::<Header>();
            for index in 0..capacity {
                let place = shape.place(index);
                if place.at == 0 {
                    assert!(place.group >= end, "a state word over an element");
                    assert_eq!(place.group % align_of::<AtomicUsize>(), 0);
                    end = place.group + size_of::<AtomicUsize>();
                }
                assert!(place.at * 2 + 1 < usize::BITS as usize, "no bits for the slot");
                assert!(shape.element(place) >= end, "an element over what stands before it");
                assert_eq!(shape.element(place) % slot.layout().align(), 0);
                end = shape.element(place) + size;
            }
            assert!(end <= layout.size(), "the last element ends outside the segment");
        }
    }

    #[test]
    fn slots_are_disjoint_aligned_and_inside() {
        check(Typed::<u64>::new());
        check(Typed::<()>::new());
        check(Typed::<u8>::new());
        check(Typed::<[u8; 3]>::new());
        check(Typed::<[u64; 8]>::new());
        #[repr(align(512))]
        struct Wide;
        check(Typed::<Wide>::new());
        for (size, align) in
            [(1, 1), (8, 8), (4, 4), (16, 16), (24, 8), (100, 4), (4096, 4096), (12288, 4096)]
        {
            check(Blob::new(Layout::from_size_align(size, align).expect("a layout")));
        }
    }

    #[test]
    fn sizes_are_within_bounds() {
        let words = Shape { slot: Typed::<u64>::new() };
        let capacities = words.capacities(0);
        assert!(words.segment(capacities.first).expect("small").size() < 2048);
        assert!(words.segment(capacities.largest).expect("small").size() < 17 * 1024);
        let huge = Shape { slot: Blob::new(Layout::from_size_align(1 << 30, 1).expect("a layout")) };
        assert_eq!(huge.capacities(0).largest, 1);
        assert_eq!(words.capacities(5).first, 5);
        assert!(huge.segment(usize::MAX / 4).is_err());
    }
}
