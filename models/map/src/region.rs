//! What handles a bucket as a whole: the scan of a region, and clearing. Also the reads of whole cells that
//! both, and the move of a victim into the node, make before they know whether the header will still be the
//! same.

use crate::scenario::{Mutant, Op};
use crate::state::{ABSENT, Act, Header, MAX_KEYS, Pair, Pc, fault};
use crate::step::{Done, Step};

/// Quarters of the range of hashes.
const QUARTERS: u8 = 4;

impl Step<'_> {
    /// Sets the abstract value of a key.
    pub fn set(&mut self, key: usize, value: u8) {
        self.s.map[key] = value;
        for other in &mut self.s.threads {
            if other.key == Some(key as u8) && !other.done {
                other.seen |= 1 << value;
            }
            if other.position.is_some() {
                other.seen_each[key] |= 1 << value;
            }
        }
    }

    /// One word of a cell: first its lane, then its key.
    pub fn take(&mut self) -> Done {
        let th = *self.th();
        let bucket = self.sc.bucket_of(&th).expect("in a bucket");
        self.touch(bucket)?;
        let words = self.s.words[bucket];
        let cell = usize::from(th.i);
        if th.pc == Pc::TakeLane {
            self.th().taken[cell].value = words.lanes[usize::from(th.h.lane(th.i))];
            self.th().pc = Pc::TakeKey;
            return Ok(());
        }
        self.th().taken[cell].key = words.keys[cell];
        if th.act == Act::NodeAndVictim {
            self.to_cas();
        } else {
            self.take_from(th.i + 1);
        }
        Ok(())
    }

    /// The next valid cell from `cell` on, then what comes after the cells.
    fn take_from(&mut self, cell: u8) {
        let cells = self.sc.cells;
        let th = self.th();
        match (cell..cells).find(|&c| th.h.has_cell(c)) {
            Some(next) => {
                th.i = next;
                th.pc = Pc::TakeLane;
            }
            None if th.act == Act::Clear => self.to_cas(),
            None => {
                th.i = 0;
                th.pc = if th.h.is(Header::MIXED) { Pc::ScanNode } else { Pc::ScanValidate };
            }
        }
    }

    pub fn begin_clear(&mut self, h: Header) -> Done {
        if h.valid() == 0 && !h.is(Header::MIXED) {
            self.settle();
            self.leave();
            return Ok(());
        }
        let th = self.th();
        th.h = h;
        th.act = Act::Clear;
        self.take_from(0);
        Ok(())
    }

    /// The entries that were read without a validation are exactly those that the header change has taken
    /// out.
    pub fn commit_clear(&mut self, before: Header, entries: Vec<Pair>) -> Done {
        let th = *self.th();
        let cells = (0..self.sc.cells).filter(|&c| before.has_cell(c));
        if cells.map(|c| th.taken[usize::from(c)]).any(|pair| !entries.contains(&pair)) {
            return fault(format!("linearizability: clearing took {:?}, there were {entries:?}", th.taken));
        }
        for entry in entries {
            let key = self.sc.keys.iter().position(|key| key.code == entry.key).expect("a key");
            self.set(key, ABSENT);
            self.retire_value(entry.value)?;
        }
        self.settle();
        self.th().taken = Default::default();
        self.th().old = before.valid();
        self.leave();
        Ok(())
    }

    pub fn begin_scan(&mut self) {
        let map = self.s.map;
        let th = self.th();
        th.position = Some(0);
        th.seen_each = std::array::from_fn(|key| if key < MAX_KEYS { 1 << map[key] } else { 0 });
        th.pc = Pc::ScanHeader;
    }

    pub fn scan(&mut self) -> Done {
        let th = *self.th();
        if th.pc == Pc::ScanPin {
            self.th().table = self.s.current;
            self.th().pc = Pc::ScanHeader;
            return Ok(());
        }
        let bucket = self.sc.bucket_of(&th).expect("a scan has a position");
        self.touch(bucket)?;
        let now = self.s.headers[bucket];
        match th.pc {
            Pc::ScanHeader if now.is(Header::MOVED) && !self.sc.has(Mutant::ScanStaysInTable) => {
                self.th().table += 1;
                Ok(())
            }
            Pc::ScanHeader if now == Header::VIRGIN && th.table != 0 => {
                fault("I4: a scan reached a bucket that is not migrated yet")
            }
            Pc::ScanHeader => {
                self.th().h = now;
                self.take_from(0);
                Ok(())
            }
            Pc::ScanNode => {
                self.touch_node(th.h.node().expect("a mixed header"))?;
                self.th().pc = Pc::ScanValidate;
                Ok(())
            }
            _ if now == th.h || self.sc.has(Mutant::ScanNotValidated) => self.meet(th.h),
            _ => {
                self.th().h = Header::VIRGIN;
                self.th().taken = Default::default();
                self.th().pc = Pc::ScanHeader;
                Ok(())
            }
        }
    }

    /// Reports the region from the scan's position to the end of the bucket, and lets go of the pin.
    fn meet(&mut self, h: Header) -> Done {
        let th = *self.th();
        let position = th.position.expect("a scan has a position");
        let cells = (0..self.sc.cells).filter(|&c| h.has_cell(c)).map(|c| th.taken[usize::from(c)]);
        let node = h.node().map_or(&[][..], |node| self.s.nodes[node].entries());
        let mut met = th.met;
        for pair in cells.chain(node.iter().copied()) {
            let key = self.sc.keys.iter().position(|key| key.code == pair.key);
            let Some(key) = key.filter(|&key| th.seen_each[key] >> pair.value & 1 == 1) else {
                return fault(format!("scan: it met {pair:?}, which was not there since it began"));
            };
            self.deref(pair.value)?;
            if self.sc.keys[key].top < position && !self.sc.has(Mutant::ScanMeetsWholeBucket) {
                continue;
            }
            if met >> key & 1 == 1 {
                return fault(format!("scan: it met key {key} twice"));
            }
            met |= 1 << key;
        }
        let buckets = self.sc.tables[usize::from(th.table)] as u8;
        let end = (position * buckets / QUARTERS + 1) * QUARTERS / buckets;
        let missed = (0..self.sc.keys.len())
            .find(|&key| self.sc.keys[key].top < end && met >> key & 1 == 0 && th.seen_each[key] & 1 == 0);
        if let Some(key) = missed {
            return fault(format!("scan: it did not meet key {key}, which was there throughout"));
        }
        self.th().h = Header::VIRGIN;
        self.th().taken = Default::default();
        self.th().met = met;
        self.th().position = Some(end);
        self.th().pc = Pc::ScanPin;
        if end == QUARTERS {
            debug_assert!(self.s.op(self.sc, self.t) == Op::Scan);
            *self.th() = crate::state::Thread { op: th.op + 1, ..Default::default() };
        }
        self.unpin();
        Ok(())
    }
}
