//! Around the migration of groups: the successor, the sharing out, and the change of the current table.

use crate::scenario::{Mutant, Op};
use crate::state::{Back, Header, Life, Pc, fault};
use crate::step::{Done, Step};

impl Step<'_> {
    pub fn load_next(&mut self) -> Done {
        let th = *self.th();
        let op = self.s.op(self.sc, self.t);
        let next = self.s.tables[usize::from(th.table)].next;
        let room = usize::from(th.table) + 1 < self.sc.tables.len();
        match op {
            Op::Resize if !next && room => self.th().pc = Pc::SetNext,
            Op::Resize
                if next
                    && self.sc.has(Mutant::NextOnChildTable)
                    && usize::from(th.table) + 2 < self.sc.tables.len() =>
            {
                // Came here through `next` and grows what it found, without asking `current`.
                self.th().table += 1;
            }
            Op::Resize | Op::Help if next => self.th().pc = Pc::Cursor,
            Op::Resize | Op::Help => self.th().pc = Pc::Return,
            _ if next => self.begin_group_of_key(),
            _ => self.th().pc = Pc::LoadHeader,
        }
        Ok(())
    }

    pub fn resize(&mut self) -> Done {
        let th = *self.th();
        match th.pc {
            Pc::SetNext => {
                let next = usize::from(th.table) + 1;
                // Of two that race here one loses, and frees a table that nobody has seen.
                if !self.s.tables[next - 1].next {
                    self.s.tables[next - 1].next = true;
                    self.s.tables[next].life = Life::Live;
                }
                self.th().pc = Pc::Cursor;
                Ok(())
            }
            Pc::Cursor => {
                let table = &mut self.s.tables[usize::from(th.table)];
                let mine = table.cursor;
                if mine < self.sc.groups(th.table) {
                    table.cursor += 1;
                    self.begin_group(mine, Back::Help);
                } else {
                    self.th().pc = Pc::LoadLow;
                }
                Ok(())
            }
            Pc::LoadLow => {
                let low = self.s.tables[usize::from(th.table)].low;
                let groups = self.sc.groups(th.table);
                if low == groups || self.sc.has(Mutant::CurrentBeforeMoved) {
                    self.th().pc = Pc::CasCurrent;
                    return Ok(());
                }
                let moved =
                    self.sc.members(th.table, low, groups).all(|p| self.s.headers[p].is(Header::MOVED));
                if !moved && self.sc.has(Mutant::HelperWaitsForClaimant) {
                    return Ok(());
                }
                self.begin_group(low, Back::Advance);
                Ok(())
            }
            Pc::CasLow => {
                let table = &mut self.s.tables[usize::from(th.table)];
                if table.low == th.group {
                    table.low += 1;
                }
                self.th().pc = Pc::LoadLow;
                Ok(())
            }
            Pc::CasCurrent => {
                let won = self.s.current == th.table;
                if won {
                    self.s.current += 1;
                }
                if won || self.sc.has(Mutant::TableRetiredByLoser) {
                    self.retire_table(usize::from(th.table))?;
                }
                self.th().pc = Pc::Return;
                Ok(())
            }
            pc => unreachable!("{pc:?} is a step of an operation"),
        }
    }

    pub fn retire_table(&mut self, table: usize) -> Done {
        if self.s.tables[table].life != Life::Live {
            return fault(format!("reclamation: a table that is {:?} is retired", self.s.tables[table].life));
        }
        let freed = self.sc.has(Mutant::TableFreedAtOnce);
        self.s.tables[table].life =
            if freed { Life::Free } else { Life::Retired(self.s.keepers(table as u8)) };
        Ok(())
    }
}
