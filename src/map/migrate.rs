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
use super::engine::{Engine, prefetch_bucket};
use super::header::Header;
use super::memory::{Codec, retire_node};
use super::node::{Node, NodeBox};
use super::table::Table;
use crate::mem::NoMemory;
use crate::reclaim::Pinned;
use crate::sync::Ordering;

/// Children that a chunk of a growth holds. Few, because an insert waits for them; but until a growth is over each operation on
/// a bucket that has moved looks at the old one first, and each change moves a chunk, so a map that has been filled and then
/// changes little stays slow if that happened in a growth. With so many, growth takes an eighth as many changes as the table had
/// buckets (a quarter, where it grows by four), and the time of a chunk, some microseconds, does not show in the thousandth
/// slowest insert: the system's pages do.
const CHILDREN: usize = if cfg!(loom) { 1 } else { 16 };
/// Parents that a chunk of a shrink holds: so many that the removals of the few entries that are left, one for two parents,
/// bring it to its end long before the map is empty.
const PARENTS: usize = if cfg!(loom) { 1 } else { 8 };

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
        if table.log2() <= next.log2() {
            // Growth: one parent.
            let parent = table.at(group);
            let header = parent.freeze();
            if header.is_moved() {
                return Ok(());
            }
            // SAFETY: frozen, and pinned since before it was loaded.
            let contents = unsafe { Frozen::read(parent, header) };
            // A hash of the parent's.
            let near = table.first_of(group);
            let codec = self.codec();
            for child in next.members(table.log2(), group) {
                let source = Share {
                    contents,
                    belongs: |entry: Pair| {
                        next.index(codec.position_near(entry.key, near, table.log2(), next.log2())) == child
                    },
                };
                self.fill(pinned, next.at(child), &source)?;
            }
            self.leave(pinned, parent);
            return Ok(());
        }
        let parents = table.members(next.log2(), group);
        // All, not any: a thread that has set MOVED on some parents may be stalled before the others.
        if parents.clone().all(|parent| table.at(parent).load().is_moved()) {
            return Ok(());
        }
        parents.clone().for_each(|parent| _ = table.at(parent).freeze());
        self.fill(pinned, next.at(group), &Parents { table, parents: parents.clone() })?;
        parents.for_each(|parent| self.leave(pinned, table.at(parent)));
        Ok(())
    }

    /// Sets MOVED on a parent whose children are live.
    #[inline]
    fn leave(&self, pinned: &Pinned, parent: &Bucket) {
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

    /// Makes a child live, with all that its frozen parents hold for it, unless it is, or somebody else does.
    #[inline]
    fn fill(&self, pinned: &Pinned, child: &Bucket, source: &impl Source) -> Result<(), NoMemory> {
        if !child.load().is_virgin() {
            return Ok(());
        }
        let mut filling = Filling { bucket: child, reserved: 0, entries: [Pair::default(); CELLS] };
        let mut surplus = 0;
        source.visit(|entry| surplus += usize::from(!filling.reserve(entry)));
        // Loaded after the reservations: if the child is virgin now, the lanes of the reserved cells stay those that they
        // have in a virgin header until the cells are given back.
        if !child.load().is_virgin() {
            return Ok(());
        }
        filling.write();
        let node = if surplus == 0 { None } else { Some(self.surplus(source, &filling, surplus)?) };
        let header = Header::first(filling.reserved, node.as_ref().map(NodeBox::as_ptr));
        // The linearization point of nothing: the contents are the same before and after. Writers go on in the child.
        if child.exchange(Header::VIRGIN, header) {
            filling.reserved = 0;
            if let Some(node) = node {
                node.publish();
                self.count_bytes(pinned, Node::bytes(surplus).cast_signed());
            }
        }
        Ok(())
    }

    /// A node of the entries that have found no cell.
    #[cold]
    fn surplus(
        &self,
        source: &impl Source,
        filling: &Filling<'_>,
        surplus: usize,
    ) -> Result<NodeBox<'_>, NoMemory> {
        let mut node = NodeBox::new(self.allocator(), 1, surplus)?;
        source.visit(|entry| {
            if !filling.holds(entry) {
                node.push(entry);
            }
        });
        Ok(node)
    }

    /// Moves a share of a migration on, if there is one. Every writer does this after its own work.
    ///
    /// # Errors
    /// [`NoMemory`] for an overflow node. The next call tries again.
    pub(super) fn assist(&self, pinned: &Pinned, table: &Table) -> Result<(), NoMemory> {
        let Some(next) = table.next(pinned) else { return Ok(()) };
        let groups = table.groups(next);
        let chunk = if table.len() < next.len() {
            CHILDREN * groups / next.len()
        } else {
            PARENTS * groups / table.len()
        };
        let chunk = chunk.max(1);
        let progress = &table.progress;
        // Relaxed: a number to share out; what is done in its name is ordered by the headers.
        if progress.cursor.load(Ordering::Relaxed) < groups {
            // Relaxed: as above.
            let begin = progress.cursor.fetch_add(chunk, Ordering::Relaxed);
            if begin < groups {
                let end = groups.min(begin + chunk);
                for group in begin..end {
                    ask_for(table, next, group + 1);
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
        // Relaxed: what is below the mark is not looked at; the addition below acquires it.
        let mark = progress.mark.load(Ordering::Relaxed);
        let end = groups.min(mark + chunk);
        for group in mark..end {
            self.migrate(pinned, table, next, group)?;
        }
        // (6) AcqRel: as for `done`. It follows all that has set what the load saw.
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

/// Asks for the buckets of a group, which this thread is likely to move next.
fn ask_for(table: &Table, next: &Table, group: usize) {
    // The members of larger groups would push out more than they bring.
    if table.log2() < next.log2() && group < table.len() {
        prefetch_bucket(table.at(group));
        next.members(table.log2(), group).take(4).for_each(|child| prefetch_bucket(next.at(child)));
    }
}

/// What a frozen bucket contains.
#[derive(Clone, Copy)]
struct Frozen<'a> {
    cells: [Pair; CELLS],
    valid: usize,
    node: &'a [Pair],
}

impl<'a> Frozen<'a> {
    /// # Safety
    /// `header` is that of the bucket, and frozen; the caller was pinned before it was loaded, and is for `'a`.
    #[inline]
    unsafe fn read(bucket: &'a Bucket, header: Header) -> Self {
        debug_assert!(header.is_frozen());
        let node: &[Pair] = match header.node() {
            // SAFETY: a frozen header keeps its node until it is MOVED, and the caller has been pinned since before.
            Some(node) => unsafe { Node::pairs(node) },
            None => &[],
        };
        let cells = core::array::from_fn(|cell| bucket.entry(header, cell));
        Self { cells, valid: header.valid(), node }
    }

    #[inline]
    fn visit(&self, mut each: impl FnMut(Pair)) {
        let mut cells = self.valid;
        while cells != 0 {
            each(self.cells[cells.trailing_zeros() as usize]);
            cells &= cells - 1;
        }
        self.node.iter().for_each(|&pair| each(pair));
    }
}

/// The entries that a child gets: the same ones, in the same order, each time.
trait Source {
    fn visit(&self, each: impl FnMut(Pair));
}

/// Of one parent, those that belong to the child.
struct Share<'a, F> {
    contents: Frozen<'a>,
    belongs: F,
}

impl<F: Fn(Pair) -> bool> Source for Share<'_, F> {
    #[inline]
    fn visit(&self, mut each: impl FnMut(Pair)) {
        self.contents.visit(|entry| {
            if (self.belongs)(entry) {
                each(entry);
            }
        });
    }
}

/// Of several parents, all.
struct Parents<'a> {
    table: &'a Table,
    parents: core::ops::Range<usize>,
}

impl Source for Parents<'_> {
    fn visit(&self, mut each: impl FnMut(Pair)) {
        for parent in self.parents.clone().map(|parent| self.table.at(parent)) {
            // SAFETY: a source is made of frozen parents, by a thread that pinned before.
            unsafe { Frozen::read(parent, parent.load()) }.visit(&mut each);
        }
    }
}

/// What a helper has reserved in a virgin child. Dropping it gives the cells back.
struct Filling<'a> {
    bucket: &'a Bucket,
    reserved: usize,
    entries: [Pair; CELLS],
}

impl Filling<'_> {
    /// Reserves a cell for an entry. False: it cannot stand in one, or none is free: there are more entries than cells, or
    /// other helpers hold some.
    #[inline]
    fn reserve(&mut self, entry: Pair) -> bool {
        if !entry.fits_a_cell() {
            return false;
        }
        let Some(cell) = self.bucket.reserve(Header::VIRGIN.with_valid(self.reserved)) else {
            return false;
        };
        self.reserved |= 1 << cell;
        self.entries[cell] = entry;
        true
    }

    /// Writes the entries to the cells.
    #[inline]
    fn write(&self) {
        for cell in self.cells() {
            self.bucket.write_value(Header::VIRGIN.lane(cell), self.entries[cell].value);
            self.bucket.write_key(cell, self.entries[cell].key);
        }
    }

    fn holds(&self, entry: Pair) -> bool {
        self.cells().any(|cell| self.entries[cell] == entry)
    }

    #[inline]
    fn cells(&self) -> impl Iterator<Item = usize> {
        let reserved = self.reserved;
        (0..CELLS).filter(move |cell| reserved >> cell & 1 == 1)
    }
}

impl Drop for Filling<'_> {
    fn drop(&mut self) {
        self.cells().for_each(|cell| self.bucket.free(cell));
    }
}
