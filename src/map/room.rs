//! A place for a new value: what an operation has reserved in a bucket and must use or give back.

use super::bucket::Bucket;
use super::engine::{Engine, NodeEdit};
use super::header::Header;
use super::memory::Codec;
use crate::reclaim::Pinned;
use crate::sync::spin_loop;

/// How often an operation looks again for a cell that another one is about to give back, before it takes the way that
/// needs none.
const PATIENCE: usize = if cfg!(loom) { 0 } else { 24 };

/// Reservations of one operation in one bucket. Dropping it gives them back.
pub(super) struct Room<'a, C: Codec> {
    engine: &'a Engine<C>,
    pinned: &'a Pinned,
    pub(super) bucket: &'a Bucket,
    /// A reserved cell.
    cell: Option<usize>,
    /// Whether the free lane is this operation's: CLAIMED is set, and by it.
    claimed: bool,
}

impl<'a, C: Codec> Room<'a, C> {
    pub(super) fn new(engine: &'a Engine<C>, pinned: &'a Pinned, bucket: &'a Bucket) -> Self {
        Self { engine, pinned, bucket, cell: None, claimed: false }
    }

    /// The reserved cell; tries to reserve one if there is none. A header that was loaded before a successful call must
    /// be loaded again: only a later one tells the cell's lane.
    pub(super) fn cell(&mut self, header: Header) -> Option<usize> {
        if self.cell.is_none() {
            self.cell = self.bucket.reserve(header);
            let waitable = header.valid().count_ones() < super::bucket::CELLS as u32;
            let mut patience = if waitable { PATIENCE } else { 0 };
            while self.cell.is_none() && patience > 0 {
                // Not a wait for anybody: it ends, and then the overflow node takes the entry.
                spin_loop();
                patience -= 1;
                self.cell = self.bucket.reserve(header);
            }
        }
        self.cell
    }

    pub(super) fn has_cell(&self) -> bool {
        self.cell.is_some()
    }

    pub(super) fn has_claim(&self) -> bool {
        self.claimed
    }

    /// Sets CLAIMED: the free lane of the resulting header is this operation's until it clears it.
    pub(super) fn note_claim(&mut self) {
        self.claimed = true;
    }

    /// `header` without the claim, if the claim is this operation's. A change made with the result uses the claim up;
    /// call [`Room::spent`] then.
    pub(super) fn unclaimed(&self, header: Header) -> Header {
        if self.claimed { header.with_claim(false) } else { header }
    }

    /// A header change of this operation has cleared its claim, and has made the reserved cell valid if `cell_used`.
    pub(super) fn spent(&mut self, cell_used: bool) {
        self.claimed = false;
        if cell_used {
            self.cell = None;
        }
    }
}

impl<C: Codec> Drop for Room<'_, C> {
    fn drop(&mut self) {
        if let Some(cell) = self.cell {
            self.bucket.free(cell);
        }
        while self.claimed {
            let header = self.bucket.load();
            // A frozen bucket gives out no more lanes. Without memory for a fresh node, where the change needs one, the
            // lane stays withheld: updates go by way of cells and nodes then.
            self.claimed = !header.is_frozen()
                && matches!(
                    self.engine.install(
                        self.pinned,
                        self.bucket,
                        header,
                        header.with_claim(false),
                        NodeEdit::Keep
                    ),
                    Ok(None)
                );
        }
    }
}
