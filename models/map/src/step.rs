//! One step of one thread: exactly one access to shared memory that others can tell apart, and the private
//! work up to the next. What an operation finds in a bucket is in [`crate::look`], what it changes there in
//! [`crate::write`], the migration in [`crate::migrate`].

use crate::check::check;
use crate::scenario::{Codec, Mutant, Op, Scenario};
use crate::state::{ABSENT, Attempt, FREE, Fault, Header, IN_NODE, Life, Pc, State, Thread, fault};

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
