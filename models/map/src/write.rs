//! The writing half of an operation: choose the change, take the cell or the lane it needs, fill it, and one CAS on the
//! header.

use crate::check::contents;
use crate::scenario::{Codec, Mutant, Op};
use crate::state::{ABSENT, Act, FREE, Fault, Header, IN_NODE, Life, Node, Pair, Pc, RESERVED, Words, fault};
use crate::step::{Done, Step};

impl Step<'_> {
    fn own_pair(&self) -> Pair {
        Pair { key: self.code(), value: self.fresh() }
    }

    fn words(&mut self) -> Result<&mut Words, Fault> {
        let bucket = self.bucket();
        self.touch(bucket)?;
        Ok(&mut self.s.words[bucket])
    }

    /// The key was looked for under `h` and the operation is to change something.
    pub fn begin_write(&mut self) -> Done {
        let th = *self.th();
        let in_cell = (1..IN_NODE).contains(&th.hit);
        let fits = self.fits_a_cell();
        if let Op::Erase(_) = self.op() {
            self.th().act = if in_cell { Act::EraseCell } else { Act::EraseInNode };
            if in_cell && self.sc.has(Mutant::CellFreedBeforeCas) {
                self.th().pc = Pc::EarlyFree;
                return Ok(());
            }
            self.to_cas();
        } else if in_cell && self.sc.has(Mutant::ValueInPlace) {
            let lane = usize::from(th.h.lane(th.hit - 1));
            let fresh = self.fresh();
            self.words()?.lanes[lane] = fresh;
            return self.done();
        } else if in_cell && !th.h.is(Header::CLAIMED) && !self.sc.has(Mutant::LaneNotClaimed) {
            // A change of its own, from exactly this header: the entry stays where it was found.
            self.th().act = Act::Claim;
            self.to_cas();
        } else if in_cell && (th.claimed || self.sc.has(Mutant::LaneNotClaimed)) {
            self.th().act = Act::SwapLane;
            self.th().pc = Pc::WriteLane;
        } else if fits && th.cell != 0 {
            self.use_cell();
        } else if fits {
            self.try_cell(0);
        } else {
            self.without_cell();
        }
        Ok(())
    }

    pub fn fits_a_cell(&self) -> bool {
        self.sc.keys[self.key()].cellable() || self.sc.has(Mutant::CellOfKeyZero)
    }

    /// Turns to the first cell from `cell` on that the header does not hold.
    fn try_cell(&mut self, cell: u8) {
        let h = self.th().h;
        let next = (cell..self.sc.cells).find(|&c| !h.has_cell(c));
        let waits = self.sc.has(Mutant::InsertWaitsForCell) && h.valid().count_ones() < u32::from(self.sc.cells);
        match next {
            Some(next) => {
                self.th().i = next;
                self.th().pc = Pc::Reserve;
            }
            None if waits => self.try_cell(0),
            None => self.without_cell(),
        }
    }

    pub fn reserve(&mut self) -> Done {
        let i = self.th().i;
        let kept = self.sc.has(Mutant::CellNotReserved);
        let key = &mut self.words()?.keys[usize::from(i)];
        if *key != FREE {
            self.try_cell(i + 1);
            return Ok(());
        }
        if !kept {
            *key = RESERVED;
        }
        let bucket = self.bucket();
        let th = self.th();
        th.cell = i + 1;
        th.cell_bucket = bucket as u8;
        th.i = 0;
        th.pc = Pc::Recheck;
        if self.sc.has(Mutant::LaneNotRechecked) {
            self.use_cell();
        }
        Ok(())
    }

    pub fn recheck(&mut self) -> Done {
        let h = self.th().h;
        self.words()?;
        if self.s.headers[self.bucket()] == h {
            self.use_cell();
        } else {
            self.again();
        }
        Ok(())
    }

    /// Looks again, from a fresh header.
    fn again(&mut self) {
        let th = self.th();
        th.act = Act::None;
        th.h = Header::VIRGIN;
        th.hit = 0;
        th.val = ABSENT;
        th.taken = Default::default();
        th.pc = Pc::LoadHeader;
    }

    fn use_cell(&mut self) {
        let th = self.th();
        th.act = match th.hit {
            0 => Act::InsertInCell,
            IN_NODE => Act::NodeToCell,
            _ => Act::CellToCell,
        };
        th.pc = Pc::WriteLane;
    }

    /// No cell is to be had: the node takes the entry.
    fn without_cell(&mut self) {
        let fits = self.fits_a_cell();
        let full = (1 << self.sc.cells) - 1;
        let th = self.th();
        th.i = 0;
        match th.hit {
            0 => th.act = Act::InsertInNode,
            IN_NODE if fits && th.h.valid() == full => {
                th.act = Act::NodeAndVictim;
                th.pc = Pc::TakeLane;
                return;
            }
            IN_NODE => th.act = Act::NodeToNode,
            _ => th.act = Act::CellToNode,
        }
        self.to_cas();
    }

    pub fn write_lane(&mut self) -> Done {
        let th = *self.th();
        let fresh = self.fresh();
        let lane = match th.act {
            Act::SwapLane => th.h.free_lane(self.sc.cells),
            _ => th.h.lane(th.cell - 1),
        };
        self.words()?.lanes[usize::from(lane)] = fresh;
        if th.act == Act::SwapLane {
            self.to_cas();
        } else {
            self.th().pc = Pc::WriteKey;
        }
        Ok(())
    }

    pub fn write_key(&mut self) -> Done {
        let code = self.code();
        let cell = usize::from(self.th().cell - 1);
        self.words()?.keys[cell] = code;
        self.to_cas();
        Ok(())
    }

    /// A change of the node's entries, or one more change of a spent header, needs a fresh node.
    pub fn to_cas(&mut self) {
        let spent = self.spent(self.s.threads[self.t].h);
        let th = self.th();
        th.i = 0;
        th.pc = if th.act == Act::Clear || (th.act.keeps_node() && !spent) { Pc::CasHeader } else { Pc::BuildNode };
    }

    fn spent(&self, h: Header) -> bool {
        h.is(Header::MIXED) && h.count() == self.sc.count_max && !self.sc.has(Mutant::CountStartsOver)
    }

    pub fn build_node(&mut self) -> Done {
        let th = *self.th();
        let mut node = Node { life: Life::Private, ..Node::default() };
        if let Some(old) = th.h.node() {
            self.touch_node(old)?;
            for &entry in self.s.nodes[old].entries() {
                match th.act {
                    Act::NodeToCell | Act::EraseInNode if entry.key == self.code() => {}
                    Act::NodeAndVictim | Act::NodeToNode if entry.key == self.code() => node.push(self.own_pair()),
                    _ => node.push(entry),
                }
            }
        }
        match th.act {
            Act::InsertInNode | Act::CellToNode => node.push(self.own_pair()),
            Act::NodeAndVictim => node.push(th.taken[0]),
            _ => {}
        }
        if let Some(old) = th.h.node().filter(|_| self.sc.has(Mutant::NodeRetiredBeforeCas)) {
            self.retire_node(old)?;
        }
        let made = if node.len == 0 { Some(0) } else { self.alloc(node) };
        match made {
            Some(place) => {
                self.th().node = place;
                self.th().pc = Pc::CasHeader;
            }
            None if th.act == Act::Unclaim => {
                // The lane stays withheld until the bucket is migrated.
                self.th().claimed = false;
                self.leave();
            }
            None => self.no_memory(),
        }
        Ok(())
    }

    /// The operation ends with "no memory", having changed nothing.
    pub fn no_memory(&mut self) {
        self.settle();
        self.th().val = ABSENT;
        self.leave();
    }

    /// The valid bits, lanes and claim after the change, from those of `h`.
    fn shape_after(&self, h: Header) -> Header {
        let th = &self.s.threads[self.t];
        let own = if th.cell == 0 { 0 } else { 1 << (th.cell - 1) };
        let hit = if (1..IN_NODE).contains(&th.hit) { 1 << (th.hit - 1) } else { 0 };
        let after = match th.act {
            Act::Clear => h.with_valid(0),
            Act::Claim => return h.with_claim(true),
            Act::Unclaim => return h.with_claim(false),
            Act::SwapLane => h.with_lane_swapped(th.hit - 1, self.sc.cells),
            Act::InsertInCell | Act::NodeToCell => h.with_valid(h.valid() | own),
            Act::CellToCell => h.with_valid(h.valid() & !hit | own),
            Act::CellToNode | Act::EraseCell => h.with_valid(h.valid() & !hit),
            Act::NodeAndVictim => h.with_valid(h.valid() & !1),
            Act::InsertInNode | Act::NodeToNode | Act::EraseInNode | Act::None => h,
        };
        if th.claimed || self.sc.has(Mutant::ClaimEndedByOther) { after.with_claim(false) } else { after }
    }

    pub fn cas_header(&mut self) -> Done {
        let bucket = self.bucket();
        self.touch(bucket)?;
        let th = *self.th();
        let now = self.s.headers[bucket];
        if now != th.h {
            if th.node != 0 {
                self.s.nodes[usize::from(th.node - 1)] = Node::default();
                self.th().node = 0;
            }
            if self.sc.has(Mutant::EntryRetiredBeforeCas) && th.hit != 0 {
                self.retire_value(th.val)?;
            }
            if th.act == Act::Unclaim {
                self.leave();
            } else {
                self.again();
            }
            return Ok(());
        }
        let old_entries = contents(self.sc, &self.s, bucket).collect::<Vec<_>>();
        let shape = self.shape_after(now);
        let version = self.s.version(bucket);
        let kept = th.act.keeps_node() && !self.spent(now);
        let next = if th.node != 0 {
            let node = usize::from(th.node - 1);
            self.s.nodes[node].life = Life::Live;
            self.s.nodes[node].version = version;
            shape.with_node(th.node - 1)
        } else if kept && now.is(Header::MIXED) {
            match now.count() {
                count if self.sc.has(Mutant::CountNotBumped) => shape.with_count(count),
                count if count == self.sc.count_max => shape.with_count(0),
                count => shape.with_count(count + 1),
            }
        } else {
            match () {
                () if self.sc.has(Mutant::NoVersionBump) && now != Header::VIRGIN => {
                    shape.without_node().with_tag(version)
                }
                () if self.sc.has(Mutant::VersionRestartsAfterMixed) && !kept => shape.without_node().with_tag(1),
                () => shape.without_node().with_tag(version + 1),
            }
        };
        self.s.headers[bucket] = next;
        if let Some(old) = now.node().filter(|_| !kept) {
            self.replace_node(old)?;
        }
        self.th().node = 0;
        match th.act {
            Act::Claim => {
                self.th().claimed = true;
                self.th().h = next;
                self.th().act = Act::SwapLane;
                self.th().pc = Pc::WriteLane;
                Ok(())
            }
            Act::Unclaim => {
                self.th().claimed = false;
                self.leave();
                Ok(())
            }
            Act::Clear => self.commit_clear(now, old_entries),
            _ => self.commit(),
        }
    }

    fn replace_node(&mut self, old: usize) -> Done {
        if self.sc.has(Mutant::NodeRetiredBeforeCas) || self.sc.has(Mutant::NodeNotRetired) {
            return Ok(());
        }
        if self.sc.has(Mutant::NodeFreedAtOnce) {
            self.s.nodes[old] = Node::default();
            return Ok(());
        }
        self.retire_node(old)
    }

    /// The linearization point of every change.
    fn commit(&mut self) -> Done {
        let th = *self.th();
        let key = self.key();
        let before = self.s.map[key];
        if before != th.val {
            return fault(format!("linearizability: a change took {} for the old value, which was {before}", th.val));
        }
        let value = if matches!(self.op(), Op::Erase(_)) { ABSENT } else { self.fresh() };
        self.set(key, value);
        if value != ABSENT && self.sc.codec == Codec::Entry {
            self.s.entries[usize::from(value)] = Life::Live;
        }
        if th.hit != 0 && !self.sc.has(Mutant::EntryNotRetired) {
            self.retire_value(th.val)?;
        }
        let old = match th.act {
            Act::CellToCell | Act::CellToNode => 1 << (th.hit - 1),
            Act::EraseCell if !self.sc.has(Mutant::CellFreedBeforeCas) => 1 << (th.hit - 1),
            Act::NodeAndVictim => 1,
            _ => 0,
        };
        self.settle();
        let th = self.th();
        // Given back by this very change.
        th.claimed = false;
        if th.act.uses_cell() {
            th.cell = 0;
            th.cell_bucket = 0;
        }
        th.act = Act::None;
        th.taken = Default::default();
        th.old = old;
        self.leave();
        Ok(())
    }

    /// What is left to give back, then the answer.
    pub fn leave(&mut self) {
        let keep = self.sc.has(Mutant::CellKeptAfterExists);
        let forget = self.sc.has(Mutant::ClaimKeptAfterExists);
        let th = self.th();
        th.act = Act::None;
        th.h = Header::VIRGIN;
        th.pc = match () {
            () if th.old != 0 => Pc::FreeOld,
            () if th.cell != 0 && !keep => Pc::FreeCell,
            () if th.claimed && !forget => Pc::LoadClaimed,
            () if !th.done => Pc::LoadHeader,
            () => Pc::Return,
        };
    }

    /// The header to give the claim back from. A frozen bucket gives out no more lanes.
    pub fn load_claimed(&mut self) -> Done {
        self.words()?;
        let h = self.s.headers[self.bucket()];
        if h.is(Header::FROZEN) {
            self.th().claimed = false;
            self.leave();
            return Ok(());
        }
        self.th().h = h;
        self.th().act = Act::Unclaim;
        self.to_cas();
        Ok(())
    }
}
