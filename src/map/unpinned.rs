//! Operations that need no pin: on entries that are nothing but two words, in cells.
//!
//! A pin protects three things: the table, an overflow node, and what an entry points to. Where the entry is two words and
//! they stand in a cell, only the table is left, and a table is a block that a thread uses for millions of operations. So
//! it is protected by a slot that goes on naming it from one operation to the next (see [`Hazards`]): in the common case
//! with no store and no fence.
//!
//! What makes the bucket's own protocol work without a pin is that the version of a *plain* header never repeats in the
//! life of its table, pin or no pin. A *mixed* header is named by the address of a node, which can come again as soon as
//! the node is freed. A reader that finds its entry in a cell makes sure that no node of the map has been freed meanwhile:
//! there is a count of that. Whoever else meets such a header pins, and begins again as everybody does who works under pins.
//!
//! An operation on an entry that is more than its words pins before it looks into it. But where the words alone tell that
//! the key is not there, nothing is looked into, and a lookup without a pin has its answer; where they do not, the bucket's
//! line was on its way while the thread pinned.
//!
//! Two slots are enough. `CURRENT` names the table that `current` was seen to point to. Where a bucket has moved, `NEXT`
//! names the table behind it, and `current` is loaded once more: if it points to either of the two, the one behind is not
//! unlinked, and so it is protected. If it points beyond, the operation begins anew with what it points to.
//!
//! Code that is not the map's (the allocator's hooks, destructors of what a pin collects) can use this map on the same
//! thread, and so change what the slots name. Therefore: no table that was had by a slot is looked at after such code ran,
//! unless the thread pinned while the slot named it. Nor is a reference to it, or to a bucket of it, an argument of a
//! function that can run such code: an argument must be valid until the function returns. And behind such a table is no
//! way to the next one, pinned or not: that may have been retired before.

use core::ptr::NonNull;

use super::bucket::{Bucket, Pair, Probe, Stale, WordProbe};
use super::change::Rest;
use super::engine::{Engine, prefetch, prefetch_bucket};
use super::header::Header;
use super::memory::Codec;
use super::once::{Tried, is_exchange, try_once};
use super::parked::{CURRENT, NEXT};
use super::plan::{Change, Plan};
use super::room::Room;
use super::table::Table;
use crate::mem::NoMemory;
use crate::reclaim::Lane;
use crate::sync::Ordering;

/// Why a look at a bucket gave no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Elsewhere {
    /// The entry, if there is one, is in the next table.
    Moved,
    /// It may be in the overflow node.
    Node,
    /// The bucket has changed meanwhile.
    Changed,
}

impl<C: Codec> Engine<C> {
    /// The current table, protected by the calling thread's slot until that is changed.
    ///
    /// # Safety
    /// The table is used, and is an argument of a running function, only until code that is not the map's runs on this
    /// thread, unless the thread pins before. No table behind it is looked at but one had by `next_by`.
    #[inline(always)]
    pub(super) unsafe fn table_by<'l>(&self, lane: &'l Lane<'_>) -> &'l Table {
        let table = lane.protected(CURRENT, &self.current).unwrap_or_else(|| self.move_on(lane));
        // SAFETY: never null, and protected as long as the slot stays as it is: that is the caller's promise.
        unsafe { &*table }
    }

    /// As [`Engine::prefetch`].
    #[inline(always)]
    pub(super) fn prefetch_by(&self, lane: &Lane<'_>, position: u64) {
        // SAFETY: used here only.
        prefetch_bucket(unsafe { self.table_by(lane) }.bucket(position));
    }

    /// The entry that `probe` looks for. Linearizes as [`Engine::get`].
    #[inline(always)]
    pub(super) fn get_word(&self, probe: impl WordProbe) -> Option<Pair> {
        let lane = self.hazards.lane();
        self.get_word_by(&lane, &probe)
    }

    /// As [`Engine::get_word`]; afterwards the slots may have been changed.
    #[inline(always)]
    pub(super) fn get_word_by(&self, lane: &Lane<'_>, probe: &impl WordProbe) -> Option<Pair> {
        // SAFETY: `look` runs no other code.
        let table = unsafe { self.table_by(lane) };
        if let Ok(answer) = self.look(table, table.bucket(probe.position()), probe) {
            return answer;
        }
        self.get_word_slow(lane, probe)
    }

    /// Looks for the entry in one bucket, of a table that the calling thread protects.
    #[inline(always)]
    pub(super) fn look(
        &self,
        table: &Table,
        bucket: &Bucket,
        probe: &impl WordProbe,
    ) -> Result<Option<Pair>, Elsewhere> {
        let frees = self.limbo.memory().frees();
        let header = bucket.load();
        table.assert_held();
        if header.is_moved() {
            return Err(Elsewhere::Moved);
        }
        let answer = match bucket.find_word(header, probe) {
            Err(Stale) => Err(Elsewhere::Changed),
            // Whether the header is mixed is not asked here: that could be guessed by nobody.
            Ok(Some(found)) if self.limbo.memory().frees_are_still(frees) => Ok(Some(found.entry)),
            Ok(None) if !header.is_mixed() => {
                bucket.validate(header).map_or(Err(Elsewhere::Changed), |()| Ok(None))
            }
            // What a node holds may be read under a pin only.
            Ok(_) => Err(Elsewhere::Node),
        };
        table.assert_held();
        answer
    }

    #[cold]
    #[inline(never)]
    fn get_word_slow(&self, lane: &Lane<'_>, probe: &impl WordProbe) -> Option<Pair> {
        loop {
            // SAFETY: until the pin below, nothing runs other code.
            let table = unsafe { self.table_by(lane) };
            let mut answer = self.look(table, table.bucket(probe.position()), probe);
            if let Err(Elsewhere::Moved) = answer {
                let Some(next) = self.next_by(lane, table) else { continue };
                answer = self.look(next, next.bucket(probe.position()), probe);
            }
            match answer {
                Ok(answer) => return answer,
                Err(Elsewhere::Changed) => {}
                // Moved twice: `current` has moved on, or is about to.
                Err(Elsewhere::Node | Elsewhere::Moved) => return self.get(&self.pin(), probe),
            }
        }
    }

    /// What `read` makes, under a pin, of the entry that `probe` looks for. To look into an entry takes a pin; if the words in
    /// the bucket tell that it is not there, there is none. Linearizes as [`Engine::get`].
    #[inline(always)]
    pub(super) fn get_by_sight<R>(&self, probe: &impl Probe, read: impl FnOnce(Pair) -> R) -> Option<R> {
        let lane = self.hazards.lane();
        // SAFETY: other code can run in `pin` only, and so under the pin.
        let table = unsafe { self.table_by(&lane) };
        let bucket = table.bucket(probe.position());
        let header = bucket.load();
        table.assert_held();
        if header.is_moved() || header.is_mixed() {
            let pinned = self.pin();
            return self.get(&pinned, probe).map(read);
        }
        let Some(entry) = bucket.candidate(header, probe) else {
            let valid = bucket.validate(header);
            table.assert_held();
            if valid.is_ok() {
                return None;
            }
            let pinned = self.pin();
            return self.get(&pinned, probe).map(read);
        };
        prefetch(self.codec().block(entry));
        let pinned = self.pin();
        // A plain header does not repeat: if the bucket still has this one, the entry is in the map, under the pin.
        // SAFETY: as just said.
        if bucket.validate(header).is_ok() && unsafe { probe.is(entry) } {
            return Some(read(entry));
        }
        self.get(&pinned, probe).map(read)
    }

    /// The table behind `table`, which was had by the lane, protected as well. `None`: the map has moved on.
    fn next_by<'l>(&self, lane: &'l Lane<'_>, table: &Table) -> Option<&'l Table> {
        let next = table.next_ptr();
        table.assert_held();
        lane.name_as(NEXT, next);
        // (5) Acquire: as in `table`. And it is the load that invariant 2 of the hazards asks for.
        let now = self.current.load(Ordering::Acquire);
        let linked = if core::ptr::eq(now, next) {
            // Not `next`, which was loaded before it was named: that may be the pointer to a table that was freed, and to
            // whose address another one has come.
            now
        } else if core::ptr::eq(now, table) {
            next
        } else {
            return None;
        };
        // SAFETY: a bucket of `table` has moved, so there is a next one; as it is not unlinked, it is protected.
        let next = unsafe { &*linked };
        next.assert_held();
        Some(next)
    }

    /// The bucket in the table behind `table` that a writer goes on in when the one in `table` has moved, and its header.
    /// `None`: it needs a closer look.
    #[cold]
    #[inline(never)]
    fn child_by<'l>(&self, lane: &'l Lane<'_>, table: &Table, position: u64) -> Option<(&'l Bucket, Header)> {
        let next = self.next_by(lane, table)?;
        if next.log2() < table.log2() {
            // The other parents of the group may not have moved yet.
            return None;
        }
        let bucket = next.bucket(position);
        let header = bucket.load();
        next.assert_held();
        Some((bucket, header))
    }

    /// As [`Engine::change`] and [`Engine::clean_up`], for a plan that is not user's code.
    #[inline(always)]
    pub(super) fn change_word(
        &self,
        probe: impl WordProbe,
        mut plan: impl FnMut(Option<Pair>) -> Plan,
    ) -> Result<Change, NoMemory> {
        let lane = self.hazards.lane();
        self.change_word_by(&lane, &probe, &mut plan)
    }

    /// As [`Engine::change_word`]; afterwards the slots may have been changed.
    #[inline(always)]
    pub(super) fn change_word_by(
        &self,
        lane: &Lane<'_>,
        probe: &impl WordProbe,
        plan: &mut impl FnMut(Option<Pair>) -> Plan,
    ) -> Result<Change, NoMemory> {
        // SAFETY: other code runs only after a pin, in `change_word_slow`, and in `follow_up_by`, which gets no part of it.
        let table = unsafe { self.table_by(lane) };
        let mut bucket = table.bucket(probe.position());
        let mut header = bucket.load();
        table.assert_held();
        if header.is_moved()
            && let Some(child) = self.child_by(lane, table, probe.position())
        {
            (bucket, header) = child;
        }
        let mut planned = None;
        let mut claimed = None;
        if header.is_plain()
            && let Ok(found) = bucket.find_word(header, probe)
            && (found.is_some() || bucket.validate(header).is_ok())
        {
            let mut plan = |old| Ok::<_, NoMemory>(plan(old));
            match try_once(bucket, header, found, probe, &mut plan, &mut planned)? {
                Tried::Done(change) => {
                    table.assert_held();
                    // Several threads may be at it: see `reclaim::pace`.
                    if is_exchange(header, change, found) {
                        lane.won_at(bucket.place(), header.version() as u16);
                    }
                    if !matches!(change, Change::Kept(_)) {
                        self.follow_up_by(lane, table.period(), table.is_migrating(), change);
                    }
                    return Ok(change);
                }
                Tried::Claimed => claimed = Some(NonNull::from(bucket)),
                Tried::InVain => {}
            }
        }
        self.change_word_slow(claimed, probe, plan, planned)
    }

    #[cold]
    #[inline(never)]
    fn change_word_slow(
        &self,
        claimed: Option<NonNull<Bucket>>,
        probe: &impl WordProbe,
        plan: &mut dyn FnMut(Option<Pair>) -> Plan,
        planned: Option<(Option<Pair>, Plan)>,
    ) -> Result<Change, NoMemory> {
        // The bucket's table is still named by the slot: so it stays as long as this pin. Not longer, so the bucket is not
        // a reference where it is an argument.
        let pinned = self.pin();
        if let Some(bucket) = claimed {
            // SAFETY: as above.
            drop(Room::claimed(self, &pinned, unsafe { bucket.as_ref() }));
        }
        let mut plan = |old| Ok::<_, NoMemory>(plan(old));
        let mut rest = Rest::new();
        let change = match planned {
            // The bucket was not plain; with a pin it may be simple.
            None => self.change(&pinned, probe, &mut rest, plan)?,
            Some(_) => self.change_slow(&pinned, probe, &mut rest, &mut plan, planned)?,
        };
        self.clean_up(&pinned, change, rest);
        Ok(change)
    }

    /// As [`Engine::follow_up`], after a change in a table that looks at its load once in `period` and is `migrating` or
    /// not. Not the table itself: to count can run the allocator's hook.
    #[inline(always)]
    fn follow_up_by(&self, lane: &Lane<'_>, period: usize, migrating: bool, change: Change) {
        let by = change.entries();
        let seen = if by == 0 { 0 } else { self.count.add(self.allocator(), lane.index(), by) };
        if migrating || by != 0 && seen & period == 0 {
            self.look_after_pinned(by);
        }
        if self.is_time_to_settle(lane.index()) {
            self.settle_pinned();
        }
    }

    #[cold]
    #[inline(never)]
    fn look_after_pinned(&self, by: isize) {
        let pinned = self.pin();
        self.look_after(&pinned, self.table(&pinned), by);
    }

    #[cold]
    #[inline(never)]
    fn settle_pinned(&self) {
        self.settle(&self.pin());
    }
}
