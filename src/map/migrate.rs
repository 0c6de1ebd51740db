//! Moving a table's entries to the next table: any thread, any bucket, any number of times, and nobody waits.
//!
//! The unit is the *group*: one parent bucket and its children when the table grows, one child and its parents when it
//! shrinks. A helper freezes the parents, after which their contents cannot change, prepares each child that is still
//! virgin, and makes it live by one exchange of its header from zero. However many helpers do this at once, one exchange
//! a child succeeds, and all of them would have installed the same entries. Then MOVED is set on the parents. No writer
//! goes on in a child before it has set, or seen, MOVED on all of the group: until then a live child is a mere copy, and
//! readers may answer from the frozen parents without looking further.
//!
//! Groups are handed out in chunks by a cursor. A thread that finds the cursor at the end walks over the groups from the
//! lowest one that is not known to be done, and does what a stalled thread has left.

use core::ptr::NonNull;

use super::bucket::{Bucket, CELLS, Pair};
use super::engine::Engine;
use super::header::Header;
use super::memory::{Codec, retire_node};
use super::node::{Node, NodeBox};
use super::table::Table;
use crate::mem::NoMemory;
use crate::reclaim::Pinned;
use crate::sync::Ordering;

/// Parents, or children if these are more, that a chunk holds.
const CHUNK: usize = if cfg!(loom) { 1 } else { 16 };

impl<C: Codec> Engine<C> {
    /// Sees to it that `group` of the migration from `table` to `next` is done.
    ///
    /// When it fails for lack of memory the group is as readable as before, and writers of its buckets fail likewise
    /// until there is memory for it.
    pub(super) fn migrate(
        &self,
        pinned: &Pinned,
        table: &Table,
        next: &Table,
        group: usize,
    ) -> Result<(), NoMemory> {
        let parents = || table.members(next.log2(), group).map(|index| table.at(index));
        // All, not any: a thread that has set MOVED on some parents may be stalled before the others.
        if parents().all(|parent| parent.load().is_moved()) {
            return Ok(());
        }
        for parent in parents() {
            parent.freeze();
        }
        for child in next.members(table.log2(), group) {
            if next.at(child).load().is_virgin() {
                self.fill(pinned, table, next, group, child)?;
            }
        }
        for parent in parents() {
            let header = parent.load();
            if !header.is_moved()
                && parent.set_moved()
                && let Some(node) = header.node()
            {
                // SAFETY: frozen headers keep their node, and this thread pinned before it read this one.
                let len = unsafe { Node::pairs(node) }.len();
                self.count_bytes(pinned, -Node::bytes(len).cast_signed());
                // SAFETY: for threads that pin from now on, MOVED sends them past the parent; exactly one call of
                // `set_moved` was the one.
                unsafe { retire_node(&self.limbo, pinned, node, len) };
            }
        }
        Ok(())
    }

    /// Makes a child live, with all that its frozen parents hold for it, unless somebody else does.
    fn fill(
        &self,
        pinned: &Pinned,
        table: &Table,
        next: &Table,
        group: usize,
        child: usize,
    ) -> Result<(), NoMemory> {
        let visit = |each: &mut dyn FnMut(Pair)| {
            for parent in table.members(next.log2(), group).map(|index| table.at(index)) {
                for_each_frozen(parent, |entry| {
                    if next.index(self.codec().position(entry.key)) == child {
                        each(entry);
                    }
                });
            }
        };
        let mut filling = Filling { bucket: next.at(child), valid: 0, placed: [Pair::default(); CELLS] };
        let mut surplus = 0;
        let mut live = false;
        visit(&mut |entry| match filling.put(entry) {
            Put::Placed => {}
            Put::NoCell => surplus += 1,
            Put::Live => live = true,
        });
        if live {
            return Ok(());
        }
        let node = if surplus == 0 {
            None
        } else {
            let mut node = NodeBox::new(self.allocator(), 1, surplus)?;
            visit(&mut |entry| {
                if !filling.holds(entry) {
                    node.push(entry);
                }
            });
            Some(node)
        };
        let header = Header::first(filling.valid, node.as_ref().map(NodeBox::as_ptr));
        // The linearization point of nothing: the contents are the same before and after. Writers go on in the child.
        if filling.bucket.exchange(Header::VIRGIN, header) {
            filling.valid = 0;
            if let Some(node) = node {
                node.publish();
                self.count_bytes(pinned, Node::bytes(surplus).cast_signed());
            }
        }
        Ok(())
    }

    /// Moves a share of a migration on, if there is one. Every writer does this after its own work.
    ///
    /// # Errors
    /// [`NoMemory`] for an overflow node. The next call tries again.
    pub(super) fn assist(&self, pinned: &Pinned, table: &Table) -> Result<(), NoMemory> {
        let Some(next) = table.next(pinned) else { return Ok(()) };
        let groups = table.groups(next);
        let chunk = (CHUNK * groups / table.len().max(next.len())).max(1);
        let progress = &table.progress;
        // Relaxed: a number to share out; what is done in its name is ordered by the headers.
        if progress.cursor.load(Ordering::Relaxed) < groups {
            // Relaxed: as above.
            let begin = progress.cursor.fetch_add(chunk, Ordering::Relaxed);
            if begin < groups {
                let end = groups.min(begin + chunk);
                for group in begin..end {
                    self.migrate(pinned, table, next, group)?;
                }
                // (6) AcqRel: the MOVED bits of these groups, and of those counted before, happen before whoever sees
                // the sum complete.
                if progress.done.fetch_add(end - begin, Ordering::AcqRel) + (end - begin) == groups {
                    self.finish(pinned, table);
                }
                return Ok(());
            }
        }
        // Everything is handed out. Whoever it was handed to may never come back, so it is looked through from the
        // lowest group that is not known to be done.
        // (6) Acquire: the MOVED bits below the mark.
        let mark = progress.mark.load(Ordering::Acquire);
        let end = groups.min(mark + chunk);
        for group in mark..end {
            self.migrate(pinned, table, next, group)?;
        }
        // (6) AcqRel: as for `done`.
        progress.mark.fetch_max(end, Ordering::AcqRel);
        if end == groups {
            self.finish(pinned, table);
        }
        Ok(())
    }

    /// Every bucket of `table` has moved: operations begin with its next table from now on.
    #[cold]
    fn finish(&self, pinned: &Pinned, table: &Table) {
        let old = core::ptr::from_ref(table).cast_mut();
        // (5) AcqRel: whoever begins with the new table sees its buckets live. Relaxed on failure: somebody else did it.
        let unlinked =
            self.current.compare_exchange(old, table.next_ptr(), Ordering::AcqRel, Ordering::Relaxed);
        // The pointer that was stored, not the one that was compared: it may be freed.
        if let Some(table) = unlinked.ok().and_then(NonNull::new) {
            // SAFETY: the exchange took it from the only place where a thread that pins, or looks for a table to protect,
            // from now on could find it, and succeeds once.
            unsafe { self.let_go(pinned, table) };
        }
    }
}

/// Calls `each` with every entry of a frozen bucket.
fn for_each_frozen(bucket: &Bucket, mut each: impl FnMut(Pair)) {
    let header = bucket.load();
    debug_assert!(header.is_frozen());
    (0..CELLS)
        .filter(|cell| header.valid() >> cell & 1 == 1)
        .for_each(|cell| each(bucket.entry(header, cell)));
    if let Some(node) = header.node() {
        // SAFETY: a frozen header keeps its node until it is MOVED, and the caller has been pinned since before.
        unsafe { Node::pairs(node) }.iter().for_each(|&pair| each(pair));
    }
}

/// What a helper has reserved and written in a virgin child. Dropping it gives the cells back.
struct Filling<'a> {
    bucket: &'a Bucket,
    valid: usize,
    placed: [Pair; CELLS],
}

enum Put {
    Placed,
    /// No cell is free: there are more entries than cells, or other helpers hold some.
    NoCell,
    /// The child is live already.
    Live,
}

impl Filling<'_> {
    fn put(&mut self, entry: Pair) -> Put {
        if !entry.fits_a_cell() {
            return Put::NoCell;
        }
        let Some(cell) = self.bucket.reserve(Header::VIRGIN.with_valid(self.valid)) else {
            return Put::NoCell;
        };
        self.valid |= 1 << cell;
        // Loaded after the reservation: if the child is virgin now, the lane of a cell that is reserved stays the one it
        // has in a virgin header until the cell is given back.
        if !self.bucket.load().is_virgin() {
            return Put::Live;
        }
        self.placed[cell] = entry;
        self.bucket.write_value(Header::VIRGIN.lane(cell), entry.value);
        self.bucket.write_key(cell, entry.key);
        Put::Placed
    }

    fn holds(&self, entry: Pair) -> bool {
        (0..CELLS).any(|cell| self.valid >> cell & 1 == 1 && self.placed[cell] == entry)
    }
}

impl Drop for Filling<'_> {
    fn drop(&mut self) {
        (0..CELLS).filter(|cell| self.valid >> cell & 1 == 1).for_each(|cell| self.bucket.free(cell));
    }
}
