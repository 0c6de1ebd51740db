//! The one way in which an entry is inserted, replaced or removed.

use crossbeam_utils::Backoff;

use super::bucket::{Bucket, CELLS, Found, Pair, Place, Probe};
use super::engine::Engine;
use super::header::{Header, NodeChange};
use super::memory::Codec;
use super::node::Node;
use super::once::{Tried, is_exchange, try_once};
use super::plan::{Change, Plan};
use super::room::{NodeEdit, Room};
use crate::mem::NoMemory;
use crate::reclaim::Pinned;
use crate::sync::can_exchange_two;

/// What is left to be done after a change: memory that it took out of the bucket, and what it holds there. It stays where the
/// caller made it: nearly always there is nothing, and a change returns no more than two words and what they are.
pub(super) struct Rest<'p, C: Codec>(Option<Room<'p, C>>);

impl<C: Codec> Rest<'_, C> {
    #[inline(always)]
    pub(super) const fn new() -> Self {
        Self(None)
    }
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
    ///
    /// Then the caller puts its own affairs in order (what it published is the map's now, what it took out is its own) and
    /// calls [`Engine::clean_up`], which can run users' destructors.
    #[inline(always)]
    pub(super) fn change<'p, P: Probe, E: From<NoMemory>>(
        &'p self,
        pinned: &'p Pinned,
        probe: &P,
        rest: &mut Rest<'p, C>,
        mut plan: impl FnMut(Option<Pair>) -> Result<Plan, E>,
    ) -> Result<Change, E> {
        let mut planned = None;
        let bucket = self.table(pinned).bucket(probe.position());
        let header = bucket.load();
        if header.is_simple()
            && let Ok(found) = bucket.find(header, probe)
        {
            match try_once(bucket, header, found, probe, &mut plan, &mut planned)? {
                Tried::Done(change) => {
                    // Several threads may be at it: see `reclaim::pace`.
                    if is_exchange(header, change, found) {
                        self.hazards.won_at(pinned, bucket.place(), header.version() as u16);
                    }
                    return Ok(change);
                }
                Tried::Claimed => drop(Room::claimed(self, pinned, bucket)),
                Tried::InVain => {}
            }
        }
        self.change_slow(pinned, probe, rest, &mut plan, planned)
    }

    /// Counts a change, retires what it has unlinked in the bucket, and does the operation's share of the map's upkeep.
    #[inline(always)]
    pub(super) fn clean_up<'p>(&'p self, pinned: &'p Pinned, change: Change, rest: Rest<'p, C>) {
        if !matches!(change, Change::Kept(_)) {
            self.follow_up(pinned, change, rest.0);
        } else if rest.0.is_some() {
            drop(rest);
        }
    }

    /// [`Engine::change`] without presumptions.
    #[cold]
    #[inline(never)]
    pub(super) fn change_slow<'p, P: Probe, E: From<NoMemory>>(
        &'p self,
        pinned: &'p Pinned,
        probe: &P,
        rest: &mut Rest<'p, C>,
        plan: &mut dyn FnMut(Option<Pair>) -> Result<Plan, E>,
        mut planned: Option<(Option<Pair>, Plan)>,
    ) -> Result<Change, E> {
        let mut table = self.table(pinned);
        let backoff = Backoff::new();
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
                    // The same pair of words is the same entry: under the pin no address is used twice.
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
                    (Plan::Store(value), None) => insert(&mut room, header, probe, value)?,
                    (Plan::Store(value), Some(found)) => replace(&mut room, header, found, value)?,
                    (Plan::Remove, Some(found)) => remove(&mut room, header, found)?,
                };
                if let Step::Done(change) = step {
                    break Some(change);
                }
                // A bounded number of pauses, so that on a contended bucket one thread gets several changes through.
                backoff.spin();
            };
            match step {
                Some(change) => {
                    rest.0 = Some(room);
                    return Ok(change);
                }
                None => {
                    drop(room);
                    let next =
                        table.next(pinned).expect("a table has a next one before its first bucket is frozen");
                    self.migrate(pinned, table, next, table.group_of(next, probe.position()))?;
                    table = next;
                }
            }
        }
    }

    /// Takes everything out of one bucket that is not frozen. `Ok(None)`: it is frozen.
    pub(super) fn empty_bucket(
        &self,
        pinned: &Pinned,
        bucket: &Bucket,
        mut taken: impl FnMut(Pair),
    ) -> Result<Option<()>, NoMemory> {
        loop {
            let header = bucket.load();
            if header.is_frozen() {
                return Ok(None);
            }
            let node: &[Pair] = match header.node() {
                // SAFETY: the header named the node while this thread was pinned.
                Some(node) => unsafe { Node::pairs(node) },
                None => &[],
            };
            let valid = header.valid();
            if valid == 0 && node.is_empty() {
                return Ok(Some(()));
            }
            // Not validated: if the exchange succeeds, nothing had changed.
            let entries: [Pair; CELLS] = core::array::from_fn(|cell| bucket.entry(header, cell));
            let edit = if node.is_empty() { NodeEdit::Keep } else { NodeEdit::Clear };
            let mut room = Room::new(self, pinned, bucket);
            if !room.commit(header, header.with_valid(0), edit, false)? {
                continue;
            }
            let cells = || (0..CELLS).filter(|cell| valid >> cell & 1 == 1);
            cells().for_each(|cell| bucket.free(cell));
            let taken_out = valid.count_ones() as isize + node.len().cast_signed();
            self.count.add(self.allocator(), pinned.shard(), -taken_out);
            cells().for_each(|cell| taken(entries[cell]));
            node.iter().for_each(|&pair| taken(pair));
            return Ok(Some(()));
        }
    }
}

fn insert<C: Codec, P: Probe>(
    room: &mut Room<'_, C>,
    header: Header,
    probe: &P,
    value: u64,
) -> Result<Step, NoMemory> {
    let entry = Pair { key: probe.key(), value };
    let bucket = room.bucket;
    let fresh = !room.has_cell();
    let cell = if entry.fits_a_cell() { room.cell(header, true) } else { None };
    let done = match cell {
        // The lane of the cell is only known from a header loaded after the reservation.
        Some(_) if fresh && bucket.load() != header => false,
        Some(cell) => {
            bucket.write_value(header.lane(cell), value);
            bucket.write_key(cell, entry.key);
            room.commit(header, header.with_valid(header.valid() | 1 << cell), NodeEdit::Keep, true)?
        }
        None => room.commit(header, header, NodeEdit::Add(entry), false)?,
    };
    Ok(if done { Step::Done(Change::Inserted) } else { Step::Again })
}

fn replace<C: Codec>(
    room: &mut Room<'_, C>,
    header: Header,
    found: Found,
    value: u64,
) -> Result<Step, NoMemory> {
    let done = match found.place {
        Place::Cell(cell) => replace_in_cell(room, header, found.entry, cell, value)?,
        Place::Node(index) => replace_in_node(room, header, found.entry, index, value)?,
    };
    Ok(if done { Step::Done(Change::Replaced(found.entry)) } else { Step::Again })
}

/// The entry moves to a free cell, with the new value. If there is none the new value goes into the free lane, if that can be
/// claimed, after the cell that has the spare lane has left it where need be; else the entry moves to the node.
fn replace_in_cell<C: Codec>(
    room: &mut Room<'_, C>,
    mut header: Header,
    old: Pair,
    cell: usize,
    value: u64,
) -> Result<bool, NoMemory> {
    let bucket = room.bucket;
    if !room.has_claim() && !header.is_spent() && can_exchange_two() {
        // Its value is in the spare lane, or the spare lane is free.
        if header.has_spare(cell) {
            let after = header.after(header, NodeChange::Keep);
            // SAFETY: asked just now.
            return Ok(unsafe { bucket.exchange_with_spare(header, old.value, after, value) });
        }
        if header.can_swap(cell) && !header.is_claimed() {
            let after = header.with_lane_swapped(cell).after(header, NodeChange::Keep);
            // SAFETY: asked just now.
            return Ok(unsafe { bucket.exchange_with_spare(header, bucket.spare(), after, value) });
        }
    }
    let fits = header.can_swap(cell) || header.borrower().is_some();
    let by_lane = fits && (room.has_claim() || !header.is_claimed());
    if !(room.has_claim() && header.can_swap(cell)) {
        let fresh = !room.has_cell();
        if let Some(other) = room.cell(header, !by_lane) {
            // As in `insert`.
            if fresh && bucket.load() != header {
                return Ok(false);
            }
            bucket.write_value(header.lane(other), value);
            bucket.write_key(other, old.key);
            let after = header.with_valid(header.valid() & !(1 << cell) | 1 << other);
            let done = room.commit(header, after, NodeEdit::Keep, true)?;
            if done {
                bucket.free(cell);
            }
            return Ok(done);
        }
    }
    if !by_lane {
        let edit = NodeEdit::Add(Pair { value, ..old });
        let done = room.commit(header, header.with_valid(header.valid() & !(1 << cell)), edit, false)?;
        if done {
            bucket.free(cell);
        }
        return Ok(done);
    }
    if !room.has_claim() {
        // The claim is a change of its own, from exactly this header: the entry is where it was.
        let Some(claimed) = room.claim(header)? else { return Ok(false) };
        header = claimed;
    }
    if !header.can_swap(cell)
        && let Some(borrower) = header.borrower()
    {
        let Some(home) = room.bring_home(header, borrower)? else { return Ok(false) };
        header = home;
    }
    bucket.write_value(header.free_lane(), value);
    room.commit(header, header.with_lane_swapped(cell), NodeEdit::Keep, false)
}

/// The entry moves into a cell, if there is a free one. Otherwise the node gets the new value and takes in the entry of a
/// cell, so that there is a free one next time: a key that is updated often does not stay in the node.
fn replace_in_node<C: Codec>(
    room: &mut Room<'_, C>,
    header: Header,
    old: Pair,
    index: usize,
    value: u64,
) -> Result<bool, NoMemory> {
    let bucket = room.bucket;
    let fresh = !room.has_cell();
    match if old.fits_a_cell() { room.cell(header, true) } else { None } {
        // As in `insert`.
        Some(_) if fresh && bucket.load() != header => Ok(false),
        Some(cell) => {
            bucket.write_value(header.lane(cell), value);
            bucket.write_key(cell, old.key);
            room.commit(header, header.with_valid(header.valid() | 1 << cell), NodeEdit::Remove(index), true)
        }
        None if old.fits_a_cell() && header.valid() == (1 << CELLS) - 1 => {
            // Any will do; the key's low bits are as good as random.
            let victim = (old.key as usize ^ index) % CELLS;
            let edit = NodeEdit::ReplaceAndAdd(index, value, bucket.entry(header, victim));
            let done =
                room.commit(header, header.with_valid(header.valid() & !(1 << victim)), edit, false)?;
            if done {
                bucket.free(victim);
            }
            Ok(done)
        }
        None => room.commit(header, header, NodeEdit::Replace(index, value), false),
    }
}

fn remove<C: Codec>(room: &mut Room<'_, C>, header: Header, found: Found) -> Result<Step, NoMemory> {
    let done = match found.place {
        Place::Cell(cell) => {
            let done =
                room.commit(header, header.with_valid(header.valid() & !(1 << cell)), NodeEdit::Keep, false)?;
            if done {
                room.bucket.free(cell);
            }
            done
        }
        Place::Node(index) => room.commit(header, header, NodeEdit::Remove(index), false)?,
    };
    Ok(if done { Step::Done(Change::Removed(found.entry)) } else { Step::Again })
}
