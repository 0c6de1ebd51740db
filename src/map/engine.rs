//! The engine: tables of buckets that hold pairs of words. Codecs give the words a meaning.

use core::ptr::NonNull;

use super::bucket::{Bucket, CELLS, Pair, Probe};
use super::count::Count;
use super::memory::{Codec, Memory};
use super::node::Node;
use super::resize::log2_for;
use super::table::{MAX_LOG2, MIN_LOG2, Table};
use crate::mem::{Allocator, NoMemory};
use crate::reclaim::{Domain, Hazards, Limbo, Pinned};
use crate::sync::{AtomicPtr, AtomicU64, AtomicUsize, Ordering};

/// See the module's text, and the map's.
pub(super) struct Engine<C: Codec> {
    pub(super) current: AtomicPtr<Table>,
    pub(super) limbo: Limbo<Memory<C>>,
    pub(super) hazards: Hazards,
    pub(super) growths: AtomicU64,
    pub(super) shrinks: AtomicU64,
    pub(super) count: Count,
    /// The power of two below which the map does not shrink by itself: what was reserved.
    pub(super) floor: AtomicUsize,
}

impl<C: Codec> Engine<C> {
    /// An empty map with room for `capacity` entries.
    pub(super) fn new(
        domain: &Domain,
        allocator: Allocator,
        codec: C,
        capacity: usize,
    ) -> Result<Self, NoMemory> {
        let log2 = Self::log2_for(capacity).ok_or(NoMemory)?;
        let hazards = Hazards::new(domain);
        let limbo = Limbo::new(domain, Memory::new(allocator, codec, hazards.number()))?;
        let table = Table::new(&limbo.memory().allocator, log2)?;
        Ok(Self {
            current: AtomicPtr::new(table.as_ptr()),
            limbo,
            hazards,
            growths: AtomicU64::new(0),
            shrinks: AtomicU64::new(0),
            count: Count::new(),
            floor: AtomicUsize::new(log2 as usize),
        })
    }

    /// The power of two of the smallest table that holds `entries` without growing.
    pub(super) fn log2_for(entries: usize) -> Option<u32> {
        let log2 = log2_for(entries)?.max(MIN_LOG2);
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
    /// Linearizes at its last header load; that of a frozen bucket counts like any other until MOVED is set, because
    /// nobody changes a child before.
    #[inline]
    pub(super) fn get<P: Probe>(&self, pinned: &Pinned, probe: &P) -> Option<Pair> {
        let mut table = self.table(pinned);
        loop {
            let bucket = table.bucket(probe.position());
            let header = bucket.load();
            if header.is_moved() {
                table = table.next(pinned).expect("a table has a next one before its first bucket is frozen");
            } else if let Ok(found) = bucket.find(header, probe) {
                return found.map(|found| found.entry);
            }
        }
    }

    /// Asks for the bucket of a hash, so that it is there when an operation comes.
    #[inline]
    pub(super) fn prefetch(&self, pinned: &Pinned, position: u64) {
        prefetch_bucket(self.table(pinned).bucket(position));
    }

    /// The entry that `probe` looks for, as far as a glance at its bucket tells: a guess, and not to be followed.
    #[inline]
    pub(super) fn guess<P: Probe>(&self, pinned: &Pinned, probe: &P) -> Option<Pair> {
        let bucket = self.table(pinned).bucket(probe.position());
        bucket.candidate(bucket.load(), probe)
    }

    /// Counts `by` more bytes of nodes and entries. May run the allocator's hook.
    #[inline]
    pub(super) fn count_bytes(&self, pinned: &Pinned, by: isize) {
        self.count.add_bytes(self.allocator(), pinned.shard(), by);
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
            // SAFETY: as above.
            let next = unsafe { at.next_ptr().as_ref() };
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
                        && next.is_some_and(|next| !next.bucket(position).load().is_virgin());
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
            table = NonNull::new(at.next_ptr());
        }
    }

    fn current_exclusive(&self) -> NonNull<Table> {
        // (5) Acquire: as in `table`.
        let table = self.current.load(Ordering::Acquire);
        // SAFETY: never null.
        unsafe { NonNull::new_unchecked(table) }
    }
}

impl<C: Codec> Drop for Engine<C> {
    fn drop(&mut self) {
        if C::OWNS {
            self.for_each_exclusive(|engine, pair| {
                // SAFETY: nobody uses the map any more, and each entry is visited once.
                unsafe { engine.codec().discard(engine.allocator(), pair) };
            });
        }
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
            table = NonNull::new(this.next_ptr());
            // SAFETY: in the chain of the current table, so not retired; nobody uses it any more.
            unsafe { Table::release(at.as_ptr(), self.allocator()) };
        }
        // What is parked goes with the limbo: a sweep of the domain may have it in its hands, and the limbo waits for that.
        // SAFETY: nobody counts any more: what the limbo disposes of from now on has been counted.
        unsafe { self.count.free(self.allocator()) };
    }
}

/// Asks for a bucket.
#[inline]
pub(super) fn prefetch_bucket(bucket: &Bucket) {
    prefetch_block(core::ptr::from_ref(bucket), size_of::<Bucket>());
}

/// Asks for a block of so many bytes, or for what the lines in flight have room for.
#[inline]
pub(super) fn prefetch_block<T>(block: *const T, bytes: usize) {
    for line in 0..bytes.div_ceil(64).min(4) {
        prefetch(block.cast::<u8>().wrapping_add(64 * line));
    }
}

/// Asks for the cache line at an address, which may be of nothing.
#[inline]
pub(super) fn prefetch<T>(line: *const T) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: every x86-64 processor has it, and it reads nothing as far as the program can tell.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.cast()) };
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = line;
}
