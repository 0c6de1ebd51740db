//! One operation's stand in one bucket: what it has reserved there, and the header changes it makes.

use super::bucket::{Bucket, CELLS, Pair};
use super::engine::Engine;
use super::header::{Header, NodeChange};
use super::memory::{Codec, retire_node};
use super::node::{Node, NodeBox};
use crate::mem::NoMemory;
use crate::reclaim::Pinned;
use crate::sync::spin_loop;

/// How often an operation looks again for a cell that another one is about to give back, before it takes the way that
/// needs none.
const PATIENCE: usize = if cfg!(loom) { 0 } else { 24 };

/// What a header change does to the bucket's overflow node.
#[derive(Clone, Copy, Debug)]
pub(super) enum NodeEdit {
    Keep,
    /// Takes out the entry at this index.
    Remove(usize),
    /// Gives the entry at this index this value.
    Replace(usize, u64),
    /// Puts this entry in.
    Add(Pair),
    /// Both.
    ReplaceAndAdd(usize, u64, Pair),
    /// Takes out everything.
    Clear,
}

/// See the module's text. Dropping it gives back what is still reserved, and retires the nodes that its changes took out
/// of the header: last, because that can run users' destructors, which can panic.
pub(super) struct Room<'a, C: Codec> {
    engine: &'a Engine<C>,
    pinned: &'a Pinned,
    pub(super) bucket: &'a Bucket,
    /// A reserved cell.
    cell: Option<usize>,
    /// Whether the free lane is this operation's: CLAIMED is set, and by it.
    claimed: bool,
    /// Nodes that are no longer in the header: of the claim, of a value that went home, and of the change itself or of giving
    /// the claim back.
    replaced: [Option<*const Node>; 3],
}

impl<'a, C: Codec> Room<'a, C> {
    pub(super) fn new(engine: &'a Engine<C>, pinned: &'a Pinned, bucket: &'a Bucket) -> Self {
        Self { engine, pinned, bucket, cell: None, claimed: false, replaced: [None; 3] }
    }

    /// The stand of an operation that has set CLAIMED and cannot use it.
    #[cold]
    pub(super) fn claimed(engine: &'a Engine<C>, pinned: &'a Pinned, bucket: &'a Bucket) -> Self {
        Self { claimed: true, ..Self::new(engine, pinned, bucket) }
    }

    /// The reserved cell; tries to reserve one if there is none. A header that was loaded before a successful call must
    /// be loaded again: only a later one tells the cell's lane. `patient`: the operation has no other way without an
    /// allocation.
    pub(super) fn cell(&mut self, header: Header, patient: bool) -> Option<usize> {
        if self.cell.is_none() {
            self.cell = self.bucket.reserve(header);
            let waitable = patient && header.valid() != (1 << CELLS) - 1;
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

    /// Claims the free lane. The result is the new header, `None` if the bucket has changed.
    pub(super) fn claim(&mut self, header: Header) -> Result<Option<Header>, NoMemory> {
        let claimed = self.install(header, header.with_claim(true), NodeEdit::Keep)?;
        self.claimed = claimed.is_some();
        Ok(claimed)
    }

    /// Under the claim: brings the value of `borrower` home from the spare lane, which is free then. The result is the new
    /// header, `None` if the bucket has changed.
    pub(super) fn bring_home(
        &mut self,
        claimed: Header,
        borrower: usize,
    ) -> Result<Option<Header>, NoMemory> {
        debug_assert!(self.claimed);
        let home = self.bucket.bring_home(claimed, borrower);
        self.install(claimed, home, NodeEdit::Keep)
    }

    /// One attempt at the change that ends the operation: from `before` to the valid bits and lanes of `after`, with the
    /// given change of the node. It gives back the claim, and uses the reserved cell up if `uses_cell`. False: the
    /// bucket has changed, and nothing was done.
    #[inline]
    pub(super) fn commit(
        &mut self,
        before: Header,
        after: Header,
        edit: NodeEdit,
        uses_cell: bool,
    ) -> Result<bool, NoMemory> {
        let after = if self.claimed { after.with_claim(false) } else { after };
        let done = self.install(before, after, edit)?.is_some();
        if done {
            self.claimed = false;
            if uses_cell {
                self.cell = None;
            }
        }
        Ok(done)
    }

    #[inline]
    fn install(&mut self, before: Header, after: Header, edit: NodeEdit) -> Result<Option<Header>, NoMemory> {
        if matches!(edit, NodeEdit::Keep) && !before.is_spent() {
            let after = after.after(before, NodeChange::Keep);
            return Ok(self.bucket.exchange(before, after).then_some(after));
        }
        self.install_node(before, after, edit)
    }

    #[cold]
    fn install_node(
        &mut self,
        before: Header,
        after: Header,
        edit: NodeEdit,
    ) -> Result<Option<Header>, NoMemory> {
        let (old, version) = match before.node() {
            None => (&[][..], before.version()),
            Some(node) => {
                // SAFETY: the header named the node while this thread was pinned.
                let version = unsafe { Node::version(node) };
                // SAFETY: as above; used during this call only.
                (unsafe { Node::pairs(node) }, version)
            }
        };
        let (removed, replaced, added) = match edit {
            NodeEdit::Keep | NodeEdit::Clear => (None, None, None),
            NodeEdit::Remove(index) => (Some(index), None, None),
            NodeEdit::Replace(index, value) => (None, Some((index, value)), None),
            NodeEdit::Add(pair) => (None, None, Some(pair)),
            NodeEdit::ReplaceAndAdd(index, value, pair) => (None, Some((index, value)), Some(pair)),
        };
        let len = match edit {
            NodeEdit::Clear => 0,
            _ => old.len() - usize::from(removed.is_some()) + usize::from(added.is_some()),
        };
        let mut fresh = None;
        if len > 0 {
            let fresh = fresh.insert(NodeBox::new(self.engine.allocator(), version, len)?);
            for (index, &pair) in old.iter().enumerate() {
                match replaced {
                    Some((at, value)) if at == index => fresh.push(Pair { value, ..pair }),
                    _ if removed == Some(index) => {}
                    _ => fresh.push(pair),
                }
            }
            added.into_iter().for_each(|pair| fresh.push(pair));
        }
        let change = match (&fresh, before.node()) {
            (Some(fresh), _) => NodeChange::Set(fresh.as_ptr()),
            (None, Some(_)) => NodeChange::Clear(version),
            (None, None) => NodeChange::Keep,
        };
        let after = after.after(before, change);
        if !self.bucket.exchange(before, after) {
            return Ok(None);
        }
        let mut bytes = 0;
        if let Some(fresh) = fresh {
            fresh.publish();
            bytes += Node::bytes(len).cast_signed();
        }
        if let Some(node) = before.node() {
            bytes -= Node::bytes(old.len()).cast_signed();
            let slot = self.replaced.iter_mut().find(|slot| slot.is_none());
            *slot.expect("a claim and two more changes at most") = Some(node);
        }
        self.engine.count_bytes(self.pinned, bytes);
        Ok(Some(after))
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
                && matches!(self.install(header, header.with_claim(false), NodeEdit::Keep), Ok(None));
        }
        for node in self.replaced.into_iter().flatten() {
            // SAFETY: a change of this operation took it out of the header, where it was published once; this thread
            // was pinned when it was there, so it is not freed.
            let len = unsafe { Node::pairs(node) }.len();
            // SAFETY: as above: unlinked, by this thread, and retired here only.
            unsafe { retire_node(&self.engine.limbo, self.pinned, node, len) };
        }
    }
}
