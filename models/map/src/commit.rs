//! The CAS on the header, and what follows from it.

use crate::check::contents;
use crate::scenario::{Codec, Mutant, Op};
use crate::state::{ABSENT, Act, Attempt, Header, IN_NODE, Life, Node, fault};
use crate::step::{Done, Step};

impl Step<'_> {
    /// The valid bits, lanes and claim after the change, from those of `h`.
    pub fn shape_after(&self, h: Header) -> Header {
        let th = &self.s.threads[self.t];
        let own = if th.cell == 0 { 0 } else { 1 << (th.cell - 1) };
        let hit = if (1..IN_NODE).contains(&th.hit) { 1 << (th.hit - 1) } else { 0 };
        let after = match th.act {
            Act::Clear => h.with_valid(0),
            Act::Claim => return h.with_claim(true),
            Act::Unclaim => return h.with_claim(false),
            Act::BringHome => {
                return h.with_lane_swapped(h.any_borrower().expect("a cell with the spare lane"));
            }
            Act::SpareWithHeader if h.has_spare(th.hit - 1) => h,
            Act::SpareWithHeader => h.with_lane_swapped(th.hit - 1),
            Act::SwapLane if !h.can_swap(th.hit - 1) => h.with_spare_taken(th.hit - 1),
            Act::SwapLane => h.with_lane_swapped(th.hit - 1),
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
            match th.act {
                Act::Unclaim => self.leave(),
                _ if th.attempt == Attempt::First => self.anew(),
                _ => self.again(),
            }
            return Ok(());
        }
        let old_entries = contents(self.sc, &self.s, bucket).collect::<Vec<_>>();
        let shape = self.shape_after(now);
        let version = self.s.version(bucket);
        let kept = th.act.keeps_node() && (th.attempt == Attempt::First || !self.spent(now));
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
                () if self.sc.has(Mutant::VersionRestartsAfterMixed) && !kept => {
                    shape.without_node().with_tag(1)
                }
                () => shape.without_node().with_tag(version + 1),
            }
        };
        self.s.headers[bucket] = next;
        if th.act == Act::SpareWithHeader {
            let fresh = self.fresh();
            let spare = &mut self.s.words[bucket].lanes[0];
            // The machine compares it too, which must not be needed.
            if *spare != th.taken[0].value {
                return fault("I1: the spare lane has changed under a header");
            }
            *spare = fresh;
        }
        if let Some(old) = now.node().filter(|_| !kept) {
            self.replace_node(old)?;
        }
        self.th().node = 0;
        match th.act {
            Act::Claim | Act::BringHome => {
                let th = self.th();
                th.claimed = true;
                th.h = next;
                th.taken = Default::default();
                self.use_free_lane();
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

    pub fn replace_node(&mut self, old: usize) -> Done {
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
                "linearizability: a change took {} for the old value, which was {before}",
                th.val
            ));
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
}
