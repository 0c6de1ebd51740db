//! The writing half of an operation: choose the change, take the cell or the lane it needs, fill it, and one
//! CAS on the header.

use crate::scenario::{Mutant, Op};
use crate::state::{
    ABSENT, Act, Attempt, FREE, Fault, Header, IN_NODE, Life, Node, Pair, Pc, RESERVED, Words,
};
use crate::step::{Done, Step};

impl Step<'_> {
    pub fn own_pair(&self) -> Pair {
        Pair { key: self.code(), value: self.fresh() }
    }

    pub fn words(&mut self) -> Result<&mut Words, Fault> {
        let bucket = self.bucket();
        self.touch(bucket)?;
        Ok(&mut self.s.words[bucket])
    }

    /// The key was looked for under `h` and the operation is to change something.
    pub fn begin_write(&mut self) -> Done {
        let th = *self.th();
        let in_cell = (1..IN_NODE).contains(&th.hit);
        let fits = self.fits_a_cell();
        let first = th.attempt == Attempt::First;
        if first && th.hit == IN_NODE {
            self.anew();
        } else if let Op::Erase(_) = self.op() {
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
        } else if in_cell && self.spare_goes_with_header() {
            let th = self.th();
            th.act = Act::SpareWithHeader;
            th.pc = Pc::ReadSpare;
        } else if in_cell && th.claimed && self.can_swap() {
            self.use_free_lane();
        } else if fits && th.cell != 0 {
            self.use_cell();
        } else if fits {
            self.try_cell(0);
        } else {
            self.without_cell();
        }
        Ok(())
    }

    /// Whether the free lane can be that of the cell with the entry.
    pub fn can_swap(&self) -> bool {
        let th = &self.s.threads[self.t];
        th.h.can_swap(th.hit - 1) || self.sc.has(Mutant::SpareLaneTaken)
    }

    /// Whether the new value goes into the spare lane together with the header: the first attempt only where the cell has
    /// that lane, the others also where nobody has it.
    fn spare_goes_with_header(&self) -> bool {
        let th = &self.s.threads[self.t];
        let cell = th.hit - 1;
        let claimed = th.h.is(Header::CLAIMED) && !self.sc.has(Mutant::SpareOfClaimant);
        let free = th.attempt != Attempt::First && th.h.can_swap(cell) && !claimed;
        self.sc.pairs && !th.claimed && !self.spent(th.h) && (th.h.has_spare(cell) || free)
    }

    /// The lane is claimed. It takes the new value, after it has been left by another cell's where need be.
    pub fn use_free_lane(&mut self) {
        let can_swap = self.can_swap();
        let th = self.th();
        th.act = if can_swap { Act::SwapLane } else { Act::BringHome };
        th.pc = if can_swap { Pc::WriteLane } else { Pc::ReadSpare };
    }

    pub fn read_spare(&mut self) -> Done {
        let value = self.words()?.lanes[0];
        let th = self.th();
        th.taken[0].value = value;
        if th.act == Act::SpareWithHeader {
            if self.sc.has(Mutant::SpareWrittenBefore) {
                let fresh = self.fresh();
                self.words()?.lanes[0] = fresh;
                self.th().taken[0].value = fresh;
            }
            self.to_cas();
        } else {
            th.pc = Pc::WriteLane;
        }
        Ok(())
    }

    pub fn fits_a_cell(&self) -> bool {
        self.sc.keys[self.key()].cellable() || self.sc.has(Mutant::CellOfKeyZero)
    }

    /// Turns to the first cell from `cell` on that the header does not hold.
    pub fn try_cell(&mut self, cell: u8) {
        let h = self.th().h;
        let first = self.th().attempt == Attempt::First;
        let next = (cell..self.sc.cells).find(|&c| !h.has_cell(c));
        let waits =
            self.sc.has(Mutant::InsertWaitsForCell) && h.valid().count_ones() < u32::from(self.sc.cells);
        match next {
            Some(next) => {
                self.th().i = next;
                self.th().pc = Pc::Reserve;
            }
            None if first && self.th().hit == 0 => self.anew(),
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
        } else if self.th().attempt == Attempt::First {
            self.anew();
        } else {
            self.again();
        }
        Ok(())
    }

    /// The first attempt came to nothing: what it has it gives back, and then it begins anew.
    pub fn anew(&mut self) {
        self.again();
        let (keeps_cell, keeps_claim) =
            (self.sc.has(Mutant::FirstKeepsCell), self.sc.has(Mutant::FirstKeepsClaim));
        let th = self.th();
        th.i = 0;
        th.attempt = Attempt::Anew;
        if keeps_cell {
            th.cell = 0;
            th.cell_bucket = 0;
        }
        th.claimed &= !keeps_claim;
        self.leave();
    }

    /// Begins anew, from the table that is the current one now. A change pins before it does.
    pub fn restart(&mut self) -> Done {
        let current = self.s.current;
        let get = matches!(self.op(), Op::Get(_));
        let th = self.th();
        th.table = current;
        th.next = false;
        if get && th.unpinned {
            th.pc = Pc::LoadFrees;
            return Ok(());
        }
        th.attempt = Attempt::Whole;
        th.unpinned = false;
        th.pc = Pc::LoadHeader;
        Ok(())
    }

    /// Looks again, from a fresh header.
    pub fn again(&mut self) {
        let th = self.th();
        th.act = Act::None;
        th.h = Header::VIRGIN;
        th.hit = 0;
        th.val = ABSENT;
        th.taken = Default::default();
        th.pc = Pc::LoadHeader;
    }

    pub fn use_cell(&mut self) {
        let th = self.th();
        th.act = match th.hit {
            0 => Act::InsertInCell,
            IN_NODE => Act::NodeToCell,
            _ => Act::CellToCell,
        };
        th.pc = Pc::WriteLane;
    }

    /// No cell is to be had: the node takes the entry.
    pub fn without_cell(&mut self) {
        let first = self.th().attempt == Attempt::First;
        let takes_claimed = first && self.sc.has(Mutant::FirstTakesClaimed);
        let fits = self.fits_a_cell();
        let full = (1 << self.sc.cells) - 1;
        let can_swap = (1..IN_NODE).contains(&self.th().hit) && self.can_swap();
        let invalid = self.sc.has(Mutant::InvalidCellBroughtHome);
        let unclaimed = self.sc.has(Mutant::LaneNotClaimed);
        let th = self.th();
        th.i = 0;
        let in_cell = (1..IN_NODE).contains(&th.hit);
        let borrower = if invalid { th.h.any_borrower() } else { th.h.borrower() };
        if in_cell
            && (can_swap || borrower.is_some())
            && (th.claimed || !th.h.is(Header::CLAIMED) || unclaimed || takes_claimed)
        {
            if th.claimed || unclaimed {
                self.use_free_lane();
            } else {
                // A change of its own, from exactly this header: the entry stays where it was found.
                th.act = Act::Claim;
                self.to_cas();
            }
            return;
        }
        if first {
            return self.anew();
        }
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
        let (lane, value) = match th.act {
            Act::SwapLane if !th.h.can_swap(th.hit - 1) => (0, fresh),
            Act::SwapLane => (th.h.free_lane(), fresh),
            Act::BringHome => (th.h.free_lane(), th.taken[0].value),
            _ => (th.h.lane(th.cell - 1), fresh),
        };
        self.words()?.lanes[usize::from(lane)] = value;
        if matches!(th.act, Act::SwapLane | Act::BringHome) {
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
        let in_place = th.act.keeps_node() && (th.attempt == Attempt::First || !spent);
        th.pc = if th.act == Act::Clear || in_place { Pc::CasHeader } else { Pc::BuildNode };
    }

    pub fn spent(&self, h: Header) -> bool {
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
                    Act::NodeAndVictim | Act::NodeToNode if entry.key == self.code() => {
                        node.push(self.own_pair())
                    }
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
            () if th.attempt == Attempt::Anew => Pc::Restart,
            () if !th.done => Pc::LoadHeader,
            () => Pc::Return,
        };
    }

    /// The header to give the claim back from. A frozen bucket gives out no more lanes.
    pub fn load_claimed(&mut self) -> Done {
        self.words()?;
        self.th().unpinned = false;
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
