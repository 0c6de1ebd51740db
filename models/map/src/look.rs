//! The reading half of an operation: what it does with a header that it has read, what it finds in the bucket, and
//! whether that stands.

use crate::scenario::{Mutant, Op};
use crate::state::{ABSENT, Attempt, Back, Header, IN_NODE, Pc, fault};
use crate::step::{Done, Step};

impl Step<'_> {
    /// What the thread does with a header it has just read, by a load or by a failed CAS.
    pub fn on_header(&mut self, h: Header) -> Done {
        let get = matches!(self.op(), Op::Get(_));
        let table = self.th().table;
        if self.looks() && h.is(Header::MOVED) || self.th().attempt == Attempt::First && !self.is_simple(h) {
            return self.elsewhere(h);
        }
        if h.is(Header::FROZEN) && !self.s.tables[usize::from(table)].next {
            return fault("I3: a frozen header in a table without a successor");
        }
        if h.is(Header::FROZEN) {
            // Before the operation goes elsewhere it gives back what it has here. The lane is nobody's any
            // more.
            self.th().claimed = false;
            if self.th().cell != 0 && !self.sc.has(Mutant::CellKeptAfterFreeze) {
                self.leave();
                return Ok(());
            }
        }
        if h.is(Header::MOVED)
            || (h.is(Header::FROZEN) && get && self.sc.has(Mutant::ReaderTakesUninitialised))
        {
            self.th().cell = 0;
            self.move_on();
            return Ok(());
        }
        if h == Header::VIRGIN && table != 0 && !self.sc.has(Mutant::ReaderTakesUninitialised) {
            return fault("I4: an operation reached a bucket that is not migrated yet");
        }
        let first = self.th().attempt == Attempt::First;
        if h.is(Header::FROZEN) && !get && !first && !self.sc.has(Mutant::IgnoresFrozen) {
            if self.sc.has(Mutant::WriterWaitsForHelper) {
                self.th().pc = Pc::Wait;
                return Ok(());
            }
            self.begin_group_of_key();
            return Ok(());
        }
        if matches!(self.op(), Op::Clear(_)) {
            return self.begin_clear(h);
        }
        let blind = self.sc.has(Mutant::NoRescanAfterFailure) && self.th().cell != 0;
        let th = self.th();
        th.h = h;
        th.hit = 0;
        th.val = ABSENT;
        if blind {
            return self.begin_write();
        }
        if self.looks() && self.sc.has(Mutant::FreesLoadedLate) && h != Header::VIRGIN {
            self.th().pc = Pc::LoadFrees;
            return Ok(());
        }
        self.scan_from(0)
    }

    pub fn begin_group_of_key(&mut self) {
        let table = self.th().table;
        let groups = self.sc.groups(table);
        let key = self.key();
        let group = usize::from(self.sc.keys[key].top) * usize::from(groups) / 4;
        self.begin_group(group as u8, Back::Operation);
    }

    /// The next valid cell from `cell` on, then the node, then the verdict.
    pub fn scan_from(&mut self, cell: u8) -> Done {
        let h = self.th().h;
        let cellable = self.fits_a_cell();
        let next = (cell..self.sc.cells).find(|&c| cellable && h.has_cell(c));
        let th = self.th();
        if let Some(next) = next {
            th.i = next;
            th.pc = Pc::ReadKey;
            return Ok(());
        }
        let without = th.unpinned && !self.sc.has(Mutant::NodeReadUnpinned);
        match h.node() {
            Some(_) if without && self.looks() => self.miss_beside_a_node(),
            Some(_) if !without => {
                self.th().pc = Pc::ReadNode;
                Ok(())
            }
            _ => self.scanned(),
        }
    }

    pub fn found(&mut self, hit: u8, val: u8) -> Done {
        self.th().hit = hit;
        self.th().val = val;
        self.scanned()
    }

    /// The operation changes nothing, given what it has found.
    pub fn only_reads(&self) -> bool {
        let th = &self.s.threads[self.t];
        match self.op() {
            Op::Get(_) => true,
            Op::Insert(_) => th.hit != 0,
            Op::Erase(_) | Op::Update(_) => th.hit == 0,
            Op::CompareExchange(_, expected) => th.hit == 0 || th.val != expected,
            _ => false,
        }
    }

    pub fn scanned(&mut self) -> Done {
        self.th().i = 0;
        let th = *self.th();
        if th.h.is(Header::FROZEN) && matches!(self.op(), Op::Get(_)) && !th.unpinned {
            // Frozen contents cannot change: nothing to validate.
            if self.sc.cautious {
                self.th().pc = Pc::LoadChild;
                return Ok(());
            }
            return self.done();
        }
        let planted = match th.hit {
            0 => self.sc.has(Mutant::NoValidationOfMiss),
            _ => self.sc.has(Mutant::NoValidation),
        };
        // A hit in the node needs no second look: the node is immutable, and was the bucket's when the header
        // was loaded.
        if planted || th.hit == IN_NODE {
            return self.validated();
        }
        self.th().pc = Pc::Validate;
        Ok(())
    }

    pub fn validated(&mut self) -> Done {
        self.deref(self.s.threads[self.t].val)?;
        if self.only_reads() {
            return self.done();
        }
        self.begin_write()
    }
}
