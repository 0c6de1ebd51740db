//! Where an operation presumes the common case: the first attempt of a change, and a look without a pin. What each of them
//! may begin with, and where they go when that is not there.

use crate::scenario::{Mutant, Op};
use crate::state::{Attempt, Header, Pc};
use crate::step::{Done, Step};

impl Step<'_> {
    /// The operation is a lookup without a pin.
    pub fn looks(&self) -> bool {
        self.s.threads[self.t].unpinned && matches!(self.op(), Op::Get(_))
    }

    /// The first attempt of a change may begin with this header.
    pub fn is_simple(&self, h: Header) -> bool {
        let unpinned = self.s.threads[self.t].unpinned && !self.sc.has(Mutant::FirstInMixedUnpinned);
        let in_frozen = self.sc.has(Mutant::FirstInFrozen) && !h.is(Header::MOVED);
        let room = h.count() + 2 < self.sc.count_max || self.sc.has(Mutant::FirstOnSpent);
        (!h.is(Header::FROZEN) || in_frozen) && (!h.is(Header::MIXED) || !unpinned && room)
    }

    /// The header is not what the operation presumed.
    pub fn elsewhere(&mut self, h: Header) -> Done {
        let th = *self.th();
        let grows = usize::from(th.table) + 1 < self.sc.tables.len()
            && self.sc.tables[usize::from(th.table)] < self.sc.tables[usize::from(th.table) + 1];
        let early = self.sc.has(Mutant::FirstBeforeMoved) && h.is(Header::FROZEN);
        let moved = h.is(Header::MOVED) || early;
        if th.unpinned && moved && !th.next && (self.looks() || grows) {
            self.th().pc = Pc::NextBy;
        } else if self.looks() {
            self.pin_and_restart();
        } else {
            self.anew();
        }
        Ok(())
    }

    /// The next table is named; whether it is linked still, `current` tells. If not, the operation begins anew.
    pub fn next_by(&mut self) -> Done {
        let near = self.s.current <= self.s.threads[self.t].table + 1 || self.sc.has(Mutant::NextUnchecked);
        let looks = self.looks();
        let th = self.th();
        if near {
            th.table += 1;
            th.next = true;
            th.pc = if looks { Pc::LoadFrees } else { Pc::LoadHeader };
        } else if looks {
            th.pc = Pc::Restart;
        } else {
            self.anew();
        }
        Ok(())
    }

    pub fn load_frees(&mut self) -> Done {
        self.th().still = true;
        if self.sc.has(Mutant::FreesLoadedLate) && self.th().h != Header::VIRGIN {
            return self.scan_from(0);
        }
        self.th().pc = Pc::LoadHeader;
        Ok(())
    }

    /// The entry was found under a header that was validated. If that one named a node whose address has come back, a node has
    /// been freed meanwhile.
    pub fn check_frees(&mut self) -> Done {
        if self.th().still {
            return self.done();
        }
        self.pin_and_restart();
        Ok(())
    }

    /// The entry is in no cell; whether it is in the node may be seen under a pin only.
    pub fn miss_beside_a_node(&mut self) -> Done {
        if self.sc.has(Mutant::MissBesideANode) {
            self.th().pc = Pc::Validate;
            return Ok(());
        }
        self.pin_and_restart();
        Ok(())
    }

    fn pin_and_restart(&mut self) {
        self.again();
        let th = self.th();
        th.still = false;
        th.i = 0;
        th.unpinned = false;
        th.attempt = Attempt::Whole;
        th.pc = Pc::Restart;
    }
}
