//! The engine: tables of buckets that hold pairs of words. Codecs give the words a meaning.

use core::ptr::NonNull;

use super::bucket::{Bucket, CELLS, Pair, Probe};
use super::count::Count;
use super::header::{Header, NodeChange};
use super::memory::{Codec, Memory, retire_node};
use super::node::{Node, NodeBox};
use super::table::{MAX_LOG2, MIN_LOG2, Table};
use crate::mem::{Allocator, NoMemory};
use crate::reclaim::{Domain, Limbo, Pinned};
use crate::sync::{AtomicPtr, AtomicU64, Ordering};

/// See the module's text, and the map's.
pub(super) struct Engine<C: Codec> {
    pub(super) current: AtomicPtr<Table>,
    pub(super) limbo: Limbo<Memory<C>>,
    pub(super) growths: AtomicU64,
    pub(super) shrinks: AtomicU64,
    pub(super) count: Count,
}

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

impl<C: Codec> Engine<C> {
    /// An empty map with room for `capacity` entries.
    pub(super) fn new(domain: &Domain, allocator: Allocator, codec: C, capacity: usize) -> Result<Self, NoMemory> {
        let log2 = Self::log2_for(capacity).ok_or(NoMemory)?;
        let limbo = Limbo::new(domain, Memory::new(allocator, codec))?;
        let table = Table::new(&limbo.memory().allocator, log2)?;
        Ok(Self {
            current: AtomicPtr::new(table.as_ptr()),
            limbo,
            growths: AtomicU64::new(0),
            shrinks: AtomicU64::new(0),
            count: Count::new(),
        })
    }

    /// The power of two of the smallest table that holds `entries` without growing.
    pub(super) fn log2_for(entries: usize) -> Option<u32> {
        let buckets = entries.div_ceil(super::resize::LOAD_MAX).checked_next_power_of_two()?;
        let log2 = buckets.trailing_zeros().max(MIN_LOG2);
        (log2 <= MAX_LOG2).then_some(log2)
    }

    #[inline]
    pub(super) fn pin(&self) -> Pinned {
        self.limbo.pin()
    }

    #[inline]
    pub(super) fn codec(&self) -> &C {
        &self.limbo.memory().codec
    }

    #[inline]
    pub(super) fn allocator(&self) -> &Allocator {
        &self.limbo.memory().allocator
    }

    /// The table that operations begin with.
    #[inline]
    pub(super) fn table<'p>(&'p self, _pinned: &'p Pinned) -> &'p Table {
        // (5) Acquire: the table, and the headers that were made live in it before it became the current one.
        // SAFETY: never null; retired only after it was replaced here, so not freed while the caller is pinned.
        unsafe { &*self.current.load(Ordering::Acquire) }
    }

    /// The entry that `probe` looks for.
    ///
    /// Linearizes at its last header load, or at the load of the child's header that says that the frozen contents are
    /// still the truth.
    #[inline]
    pub(super) fn get<P: Probe>(&self, pinned: &Pinned, probe: &P) -> Option<Pair> {
        let bucket = self.table(pinned).bucket(probe.position());
        let header = bucket.load();
        if header.is_simple()
            && let Ok(found) = bucket.find(header, probe)
        {
            return found.map(|found| found.entry);
        }
        self.get_slow(pinned, probe)
    }

    #[cold]
    fn get_slow<P: Probe>(&self, pinned: &Pinned, probe: &P) -> Option<Pair> {
        let mut table = self.table(pinned);
        loop {
            let bucket = table.bucket(probe.position());
            let header = bucket.load();
            if header.is_frozen() {
                let next = table.next().expect("a frozen bucket's table has a next one: it was set before the freeze");
                let found = if header.is_moved() { Err(super::bucket::Stale) } else { bucket.find(header, probe) };
                // The frozen contents are the truth until the child that takes over is live.
                match found {
                    Ok(found) if next.bucket(probe.position()).load().is_virgin() => {
                        return found.map(|found| found.entry);
                    }
                    _ => table = next,
                }
                continue;
            }
            if let Ok(found) = bucket.find(header, probe) {
                return found.map(|found| found.entry);
            }
        }
    }

    /// One attempt to change a bucket from `before` to the valid bits, lanes and claim of `after`, with the given change
    /// of its node. The result is the new header. `None`: the bucket has changed, and nothing was done.
    #[inline]
    pub(super) fn install(
        &self,
        pinned: &Pinned,
        bucket: &Bucket,
        before: Header,
        after: Header,
        edit: NodeEdit,
    ) -> Result<Option<Header>, NoMemory> {
        if matches!(edit, NodeEdit::Keep) && !before.is_spent() {
            let after = after.after(before, NodeChange::Keep);
            return Ok(bucket.exchange(before, after).then_some(after));
        }
        self.install_node(pinned, bucket, before, after, edit)
    }

    #[cold]
    fn install_node(
        &self,
        pinned: &Pinned,
        bucket: &Bucket,
        before: Header,
        after: Header,
        edit: NodeEdit,
    ) -> Result<Option<Header>, NoMemory> {
        let old: &[Pair] = match before.node() {
            // SAFETY: the header named the node while this thread was pinned.
            Some(node) => unsafe { Node::pairs(node) },
            None => &[],
        };
        let version = match before.node() {
            // SAFETY: as above.
            Some(node) => unsafe { Node::version(node) },
            None => before.version(),
        };
        let (removed, replaced, added) = match edit {
            NodeEdit::Keep => (None, None, None),
            NodeEdit::Remove(index) => (Some(index), None, None),
            NodeEdit::Replace(index, value) => (None, Some((index, value)), None),
            NodeEdit::Add(pair) => (None, None, Some(pair)),
            NodeEdit::ReplaceAndAdd(index, value, pair) => (None, Some((index, value)), Some(pair)),
            NodeEdit::Clear => (None, None, None),
        };
        let len = match edit {
            NodeEdit::Clear => 0,
            _ => old.len() - usize::from(removed.is_some()) + usize::from(added.is_some()),
        };
        let fresh = if len == 0 {
            None
        } else {
            let mut fresh = NodeBox::new(self.allocator(), version, len)?;
            for (index, &pair) in old.iter().enumerate() {
                match replaced {
                    Some((at, value)) if at == index => fresh.push(Pair { value, ..pair }),
                    _ if removed == Some(index) => {}
                    _ => fresh.push(pair),
                }
            }
            added.into_iter().for_each(|pair| fresh.push(pair));
            Some(fresh)
        };
        let change = match (&fresh, before.node()) {
            (Some(fresh), _) => NodeChange::Set(fresh.as_ptr()),
            (None, Some(_)) => NodeChange::Clear(version),
            (None, None) => NodeChange::Keep,
        };
        let after = after.after(before, change);
        if !bucket.exchange(before, after) {
            return Ok(None);
        }
        let mut bytes = 0;
        if let Some(fresh) = fresh {
            fresh.publish();
            bytes += Node::bytes(len).cast_signed();
        }
        if let Some(node) = before.node() {
            bytes -= Node::bytes(old.len()).cast_signed();
            // SAFETY: this thread's exchange took it out of the header, where it was published once; pinned before.
            unsafe { retire_node(&self.limbo, pinned, node, old.len()) };
        }
        self.count.add_bytes(pinned.shard(), bytes);
        Ok(Some(after))
    }

    /// The number of entries: exact while nothing is under way, an estimate otherwise.
    pub(super) fn len(&self) -> usize {
        self.count.entries()
    }

    /// Calls `visit` for every entry, with the table it is in; for a map that nobody else uses.
    fn for_each_exclusive(&mut self, mut visit: impl FnMut(&Self, Pair)) {
        let mut table = Some(self.current_exclusive());
        while let Some(at) = table {
            // SAFETY: `current` and what follows it are alive until the engine's drop has freed them.
            let at = unsafe { at.as_ref() };
            for index in 0..at.len() {
                let bucket = at.at(index);
                let header = bucket.load();
                if header.is_moved() {
                    continue;
                }
                let mut entry = |pair: Pair| {
                    // In a half-done migration the entries of a live child are the child's.
                    let position = self.codec().position(pair.key);
                    let taken = header.is_frozen()
                        && at.next().is_some_and(|next| !next.bucket(position).load().is_virgin());
                    if !taken {
                        visit(self, pair);
                    }
                };
                (0..CELLS)
                    .filter(|cell| header.valid() >> cell & 1 == 1)
                    .for_each(|cell| entry(bucket.entry(header, cell)));
                if let Some(node) = header.node() {
                    // SAFETY: nobody else uses the map, so nothing that a header names was retired, unless MOVED.
                    unsafe { Node::pairs(node) }.iter().for_each(|&pair| entry(pair));
                }
            }
            table = at.next().map(NonNull::from);
        }
    }

    fn current_exclusive(&self) -> NonNull<Table> {
        // Acquire: as in `table`. SAFETY: never null.
        unsafe { NonNull::new_unchecked(self.current.load(Ordering::Acquire)) }
    }
}

impl<C: Codec> Drop for Engine<C> {
    fn drop(&mut self) {
        self.for_each_exclusive(|engine, pair| {
            // SAFETY: nobody uses the map any more, and each entry is visited once.
            unsafe { engine.codec().discard(engine.allocator(), pair) };
        });
        let mut table = Some(self.current_exclusive());
        while let Some(at) = table {
            // SAFETY: alive until the release below.
            let this = unsafe { at.as_ref() };
            for bucket in (0..this.len()).map(|index| this.at(index)) {
                let header = bucket.load();
                // The node of a bucket that has moved was retired.
                if let (false, Some(node)) = (header.is_moved(), header.node()) {
                    // SAFETY: nobody else uses the map; the header names it, so it was not retired.
                    unsafe { Node::release(node.cast_mut(), self.allocator()) };
                }
            }
            table = this.next().map(NonNull::from);
            // SAFETY: in the chain of the current table, so not retired; nobody uses it any more.
            unsafe { Table::release(at.as_ptr(), self.allocator()) };
        }
    }
}
