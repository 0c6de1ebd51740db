//! One step of one thread: exactly one access to shared memory that others can tell apart, and the private
//! work up to the next. The operations on a bucket are here, the migration is in [`crate::migrate`].

use crate::check::check;
use crate::scenario::{Codec, Mutant, Op, Scenario};
use crate::state::{ABSENT, Attempt, Back, FREE, Fault, Header, IN_NODE, Life, Pc, State, Thread, fault};

pub type Done = Result<(), Fault>;

/// A state in the hands of the thread that moves.
pub struct Step<'a> {
    pub sc: &'a Scenario,
    pub s: State,
    pub t: usize,
}

/// The state after thread `t`'s next step, or what is wrong with that step.
pub fn step(sc: &Scenario, s: &State, t: usize) -> Result<State, Fault> {
    let mut step = Step { sc, s: *s, t };
    step.run()?;
    check(sc, s, &step.s)?;
    step.s.rename_versions(sc);
    Ok(step.s)
}

impl Step<'_> {
    pub fn th(&mut self) -> &mut Thread {
        &mut self.s.threads[self.t]
    }

    pub fn op(&self) -> Op {
        self.s.op(self.sc, self.t)
    }

    pub fn key(&self) -> usize {
        usize::from(self.s.threads[self.t].key.expect("an operation on a key"))
    }

    pub fn code(&self) -> u8 {
        self.sc.keys[self.key()].code
    }

    /// The value the operation brings.
    pub fn fresh(&self) -> u8 {
        self.sc.value(self.t, usize::from(self.s.threads[self.t].op))
    }

    pub fn bucket(&self) -> usize {
        self.sc.bucket(self.s.threads[self.t].table, self.key())
    }

    /// Checks that a bucket's memory may be touched.
    pub fn touch(&self, bucket: usize) -> Done {
        match self.s.tables[usize::from(self.sc.table_of(bucket))].life {
            Life::Live | Life::Retired(_) => Ok(()),
            life => fault(format!("memory: a bucket of a table that is {life:?} is accessed")),
        }
    }

    pub fn touch_node(&self, node: usize) -> Done {
        match self.s.nodes[node].life {
            Life::Live | Life::Retired(_) => Ok(()),
            life => fault(format!("memory: a node that is {life:?} is read")),
        }
    }

    pub fn deref(&self, value: u8) -> Done {
        let life = self.s.entries[usize::from(value)];
        if self.sc.codec == Codec::Entry && value != ABSENT && life == Life::Free {
            return fault("memory: an entry that is freed is read");
        }
        Ok(())
    }

    pub fn run(&mut self) -> Done {
        let th = *self.th();
        match th.pc {
            Pc::Start => self.start(),
            Pc::LoadNext => self.load_next(),
            Pc::Restart => self.restart(),
            Pc::LoadFrees => self.load_frees(),
            Pc::CheckFrees => self.check_frees(),
            Pc::NextBy => self.next_by(),
            Pc::LoadHeader => {
                self.touch(self.bucket())?;
                self.on_header(self.s.headers[self.bucket()])
            }
            Pc::ReadKey => {
                self.touch(self.bucket())?;
                if self.s.words[self.bucket()].keys[usize::from(th.i)] == self.code() {
                    self.th().pc = Pc::ReadLane;
                    return Ok(());
                }
                self.scan_from(th.i + 1)
            }
            Pc::ReadLane => {
                self.touch(self.bucket())?;
                let val = self.s.words[self.bucket()].lanes[usize::from(th.h.lane(th.i))];
                self.found(th.i + 1, val)
            }
            Pc::ReadNode => {
                let node = th.h.node().expect("a mixed header");
                self.touch_node(node)?;
                let code = self.code();
                let entry = self.s.nodes[node].entries().iter().find(|e| e.key == code).copied();
                match entry {
                    Some(entry) => self.found(IN_NODE, entry.value),
                    None => self.scanned(),
                }
            }
            Pc::Validate => {
                self.touch(self.bucket())?;
                if self.sc.has(Mutant::DerefBeforeValidation) {
                    self.deref(th.val)?;
                }
                let now = self.s.headers[self.bucket()];
                match () {
                    () if now == th.h && self.looks() => {
                        self.deref(th.val)?;
                        let checks = th.hit != 0 && !self.sc.has(Mutant::FreesNotChecked);
                        if checks {
                            self.th().pc = Pc::CheckFrees;
                            return Ok(());
                        }
                        self.done()
                    }
                    () if now == th.h => self.validated(),
                    () if self.looks() => {
                        self.again();
                        let th = self.th();
                        th.still = false;
                        th.i = 0;
                        th.pc = Pc::Restart;
                        Ok(())
                    }
                    () if th.attempt == Attempt::First => {
                        self.anew();
                        Ok(())
                    }
                    () => self.on_header(now),
                }
            }
            Pc::LoadChild => {
                let child = self.sc.bucket(th.table + 1, self.key());
                self.touch(child)?;
                if self.s.headers[child] == Header::VIRGIN {
                    return self.done();
                }
                self.move_on();
                Ok(())
            }
            Pc::Reserve => self.reserve(),
            Pc::Recheck => self.recheck(),
            Pc::WriteLane => self.write_lane(),
            Pc::ReadSpare => self.read_spare(),
            Pc::WriteKey => self.write_key(),
            Pc::TakeLane | Pc::TakeKey => self.take(),
            Pc::BuildNode => self.build_node(),
            Pc::EarlyFree => {
                let bucket = self.bucket();
                self.s.words[bucket].keys[usize::from(th.hit - 1)] = FREE;
                self.to_cas();
                Ok(())
            }
            Pc::CasHeader => self.cas_header(),
            Pc::FreeOld => {
                let bucket = self.bucket();
                self.touch(bucket)?;
                self.s.words[bucket].keys[th.old.trailing_zeros() as usize] = FREE;
                self.th().old &= th.old - 1;
                self.leave();
                Ok(())
            }
            Pc::FreeCell => {
                self.touch(usize::from(th.cell_bucket))?;
                self.s.words[usize::from(th.cell_bucket)].keys[usize::from(th.cell - 1)] = FREE;
                self.th().cell = 0;
                self.th().cell_bucket = 0;
                self.leave();
                Ok(())
            }
            Pc::LoadClaimed => self.load_claimed(),
            Pc::Return => self.respond(),
            Pc::ScanPin | Pc::ScanHeader | Pc::ScanNode | Pc::ScanValidate => self.scan(),
            Pc::Wait => {
                if self.s.headers[self.bucket()].is(Header::MOVED) {
                    self.move_on();
                }
                Ok(())
            }
            _ => self.migrate(),
        }
    }

    pub fn start(&mut self) -> Done {
        let op = self.op();
        let current = self.s.current;
        let seen = op.key().map_or(0, |key| 1 << self.s.map[key]);
        let eager = self.sc.eager && !matches!(op, Op::Get(_));
        let get = matches!(op, Op::Get(_));
        let first = self.sc.attempts && op.key().is_some() && !eager && !get && !matches!(op, Op::Clear(_));
        let unpinned = self.sc.words && op.key().is_some() && !matches!(op, Op::Clear(_));
        let pc = match () {
            () if op.key().is_none() || eager => Pc::LoadNext,
            () if get && unpinned && !self.sc.has(Mutant::FreesLoadedLate) => Pc::LoadFrees,
            () => Pc::LoadHeader,
        };
        *self.th() = Thread {
            op: self.th().op,
            pc,
            key: op.key().map(|key| key as u8),
            table: current,
            seen,
            attempt: if first { Attempt::First } else { Attempt::Whole },
            unpinned,
            ..Thread::default()
        };
        if op == Op::Scan {
            self.begin_scan();
        }
        if op.writes() && self.sc.codec == Codec::Entry {
            let fresh = usize::from(self.fresh());
            self.s.entries[fresh] = Life::Private;
        }
        Ok(())
    }

    /// Goes to the next table; `next` was set before the FROZEN or MOVED that led here.
    pub fn move_on(&mut self) {
        let th = self.th();
        th.table += 1;
        th.h = Header::VIRGIN;
        th.pc = Pc::LoadHeader;
    }

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

    /// The outcome stands; what is left is to give back the cell.
    pub fn done(&mut self) -> Done {
        let th = *self.th();
        if th.seen >> th.val & 1 == 0 {
            return fault(format!(
                "linearizability: the answer {} was never the value during the call",
                th.val
            ));
        }
        self.settle();
        self.leave();
        Ok(())
    }

    /// Forgets what does not matter any more, so that states that differ in nothing else are one.
    pub fn settle(&mut self) {
        let inline = self.sc.codec == Codec::Inline;
        let th = self.th();
        th.done = true;
        th.attempt = Attempt::Whole;
        th.still = false;
        th.next = false;
        th.h = Header::VIRGIN;
        th.seen = 0;
        th.hit = 0;
        th.i = 0;
        if inline {
            th.val = ABSENT;
        }
    }
}
