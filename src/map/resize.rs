//! When to grow, when to shrink, and by how much.

use super::engine::Engine;
use super::memory::Codec;
use super::plan::Change;
use super::room::Room;
use super::table::{MAX_LOG2, MIN_LOG2, Table};
use crate::mem::NoMemory;
use crate::reclaim::Pinned;
use crate::sync::Ordering;

/// Entries in two buckets, on average, beyond which a table grows. At this load three entries in a hundred find no cell.
const LOAD_MAX: usize = if cfg!(loom) { 4 } else { 9 };
/// The same for a small table, whose room costs little, and in which every entry without a cell is a large part.
const LOAD_SMALL: usize = if cfg!(loom) { 4 } else { 6 };
/// Entries in two buckets, on average, that a table is made for when it shrinks.
const LOAD_GOOD: usize = if cfg!(loom) { 2 } else { 4 };
/// A table shrinks when it has fewer than one entry in this many buckets.
const SPARSE: usize = if cfg!(loom) { 4 } else { 2 };
/// Tables below this power of two grow by four, and look at their load more often.
const SMALL: u32 = 11;
/// The largest ratio of two successive tables, as a power of two: one operation may have to handle a whole group.
const STEP_MAX: u32 = 4;
/// Inserts or removals of a thread between two looks at the load of a large table.
const PERIOD: usize = 64;

/// What a map is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stats {
    pub(crate) entries: usize,
    pub(crate) buckets: usize,
    pub(crate) bytes: usize,
    pub(crate) growths: u64,
    pub(crate) shrinks: u64,
    pub(crate) resizing: bool,
}

impl<C: Codec> Engine<C> {
    /// What an operation that has changed something does for the map after its own work: counts, looks at the load from
    /// time to time, and moves a migration on.
    #[inline(always)]
    pub(super) fn follow_up(&self, pinned: &Pinned, change: Change, room: Option<Room<'_, C>>) {
        let by = change.entries();
        let seen = if by == 0 { 0 } else { self.count.add(self.allocator(), pinned.shard(), by) };
        if room.is_some() {
            // Can run users' destructors: after everything else is in order.
            drop(room);
        }
        // Not the table in which the change was made: that may be the one that is being filled.
        let table = self.table(pinned);
        if table.is_migrating() || by != 0 && seen & table.period() == 0 {
            self.look_after(pinned, table, by);
        }
        if self.is_time_to_settle(pinned.shard()) {
            self.settle(pinned);
        }
    }

    #[cold]
    pub(super) fn look_after(&self, pinned: &Pinned, table: &Table, by: isize) {
        if by > 0 {
            self.consider_growth(table);
        } else if by < 0 {
            self.consider_shrink(pinned, table);
        }
        if table.is_migrating() {
            // Without memory the migration waits for the next writer; this operation is done.
            let _ = self.assist(pinned, table);
        }
    }

    #[cold]
    fn consider_growth(&self, table: &Table) {
        // By the load, never by the length of one bucket's node: keys that collide would double the table for ever.
        if !table.is_migrating() && self.count.entries() > limit(table.log2()) {
            let step = if table.log2() < SMALL { 2 } else { 1 };
            // Without memory for it the overflow nodes keep the map working; the next look tries again.
            let _ = self.resize(table, (table.log2() + step).min(MAX_LOG2));
        }
    }

    /// Begins a shrink when the table is sparse and no old tables are waiting to be freed: a stalled reader must not make
    /// the map collect tables.
    #[cold]
    pub(super) fn consider_shrink(&self, pinned: &Pinned, table: &Table) {
        // Relaxed: a wish, which need not be seen at once.
        let floor = self.floor.load(Ordering::Relaxed) as u32;
        if table.is_migrating() || table.log2() <= floor {
            return;
        }
        if self.limbo.memory().retired_tables() > Table::bytes(table.log2()) {
            // Operations on words pin so rarely that the clock may not move on by itself before the map is empty.
            self.limbo.push_on(pinned);
            return;
        }
        let entries = self.count.entries();
        if entries < table.len() / SPARSE {
            let _ = self.resize(table, shrunk(table.log2(), entries).max(floor));
        }
    }

    /// Begins the migration of `table` to one of 2^`log2` buckets, if `table` is the current one and is not migrating.
    pub(super) fn resize(&self, table: &Table, log2: u32) -> Result<(), NoMemory> {
        // Only the current table may get a next one: in a table that is still being filled, a frozen virgin bucket could
        // never become live. Relaxed: if `table` is current, its buckets were seen live when it was loaded as such, or
        // through MOVED; it cannot become current again.
        if log2 == table.log2()
            || self.current.load(Ordering::Relaxed).cast_const() != core::ptr::from_ref(table)
        {
            return Ok(());
        }
        let next = Table::new(self.allocator(), log2)?;
        // SAFETY: made just now.
        unsafe { next.as_ref() }.prepare(self.allocator());
        if !table.set_next(next) {
            // SAFETY: made just now, seen by nobody.
            unsafe { Table::release(next.as_ptr(), self.allocator()) };
            return Ok(());
        }
        let resizes = if log2 > table.log2() { &self.growths } else { &self.shrinks };
        // Relaxed: statistics.
        resizes.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Moves the migration that is under way, if any, to its end.
    fn complete(&self) -> Result<(), NoMemory> {
        let first: *const Table = self.table(&self.pin());
        loop {
            // A pin for each share: a long migration should not hold up the domain's memory.
            let pinned = self.pin();
            let table = self.table(&pinned);
            if !core::ptr::eq(table, first) || !table.is_migrating() {
                return Ok(());
            }
            self.assist(&pinned, table)?;
        }
    }

    /// Makes room for `entries` in all. Other threads may go on.
    pub(super) fn reserve(&self, entries: usize) -> Result<(), NoMemory> {
        let target = Self::log2_for(entries).ok_or(NoMemory)?;
        // Relaxed: as where it is read.
        self.floor.fetch_max(target as usize, Ordering::Relaxed);
        loop {
            self.complete()?;
            let pinned = self.pin();
            self.settle(&pinned);
            let table = self.table(&pinned);
            if table.log2() >= target {
                return Ok(());
            }
            if !table.is_migrating() {
                self.resize(table, target.min(table.log2() + STEP_MAX))?;
            }
        }
    }

    /// Brings the table down to what the entries need, also from what was reserved.
    pub(super) fn shrink(&self) -> Result<(), NoMemory> {
        // Relaxed: as where it is read.
        self.floor.store(MIN_LOG2 as usize, Ordering::Relaxed);
        loop {
            self.complete()?;
            let pinned = self.pin();
            self.settle(&pinned);
            let table = self.table(&pinned);
            let target = Self::log2_for(self.count.entries()).unwrap_or(MAX_LOG2);
            if table.log2() <= target {
                return Ok(());
            }
            if !table.is_migrating() {
                self.resize(table, target.max(table.log2().saturating_sub(STEP_MAX)))?;
            }
        }
    }

    pub(super) fn stats(&self) -> Stats {
        let pinned = self.pin();
        self.settle(&pinned);
        let table = self.table(&pinned);
        let next = table.next(&pinned);
        let bytes = |table: &Table| Table::bytes(table.log2());
        Stats {
            entries: self.count.entries(),
            buckets: table.len(),
            bytes: bytes(table) + next.map_or(0, bytes) + self.parked().bytes() + self.count.bytes(),
            // Relaxed: statistics.
            growths: self.growths.load(Ordering::Relaxed),
            // Relaxed: statistics.
            shrinks: self.shrinks.load(Ordering::Relaxed),
            resizing: next.is_some(),
        }
    }
}

/// How many entries a table of 2^`log2` buckets holds before it grows.
fn limit(log2: u32) -> usize {
    (1 << log2) / 2 * if log2 < SMALL { LOAD_SMALL } else { LOAD_MAX }
}

/// The power of two of the smallest table that holds `entries` without growing.
pub(super) fn log2_for(entries: usize) -> Option<u32> {
    let log2 = |load| (entries.div_ceil(load) * 2).checked_next_power_of_two().map(usize::trailing_zeros);
    log2(LOAD_MAX).and_then(|large| if large < SMALL { log2(LOAD_SMALL) } else { Some(large) })
}

/// Changes of a thread's difference between two looks at the load of a table of 2^`log2` buckets, less one: a mask. So
/// each thread may add one in 16 buckets' entries to a small table, 64 to a large one, before anybody looks.
pub(super) fn period(log2: u32) -> usize {
    if log2 < SMALL { ((1 << log2) / 16_usize).max(1) - 1 } else { PERIOD - 1 }
}

/// The power of two that a sparse table of 2^`log2` buckets shrinks to: half full, but not all at once.
fn shrunk(log2: u32, entries: usize) -> u32 {
    let ideal = (entries.div_ceil(LOAD_GOOD) * 2).next_power_of_two().trailing_zeros();
    ideal.clamp(log2.saturating_sub(STEP_MAX), log2)
}
