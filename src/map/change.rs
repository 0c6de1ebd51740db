//! The one way in which an entry is inserted, replaced or removed.

use super::bucket::{Bucket, CELLS, Found, Pair, Place, Probe};
use super::engine::{Engine, NodeEdit};
use super::header::Header;
use super::memory::Codec;
use super::room::Room;
use crate::mem::NoMemory;
use crate::reclaim::Pinned;

/// What an operation wants, given what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plan {
    /// Leave it.
    Keep,
    /// Insert, or replace the present value by, this one.
    Store(u64),
    /// Take the entry out. Same as `Keep` if there is none.
    Remove,
}

/// What an operation did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Nothing; this is what was there.
    Kept(Option<Pair>),
    Inserted,
    /// This entry was replaced. It is no longer in the map, and the caller's to retire.
    Replaced(Pair),
    /// This entry was removed, and is the caller's to retire.
    Removed(Pair),
}

/// How an attempt on one bucket ended.
enum Step {
    Done(Change),
    /// The bucket has changed; look again.
    Again,
}

impl<C: Codec> Engine<C> {
    /// Does what `plan` says to the entry that `probe` looks for, in one atomic step.
    ///
    /// `plan` is called with what is there, and again each time that this has changed before the plan could be carried
    /// out. Linearizes at the header change; a `Keep`, at the last load that validated what was there.
    pub(super) fn change<P: Probe, E: From<NoMemory>>(
        &self,
        pinned: &Pinned,
        probe: &P,
        mut plan: impl FnMut(Option<Pair>) -> Result<Plan, E>,
    ) -> Result<Change, E> {
        let mut planned: Option<(Option<Pair>, Plan)> = None;
        let mut table = self.table(pinned);
        loop {
            let bucket = table.bucket(probe.position());
            let mut room = Room::new(self, pinned, bucket);
            let step = loop {
                let header = bucket.load();
                if header.is_frozen() {
                    break None;
                }
                let Ok(found) = bucket.find(header, probe) else { continue };
                let old = found.map(|found| found.entry);
                let what = match planned {
                    Some((before, what)) if before == old => what,
                    _ => {
                        let what = plan(old)?;
                        planned = Some((old, what));
                        what
                    }
                };
                let step = match (what, found) {
                    // `find` has validated `old` under `header`. What a plan saw in an earlier round is the same.
                    (Plan::Keep, _) | (Plan::Remove, None) => Step::Done(Change::Kept(old)),
                    (Plan::Store(value), None) => self.insert(pinned, &mut room, header, probe, value)?,
                    (Plan::Store(value), Some(found)) => self.replace(pinned, &mut room, header, found, value)?,
                    (Plan::Remove, Some(found)) => self.remove(pinned, &mut room, header, found)?,
                };
                if let Step::Done(change) = step {
                    break Some(change);
                }
            };
            drop(room);
            match step {
                Some(change) => {
                    self.after(pinned, table, change);
                    return Ok(change);
                }
                None => {
                    let next = table.next().expect("set before any bucket was frozen");
                    self.migrate(pinned, table, next, table.group_of(next, probe.position()))?;
                    table = next;
                }
            }
        }
    }

    fn insert<P: Probe>(
        &self,
        pinned: &Pinned,
        room: &mut Room<'_, C>,
        header: Header,
        probe: &P,
        value: u64,
    ) -> Result<Step, NoMemory> {
        let entry = Pair { key: probe.key(), value };
        let bucket = room.bucket;
        let after = room.unclaimed(header);
        let (after, edit, uses_cell) = if entry.fits_a_cell() {
            let fresh = !room.has_cell();
            match room.cell(header) {
                // The lane of the cell is only known from a header loaded after the reservation.
                Some(_) if fresh && bucket.load() != header => return Ok(Step::Again),
                Some(cell) => {
                    bucket.write_value(header.lane(cell), value);
                    bucket.write_key(cell, entry.key);
                    (after.with_valid(header.valid() | 1 << cell), NodeEdit::Keep, true)
                }
                None => (after, NodeEdit::Add(entry), false),
            }
        } else {
            (after, NodeEdit::Add(entry), false)
        };
        if self.install(pinned, bucket, header, after, edit)?.is_none() {
            return Ok(Step::Again);
        }
        room.spent(uses_cell);
        Ok(Step::Done(Change::Inserted))
    }

    fn replace(
        &self,
        pinned: &Pinned,
        room: &mut Room<'_, C>,
        header: Header,
        found: Found,
        value: u64,
    ) -> Result<Step, NoMemory> {
        match found.place {
            Place::Cell(cell) => self.replace_in_cell(pinned, room, header, found.entry, cell, value),
            Place::Node(index) => self.replace_in_node(pinned, room, header, found.entry, index, value),
        }
    }

    /// The new value goes into the free lane, if that can be claimed; into a reserved cell, if there is one; or the entry
    /// moves to the node.
    fn replace_in_cell(
        &self,
        pinned: &Pinned,
        room: &mut Room<'_, C>,
        header: Header,
        old: Pair,
        cell: usize,
        value: u64,
    ) -> Result<Step, NoMemory> {
        let bucket = room.bucket;
        let mut header = header;
        if !header.is_claimed() {
            let claimed = header.with_claim(true);
            let Some(now) = self.install(pinned, bucket, header, claimed, NodeEdit::Keep)? else {
                return Ok(Step::Again);
            };
            room.note_claim();
            header = now;
        }
        if room.has_claim() {
            bucket.write_value(header.free_lane(), value);
            let after = header.with_claim(false).with_lane_swapped(cell);
            if self.install(pinned, bucket, header, after, NodeEdit::Keep)?.is_none() {
                return Ok(Step::Again);
            }
            room.spent(false);
            return Ok(Step::Done(Change::Replaced(old)));
        }
        let fresh = !room.has_cell();
        let entry = Pair { value, ..old };
        let (after, edit, uses_cell) = match room.cell(header) {
            Some(_) if fresh && bucket.load() != header => return Ok(Step::Again),
            Some(other) => {
                bucket.write_value(header.lane(other), value);
                bucket.write_key(other, old.key);
                (header.with_valid(header.valid() & !(1 << cell) | 1 << other), NodeEdit::Keep, true)
            }
            None => (header.with_valid(header.valid() & !(1 << cell)), NodeEdit::Add(entry), false),
        };
        if self.install(pinned, bucket, header, after, edit)?.is_none() {
            return Ok(Step::Again);
        }
        bucket.free(cell);
        room.spent(uses_cell);
        Ok(Step::Done(Change::Replaced(old)))
    }

    /// The entry moves into a cell, if there is a free one. Otherwise the node gets the new value and takes in the entry
    /// of a cell, so that there is a free one next time: a key that is updated often does not stay in the node.
    fn replace_in_node(
        &self,
        pinned: &Pinned,
        room: &mut Room<'_, C>,
        header: Header,
        old: Pair,
        index: usize,
        value: u64,
    ) -> Result<Step, NoMemory> {
        let bucket = room.bucket;
        let fresh = !room.has_cell();
        let after = room.unclaimed(header);
        let cell = if old.fits_a_cell() { room.cell(header) } else { None };
        let mut freed = None;
        let (after, edit) = match cell {
            Some(_) if fresh && bucket.load() != header => return Ok(Step::Again),
            Some(cell) => {
                bucket.write_value(header.lane(cell), value);
                bucket.write_key(cell, old.key);
                (after.with_valid(header.valid() | 1 << cell), NodeEdit::Remove(index))
            }
            None if old.fits_a_cell() && header.valid() == (1 << CELLS) - 1 => {
                // Any will do; spread by the old value's address or bits.
                let victim = (old.key as usize ^ index) % CELLS;
                freed = Some(victim);
                let edit = NodeEdit::ReplaceAndAdd(index, value, bucket.entry(header, victim));
                (after.with_valid(header.valid() & !(1 << victim)), edit)
            }
            None => (after, NodeEdit::Replace(index, value)),
        };
        if self.install(pinned, bucket, header, after, edit)?.is_none() {
            return Ok(Step::Again);
        }
        if let Some(victim) = freed {
            bucket.free(victim);
        }
        room.spent(cell.is_some());
        Ok(Step::Done(Change::Replaced(old)))
    }

    fn remove(
        &self,
        pinned: &Pinned,
        room: &mut Room<'_, C>,
        header: Header,
        found: Found,
    ) -> Result<Step, NoMemory> {
        let after = room.unclaimed(header);
        let (after, edit) = match found.place {
            Place::Cell(cell) => (after.with_valid(header.valid() & !(1 << cell)), NodeEdit::Keep),
            Place::Node(index) => (after, NodeEdit::Remove(index)),
        };
        if self.install(pinned, room.bucket, header, after, edit)?.is_none() {
            return Ok(Step::Again);
        }
        if let Place::Cell(cell) = found.place {
            room.bucket.free(cell);
        }
        room.spent(false);
        Ok(Step::Done(Change::Removed(found.entry)))
    }

    /// Takes everything out of one bucket that is not frozen. `Ok(None)`: it is frozen.
    pub(super) fn empty_bucket(
        &self,
        pinned: &Pinned,
        bucket: &Bucket,
        mut taken: impl FnMut(Pair),
    ) -> Result<Option<usize>, NoMemory> {
        loop {
            let header = bucket.load();
            if header.is_frozen() {
                return Ok(None);
            }
            let node: &[Pair] = match header.node() {
                // SAFETY: the header named the node while this thread was pinned.
                Some(node) => unsafe { super::node::Node::pairs(node) },
                None => &[],
            };
            let valid = header.valid();
            if valid == 0 && node.is_empty() {
                return Ok(Some(0));
            }
            // Not validated: if the exchange succeeds, nothing had changed.
            let entries: [Pair; CELLS] = core::array::from_fn(|cell| bucket.entry(header, cell));
            let edit = if node.is_empty() { NodeEdit::Keep } else { NodeEdit::Clear };
            if self.install(pinned, bucket, header, header.with_valid(0), edit)?.is_none() {
                continue;
            }
            let cells = || (0..CELLS).filter(|cell| valid >> cell & 1 == 1);
            cells().for_each(|cell| bucket.free(cell));
            cells().for_each(|cell| taken(entries[cell]));
            node.iter().for_each(|&pair| taken(pair));
            return Ok(Some(valid.count_ones() as usize + node.len()));
        }
    }
}
