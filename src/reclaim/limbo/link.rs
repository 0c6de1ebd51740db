//! What stands before every block that can be retired.

use core::cell::Cell;
use core::ptr;

use crate::sync::AtomicPtr;

/// The head of every block that can be retired.
///
/// While the block is in use, `next` is the container's to use as it likes; from `retire` on both fields are the
/// limbo's.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) next: AtomicPtr<Link>,
    pub(super) meta: Cell<Meta>,
}

impl Link {
    pub(crate) fn new() -> Self {
        Self { next: AtomicPtr::new(ptr::null_mut()), meta: Cell::new(Meta(0)) }
    }

    pub(in crate::reclaim) fn meta(&self) -> Meta {
        self.meta.get()
    }

    /// The caller owns the block.
    pub(in crate::reclaim) fn set_meta(&self, meta: Meta) {
        self.meta.set(meta);
    }
}

/// What a block says of itself and of the blocks below it in its chain: bits 0..3 its kind, 3..32 how many blocks,
/// 32..64 how many units of 16 bytes. Both sums wrap: the choice when to seal looks at their low bits, and the statistics at
/// the difference from one block to the next.
#[derive(Clone, Copy, Debug)]
pub(in crate::reclaim) struct Meta(u64);

impl Meta {
    /// What a chain says that has no block.
    pub(in crate::reclaim) const NONE: Self = Self(0);

    const COUNT_MAX: u64 = (1 << 29) - 1;
    const UNITS_MAX: u64 = (1 << 32) - 1;

    pub(in crate::reclaim) fn kind(self) -> u8 {
        (self.0 & 7) as u8
    }

    pub(super) fn count(self) -> u64 {
        (self.0 >> 3) & Self::COUNT_MAX
    }

    fn sum_of_units(self) -> u64 {
        self.0 >> 32
    }

    /// How many bytes its block added to the chain that said `below`.
    pub(in crate::reclaim) fn bytes_above(self, below: Self) -> u64 {
        (self.sum_of_units().wrapping_sub(below.sum_of_units()) & Self::UNITS_MAX) * 16
    }

    /// Whether a block of `units` on top of the chain brought its bytes past a multiple of `step`, a power of two.
    pub(super) fn passed(self, units: u64, step: u64) -> bool {
        let step = step / 16;
        (self.sum_of_units() & (step - 1)) < units
    }

    /// `bytes` as they are counted: in whole units.
    pub(in crate::reclaim) fn units(bytes: usize) -> u64 {
        (bytes as u64).div_ceil(16).min(Self::UNITS_MAX)
    }

    /// The meta of a block of `kind` and `units` on top of a chain that says `self`.
    pub(in crate::reclaim) fn on_top(self, kind: u8, units: u64) -> Self {
        let count = (self.count() + 1) & Self::COUNT_MAX;
        let units = (self.sum_of_units() + units) & Self::UNITS_MAX;
        Self(units << 32 | count << 3 | u64::from(kind & 7))
    }
}
