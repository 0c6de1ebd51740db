//! The number of entries, counted in shards so that threads do not meet on one line.
//!
//! Each shard holds a difference that may be negative; only their sum means something. It is exact while no operation
//! is under way, and an estimate otherwise. Orderings are Relaxed throughout: the numbers decide when to resize and what
//! to report, never what memory is safe to touch.

use crate::sync::{AtomicUsize, Ordering};

const SHARDS: usize = if cfg!(loom) { 1 } else { 16 };

#[repr(align(64))]
struct Shard {
    entries: AtomicUsize,
    bytes: AtomicUsize,
}

/// See the module's text.
pub(super) struct Count {
    shards: [Shard; SHARDS],
}

impl Count {
    pub(super) fn new() -> Self {
        let shard = |_| Shard { entries: AtomicUsize::new(0), bytes: AtomicUsize::new(0) };
        Self { shards: core::array::from_fn(shard) }
    }

    /// Counts `by` more entries; the result is this shard's new difference, a source of "from time to time".
    #[inline]
    pub(super) fn add(&self, shard: usize, by: isize) -> usize {
        let by = by.cast_unsigned();
        // Relaxed: see the module's text.
        self.shards[shard % SHARDS].entries.fetch_add(by, Ordering::Relaxed).wrapping_add(by)
    }

    /// Counts `by` more bytes of nodes and entries.
    #[inline]
    pub(super) fn add_bytes(&self, shard: usize, by: isize) {
        // Relaxed: see the module's text.
        self.shards[shard % SHARDS].bytes.fetch_add(by.cast_unsigned(), Ordering::Relaxed);
    }

    pub(super) fn entries(&self) -> usize {
        // Relaxed: see the module's text.
        total(self.shards.iter().map(|shard| shard.entries.load(Ordering::Relaxed)))
    }

    pub(super) fn bytes(&self) -> usize {
        // Relaxed: see the module's text.
        total(self.shards.iter().map(|shard| shard.bytes.load(Ordering::Relaxed)))
    }
}

/// The sum, or 0 when the additions and subtractions of running operations were seen in an order that makes it negative.
fn total(shards: impl Iterator<Item = usize>) -> usize {
    let sum = shards.fold(0_usize, usize::wrapping_add);
    if sum > usize::MAX / 2 { 0 } else { sum }
}
