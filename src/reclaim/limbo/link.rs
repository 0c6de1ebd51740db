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
/// 32..64 how many units of 16 bytes. Both sums saturate; they feed statistics and the choice when to seal.
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

    pub(in crate::reclaim) fn bytes(self) -> u64 {
        (self.0 >> 32) * 16
    }

    /// `bytes` as they are counted: in whole units.
    pub(in crate::reclaim) fn units(bytes: usize) -> u64 {
        (bytes as u64).div_ceil(16).min(Self::UNITS_MAX)
    }

    /// The meta of a block of `kind` and `units` on top of a chain that says `self`.
    pub(in crate::reclaim) fn on_top(self, kind: u8, units: u64) -> Self {
        let count = (self.count() + 1).min(Self::COUNT_MAX);
        let units = ((self.0 >> 32) + units).min(Self::UNITS_MAX);
        Self(units << 32 | count << 3 | u64::from(kind & 7))
    }
}
