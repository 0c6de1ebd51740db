//! Migration: freeze the parents, make each child live with everything destined for it, mark the parents as
//! moved.

use crate::scenario::{Mutant, Scenario};
use crate::state::{Back, FREE, Fault, Header, Life, MAX_ENTRIES, Node, Pair, Pc, RESERVED, State};
use crate::step::{Done, Step};

/// Entries that a child is to get.
#[derive(Clone, Copy, Default, Debug)]
pub struct Share {
    pub len: usize,
    pub entries: [Pair; MAX_ENTRIES],
}

impl Share {
    pub fn iter(&self) -> impl Iterator<Item = Pair> + '_ {
        self.entries[..self.len].iter().copied()
    }
}

/// What the parents in `group` of `table` hold for the bucket `kid`. The parents are frozen, so this is the
/// same whenever it is asked; the model asks again where the code keeps a private copy.
pub fn share(sc: &Scenario, s: &State, table: u8, group: u8, kid: usize) -> Share {
    let mut share = Share::default();
    let mut add = |entry: Pair| {
        let key = sc.keys.iter().position(|key| key.code == entry.key);
        // A torn pair of words can belong to no key at all in planted bugs.
        if key.is_some_and(|key| sc.bucket(table + 1, key) == kid) && share.len < MAX_ENTRIES {
            share.entries[share.len] = entry;
            share.len += 1;
        }
    };
    for parent in sc.members(table, group, sc.groups(table)) {
        let h = s.headers[parent];
        (0..sc.cells).filter(|&c| h.has_cell(c)).for_each(|c| add(s.pair(parent, c)));
        if let Some(node) = h.node() {
            s.nodes[node].entries().iter().for_each(|&entry| add(entry));
        }
    }
    share
}

impl Step<'_> {
    pub fn begin_group(&mut self, group: u8, back: Back) {
        let th = self.th();
        th.h = Header::VIRGIN;
        th.group = group;
        th.back = back;
        th.i = 0;
        th.pc = Pc::Freeze;
        if self.sc.has(Mutant::CopiesUnfrozen) {
            self.first_kid();
        }
    }

    pub fn parents(&self) -> std::ops::Range<usize> {
        let th = &self.s.threads[self.t];
        self.sc.members(th.table, th.group, self.sc.groups(th.table))
    }

    pub fn kids(&self) -> std::ops::Range<usize> {
        let th = &self.s.threads[self.t];
        self.sc.members(th.table + 1, th.group, self.sc.groups(th.table))
    }

    pub fn first_kid(&mut self) {
        let first = self.kids().start;
        self.th().kid = first as u8;
        self.th().pc = Pc::KidLoad;
    }

    pub fn next_kid(&mut self) {
        let early = self.sc.has(Mutant::WriterBeforeMoved) && self.th().back == Back::Operation;
        let last =
            self.sc.has(Mutant::MovedAfterFirstChild) || usize::from(self.th().kid) + 1 == self.kids().end;
        let th = self.th();
        th.got = 0;
        th.entry = 0;
        th.i = 0;
        if last {
            th.kid = 0;
            th.pc = Pc::SetMoved;
            if early {
                self.end_group();
            }
        } else {
            th.kid += 1;
            th.pc = Pc::KidLoad;
        }
    }

    pub fn share(&self) -> Result<Share, Fault> {
        let th = &self.s.threads[self.t];
        for parent in self.parents() {
            if let Some(node) = self.s.headers[parent].node() {
                self.touch_node(node)?;
            }
        }
        Ok(share(self.sc, &self.s, th.table, th.group, usize::from(th.kid)))
    }

    /// The next entry that may live in a cell turns to the first cell; after the last, the rest goes into a
    /// node.
    pub fn place(&mut self, entry: u8) -> Done {
        let share = self.share()?;
        let fits = |at: &usize| share.entries[*at].key != FREE && share.entries[*at].key != RESERVED;
        let next = (usize::from(entry)..share.len).find(fits);
        let kid = usize::from(self.th().kid);
        let surplus = share.iter().any(|entry| !self.holds(kid, entry));
        let th = self.th();
        th.i = 0;
        match next {
            Some(next) => {
                th.entry = next as u8;
                self.place_from(0);
            }
            None => {
                th.entry = 0;
                th.pc = if surplus { Pc::KidBuild } else { Pc::KidCas };
            }
        }
        Ok(())
    }

    /// Turns to the first cell from `cell` on that is not this helper's already.
    pub fn place_from(&mut self, cell: u8) {
        let cells = self.sc.cells;
        let th = self.th();
        match (cell..cells).find(|c| th.got >> c & 1 == 0) {
            Some(cell) => {
                th.i = cell;
                th.pc = Pc::KidReserve;
            }
            // No cell for this one; the next may still find one that was given back meanwhile.
            None => th.pc = Pc::KidReserve,
        }
    }

    /// Whether this helper has put the entry into a cell of the child.
    pub fn holds(&self, kid: usize, entry: Pair) -> bool {
        let got = self.s.threads[self.t].got;
        (0..self.sc.cells).any(|c| got >> c & 1 == 1 && self.s.words[kid].keys[usize::from(c)] == entry.key)
    }

    pub fn migrate(&mut self) -> Done {
        let th = *self.th();
        let kid = usize::from(th.kid);
        match th.pc {
            Pc::Freeze => {
                let parent = self.parents().start + usize::from(th.i);
                self.touch(parent)?;
                self.s.headers[parent].0 |= Header::FROZEN;
                let h = self.s.headers[parent];
                // A parent that is moved has live children only: there is nothing to make, at most to mark
                // the other parents.
                if h.is(Header::MOVED) {
                    self.th().i = 0;
                    self.th().pc = Pc::SetMoved;
                    if self.parents().len() == 1 {
                        self.end_group();
                    }
                    return Ok(());
                }
                self.th().i += 1;
                if parent + 1 == self.parents().end || self.sc.has(Mutant::FreezesOneParent) {
                    self.th().i = 0;
                    self.first_kid();
                }
                Ok(())
            }
            Pc::KidLoad => {
                self.touch(kid)?;
                if self.s.headers[kid] != Header::VIRGIN && !self.sc.has(Mutant::ChildOverwritten) {
                    self.next_kid();
                    return Ok(());
                }
                self.place(0)
            }
            Pc::KidReserve => {
                self.touch(kid)?;
                let key = &mut self.s.words[kid].keys[usize::from(th.i)];
                if *key == FREE {
                    *key = RESERVED;
                    self.th().got |= 1 << th.i;
                    self.th().pc = Pc::KidCheck;
                    return Ok(());
                }
                match (th.i + 1..self.sc.cells).find(|c| th.got >> c & 1 == 0) {
                    Some(next) => self.th().i = next,
                    None => return self.place(th.entry + 1),
                }
                Ok(())
            }
            Pc::KidCheck => {
                self.touch(kid)?;
                if self.s.headers[kid] == Header::VIRGIN {
                    self.th().pc = Pc::KidWrite;
                } else {
                    // Live already: another helper was faster. All that is left is to give back the cells.
                    self.th().pc = Pc::KidFree;
                    self.th().i = 0;
                    self.th().entry = 0;
                }
                Ok(())
            }
            Pc::KidWrite => {
                // The key and the lane of a reserved cell, in one step: nobody looks at either.
                self.touch(kid)?;
                let pair = self.share()?.entries[usize::from(th.entry)];
                self.s.words[kid].keys[usize::from(th.i)] = pair.key;
                self.s.words[kid].lanes[usize::from(Header::VIRGIN.lane(th.i))] = pair.value;
                self.place(th.entry + 1)
            }
            Pc::KidBuild => self.build_kid(kid),
            Pc::KidCas => self.publish(kid),
            Pc::KidFree => {
                self.touch(kid)?;
                let cell = th.got.trailing_zeros();
                self.s.words[kid].keys[cell as usize] = FREE;
                self.th().got &= !(1 << cell);
                match self.th() {
                    th if th.got != 0 => {}
                    th if th.done => self.give_up(),
                    _ => self.next_kid(),
                }
                Ok(())
            }
            Pc::SetMoved => self.set_moved(),
            _ => self.resize(),
        }
    }

    /// Puts into a node what found no cell.
    pub fn build_kid(&mut self, kid: usize) -> Done {
        let mut node = Node { life: Life::Private, ..Node::default() };
        if !self.sc.has(Mutant::ChildPartial) {
            let share = self.share()?;
            share.iter().filter(|&entry| !self.holds(kid, entry)).for_each(|entry| node.push(entry));
        }
        let made = if node.len == 0 { Some(0) } else { self.alloc(node) };
        let th = self.th();
        th.pc = Pc::KidCas;
        match made {
            Some(place) => th.node = place,
            None => {
                // The parents stay frozen and readable; whoever has memory will finish.
                th.done = true;
                if th.got == 0 {
                    self.give_up();
                } else {
                    th.pc = Pc::KidFree;
                }
            }
        }
        Ok(())
    }

    pub fn give_up(&mut self) {
        let th = self.th();
        th.kid = 0;
        th.group = 0;
        self.no_memory();
    }

    pub fn publish(&mut self, kid: usize) -> Done {
        self.touch(kid)?;
        let th = *self.th();
        if self.s.headers[kid] == Header::VIRGIN || self.sc.has(Mutant::ChildOverwritten) {
            self.s.headers[kid] = if th.node == 0 {
                Header::VIRGIN.with_valid(th.got).with_tag(1)
            } else {
                let node = usize::from(th.node - 1);
                self.s.nodes[node].life = Life::Live;
                self.s.nodes[node].version = 1;
                Header::VIRGIN.with_valid(th.got).with_node(node as u8)
            };
            self.th().node = 0;
            self.next_kid();
            return Ok(());
        }
        if th.node != 0 && !self.sc.has(Mutant::HelperLeaksNode) {
            self.s.nodes[usize::from(th.node - 1)] = Node::default();
        }
        self.th().node = 0;
        if th.got == 0 || self.sc.has(Mutant::HelperKeepsCells) {
            self.next_kid();
        } else {
            self.th().pc = Pc::KidFree;
        }
        Ok(())
    }

    pub fn set_moved(&mut self) -> Done {
        let th = *self.th();
        let parent = self.parents().start + usize::from(th.i);
        self.touch(parent)?;
        let before = self.s.headers[parent];
        self.s.headers[parent].0 |= Header::MOVED;
        let mine = !before.is(Header::MOVED) || self.sc.has(Mutant::NodeRetiredByEveryHelper);
        if let Some(node) = before.node().filter(|_| mine) {
            self.retire_node(node)?;
        }
        if self.sc.has(Mutant::EntryRetiredByMover) && !before.is(Header::MOVED) {
            for cell in (0..self.sc.cells).filter(|&c| before.has_cell(c)) {
                self.retire_value(self.s.pair(parent, cell).value)?;
            }
        }
        self.th().i += 1;
        if parent + 1 < self.parents().end && !self.sc.has(Mutant::MovedOnOneParentOnly) {
            return Ok(());
        }
        self.end_group();
        Ok(())
    }

    pub fn end_group(&mut self) {
        let th = self.th();
        th.i = 0;
        th.group = if th.back == Back::Advance { th.group } else { 0 };
        match th.back {
            Back::Operation => {
                th.table += 1;
                th.pc = Pc::LoadHeader;
            }
            Back::Help => th.pc = Pc::LoadLow,
            Back::Advance => th.pc = Pc::CasLow,
        }
    }
}
