//! Going through a map in the order of the hashes, region by region.
//!
//! A *region* is a range of hashes whose entries are known as of one moment: what is left, from some hash on, of the range
//! of one bucket. Regions in sequence cover every hash once, whatever resizes happen between them, because buckets of all
//! tables nest. So an entry that is present throughout is met exactly once, and the position between two regions, a single
//! number, is all the state there is.

use super::bucket::{CELLS, Pair};
use super::engine::{Engine, prefetch};
use super::memory::Codec;
use super::node::Node;
use crate::mem::NoMemory;
use crate::reclaim::Pinned;

/// How many regions are visited under one pin.
const RUN: usize = 16;
/// How many buckets ahead of the one that is visited the blocks of entries are asked for.
const AHEAD: u64 = 4;

/// The entries whose hashes are in `first..=last`, as of one moment.
pub(super) struct Region<'p> {
    first: u64,
    last: u64,
    /// Whether that is all of the bucket's range.
    whole: bool,
    cells: [Pair; CELLS],
    valid: usize,
    node: &'p [Pair],
}

impl Region<'_> {
    /// Calls `each` with every entry until it breaks.
    #[inline]
    pub(super) fn try_for_each<B>(
        &self,
        codec: &impl Codec,
        mut each: impl FnMut(Pair) -> core::ops::ControlFlow<B>,
    ) -> core::ops::ControlFlow<B> {
        let mut visit = |pair: Pair| {
            if self.whole || (self.first..=self.last).contains(&codec.position(pair.key)) {
                return each(pair);
            }
            core::ops::ControlFlow::Continue(())
        };
        let mut cells = self.valid;
        while cells != 0 {
            visit(self.cells[cells.trailing_zeros() as usize])?;
            cells &= cells - 1;
        }
        self.node.iter().try_for_each(|&pair| visit(pair))
    }

    /// Where the next region begins. `None`: this was the last one.
    pub(super) fn next(&self) -> Option<u64> {
        self.last.checked_add(1)
    }
}

impl<C: Codec> Engine<C> {
    /// The region that begins at `first`.
    ///
    /// Linearizes where a [`get`](Engine::get) of a key in it would.
    #[inline]
    pub(super) fn region<'p>(&'p self, pinned: &'p Pinned, first: u64) -> Region<'p> {
        let mut table = self.table(pinned);
        loop {
            let bucket = table.bucket(first);
            let header = bucket.load();
            if header.is_moved() {
                table = table.next(pinned).expect("a table has a next one before its first bucket is frozen");
                continue;
            }
            let cells = core::array::from_fn(|cell| bucket.entry(header, cell));
            let node: &[Pair] = match header.node() {
                // SAFETY: the header named the node while the caller was pinned, for at least `'p`.
                Some(node) => unsafe { Node::pairs(node) },
                None => &[],
            };
            if bucket.validate(header).is_ok() {
                let last = table.last_of(first);
                return Region {
                    first,
                    last,
                    whole: table.is_first(first),
                    cells,
                    valid: header.valid(),
                    node,
                };
            }
        }
    }

    /// Asks for the blocks of a bucket's entries, some buckets ahead. It reads what may be changing: nothing is made of it.
    #[inline]
    fn ask_ahead(&self, pinned: &Pinned, first: u64) {
        let table = self.table(pinned);
        let Some(position) = first.checked_add(AHEAD << (u64::BITS - table.log2())) else { return };
        let bucket = table.bucket(position);
        let header = bucket.load();
        let mut cells = header.valid();
        while cells != 0 {
            prefetch(self.codec().block(bucket.entry(header, cells.trailing_zeros() as usize)));
            cells &= cells - 1;
        }
    }

    /// Calls `each` with every entry of some regions, from the one that begins at `first` on, under one pin. Returns where
    /// the next one begins.
    #[inline]
    pub(super) fn run_of_regions<B>(
        &self,
        first: u64,
        mut each: impl FnMut(Pair) -> core::ops::ControlFlow<B>,
    ) -> core::ops::ControlFlow<B, Option<u64>> {
        let pinned = self.pin();
        let mut next = Some(first);
        for _ in 0..RUN {
            let Some(first) = next else { break };
            if C::OWNS {
                self.ask_ahead(&pinned, first);
            }
            let region = self.region(&pinned, first);
            region.try_for_each(self.codec(), &mut each)?;
            next = region.next();
        }
        core::ops::ControlFlow::Continue(next)
    }

    /// Takes out every entry, bucket by bucket, and calls `taken` for each. What others insert meanwhile may stay.
    ///
    /// # Errors
    /// [`NoMemory`]: some entries may be gone, the others are untouched.
    pub(super) fn clear(&self, mut taken: impl FnMut(&Pinned, Pair)) -> Result<(), NoMemory> {
        let mut position = Some(0);
        while let Some(first) = position {
            // A pin for each bucket: see `complete`.
            let pinned = self.pin();
            let mut table = self.table(&pinned);
            loop {
                match self.empty_bucket(&pinned, table.bucket(first), |pair| taken(&pinned, pair))? {
                    Some(()) => break,
                    None => {
                        let next = table
                            .next(&pinned)
                            .expect("a table has a next one before its first bucket is frozen");
                        self.migrate(&pinned, table, next, table.group_of(next, first))?;
                        table = next;
                    }
                }
            }
            position = table.last_of(first).checked_add(1);
        }
        // Without memory for a smaller table the map keeps the one it has.
        let _ = self.shrink();
        Ok(())
    }
}
