//! The writing half of an operation: reserve a cell, fill it, and one CAS on the header.

use crate::scenario::{Codec, Mutant, Op};
use crate::state::{ABSENT, Cell, FREE, Fault, Header, IN_NODE, Life, Node, Pc, RESERVED, fault};
use crate::step::{Done, Step};

impl Step<'_> {
    pub fn begin_write(&mut self) -> Done {
        let th = *self.th();
        let erase = matches!(self.op(), Op::Erase(_));
        let cellable = self.sc.keys[self.key()].cellable() || self.sc.has(Mutant::CellOfKeyZero);
        if erase && self.sc.has(Mutant::CellFreedBeforeCas) && (1..IN_NODE).contains(&th.hit) {
            self.th().pc = Pc::EarlyFree;
        } else if !erase && self.sc.has(Mutant::ValueInPlace) && (1..IN_NODE).contains(&th.hit) {
            let bucket = self.bucket();
            self.s.cells[bucket][usize::from(th.hit - 1)].b = self.fresh();
            return self.done();
        } else if !erase && cellable && th.cell == 0 {
            self.try_cell(0);
        } else {
            self.to_cas();
        }
        Ok(())
    }

    /// Turns to the first cell from `cell` on that the header does not hold; without one, to the node.
    pub fn try_cell(&mut self, cell: u8) {
        let h = self.th().h;
        let next = (cell..self.sc.cells).find(|&c| !h.has_cell(c));
        let waits = self.sc.has(Mutant::InsertWaitsForCell) && h.valid().count_ones() < u32::from(self.sc.cells);
        match next {
            Some(next) => {
                self.th().i = next;
                self.th().pc = Pc::Reserve;
            }
            None if waits => self.try_cell(0),
            None => self.to_cas(),
        }
    }

    pub fn reserve(&mut self) -> Done {
        let bucket = self.bucket();
        self.touch(bucket)?;
        let i = self.th().i;
        let cell = &mut self.s.cells[bucket][usize::from(i)];
        if cell.a != FREE {
            self.try_cell(i + 1);
            return Ok(());
        }
        if !self.sc.has(Mutant::CellNotReserved) {
            cell.a = RESERVED;
        }
        let th = self.th();
        th.cell = i + 1;
        th.cell_bucket = bucket as u8;
        th.pc = Pc::StoreB;
        Ok(())
    }

    pub fn own_cell(&mut self) -> Result<&mut Cell, Fault> {
        let th = *self.th();
        self.touch(usize::from(th.cell_bucket))?;
        Ok(&mut self.s.cells[usize::from(th.cell_bucket)][usize::from(th.cell - 1)])
    }

    /// A change of a mixed bucket, or one that found no cell, needs a node first.
    pub fn to_cas(&mut self) {
        let erase = matches!(self.op(), Op::Erase(_));
        let th = self.th();
        th.i = 0;
        th.pc = if th.h.is(Header::MIXED) || (!erase && th.cell == 0) { Pc::BuildNode } else { Pc::CasHeader };
    }

    pub fn build_node(&mut self) -> Done {
        let th = *self.th();
        let mut node = Node { life: Life::Private, ..Node::default() };
        if let Some(old) = th.h.node() {
            self.touch_node(old)?;
            for &entry in self.s.nodes[old].entries() {
                if entry.a != self.code() {
                    node.push(entry);
                }
            }
        }
        if th.cell == 0 && !matches!(self.op(), Op::Erase(_)) {
            node.push(Cell { a: self.code(), b: self.fresh() });
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
            None => self.no_memory(),
        }
        Ok(())
    }

    /// The operation ends with "no memory", having changed nothing.
    pub fn no_memory(&mut self) {
        self.settle();
        self.th().val = ABSENT;
        self.th().pc = if self.th().cell == 0 { Pc::Return } else { Pc::FreeCell };
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
            return self.on_header(now);
        }
        let mut valid = now.valid();
        if (1..IN_NODE).contains(&th.hit) {
            valid &= !(1 << (th.hit - 1));
        }
        if th.cell != 0 {
            valid |= 1 << (th.cell - 1);
        }
        let old_node = now.node();
        let version = 1 + old_node.map_or(now.tag(), |node| self.s.nodes[node].version);
        let next = if th.node == 0 {
            match old_node {
                _ if self.sc.has(Mutant::NoVersionBump) && now.is(Header::LIVE) => Header::plain(valid, version - 1),
                Some(_) if self.sc.has(Mutant::VersionRestartsAfterMixed) => Header::plain(valid, 0),
                _ => Header::plain(valid, version),
            }
        } else {
            let node = usize::from(th.node - 1);
            self.s.nodes[node].life = Life::Live;
            self.s.nodes[node].version = version;
            Header::mixed(valid, node as u8)
        };
        // Only planted bugs write over a frozen header.
        self.s.headers[bucket] = Header(next.0 | now.0 & (Header::FROZEN | Header::MOVED));
        if let Some(old) = old_node {
            self.replace_node(bucket, old)?;
        }
        self.commit()
    }

    pub fn replace_node(&mut self, bucket: usize, old: usize) -> Done {
        if self.sc.has(Mutant::NodeKeptInMixed) && self.th().node != 0 {
            // The same address with new contents: what a node changed in place would look like.
            let new = usize::from(self.th().node - 1);
            self.s.nodes[old] = self.s.nodes[new];
            self.s.nodes[new] = Node::default();
            self.s.headers[bucket] = Header::mixed(self.s.headers[bucket].valid(), old as u8);
            return Ok(());
        }
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
    pub fn commit(&mut self) -> Done {
        let th = *self.th();
        let key = self.key();
        let before = self.s.map[key];
        if before != th.val {
            return fault(format!(
                "linearizability: a change took value {} for the old one, which was {before}",
                th.val
            ));
        }
        let value = if matches!(self.op(), Op::Erase(_)) { ABSENT } else { self.fresh() };
        self.s.map[key] = value;
        for other in self.s.threads.iter_mut().filter(|other| other.key == th.key && !other.done) {
            other.seen |= 1 << value;
        }
        if value != ABSENT && self.sc.codec == Codec::Entry {
            self.s.entries[usize::from(value)] = Life::Live;
        }
        if th.hit != 0 && !self.sc.has(Mutant::EntryNotRetired) {
            self.retire_value(th.val)?;
        }
        let in_cell = (1..IN_NODE).contains(&th.hit) && !self.sc.has(Mutant::CellFreedBeforeCas);
        let th = *self.th();
        self.settle();
        let hit = th.hit;
        let th = self.th();
        th.cell = 0;
        th.cell_bucket = 0;
        th.node = 0;
        th.old = if in_cell { hit } else { 0 };
        th.pc = if in_cell { Pc::FreeOld } else { Pc::Return };
        Ok(())
    }
}
