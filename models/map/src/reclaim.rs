//! Memory: who makes and retires nodes, entries and tables, and when they may go.

use crate::scenario::{Codec, Mutant};
use crate::state::{Life, Node, Thread, fault};
use crate::step::{Done, Step};

impl Step<'_> {
    /// Puts a private node into the lowest free place, if there is memory: the allocator re-uses addresses as
    /// eagerly as it can. Counts from 1.
    pub fn alloc(&mut self, node: Node) -> Option<u8> {
        let place = self.s.nodes.iter().position(|n| n.life == Life::Free).expect("MAX_NODES is enough");
        if place >= self.sc.nodes {
            return None;
        }
        self.s.nodes[place] = node;
        Some(place as u8 + 1)
    }

    pub fn retire_node(&mut self, node: usize) -> Done {
        if self.s.nodes[node].life != Life::Live {
            return fault(format!("reclamation: a node that is {:?} is retired", self.s.nodes[node].life));
        }
        self.s.nodes[node].life = Life::Retired(self.s.pinned());
        self.s.nodes[node].version = 0;
        Ok(())
    }

    pub fn retire_value(&mut self, value: u8) -> Done {
        if self.sc.codec == Codec::Inline {
            return Ok(());
        }
        let life = self.s.entries[usize::from(value)];
        if life != Life::Live {
            return fault(format!("reclamation: an entry that is {life:?} is retired"));
        }
        self.s.entries[usize::from(value)] = Life::Retired(self.s.pinned());
        Ok(())
    }

    /// The answer, the last look at the value, and the unpin.
    pub fn respond(&mut self) -> Done {
        let th = *self.th();
        if th.key.is_some() {
            self.deref(th.val)?;
            if self.op().writes() && self.sc.codec == Codec::Entry {
                let fresh = usize::from(self.fresh());
                // Never published: back to the caller.
                if self.s.entries[fresh] == Life::Private {
                    self.s.entries[fresh] = Life::Free;
                }
            }
        }
        *self.th() = Thread { op: th.op + 1, ..Thread::default() };
        self.unpin();
        Ok(())
    }

    /// Lets go of what this thread has held back.
    pub fn unpin(&mut self) {
        let gone = !(1 << self.t);
        // True: this was the last one, and it is freed.
        let quit = |life: &mut Life| {
            let Life::Retired(pinned) = life else { return false };
            *pinned &= gone;
            let free = *pinned == 0;
            if free {
                *life = Life::Free;
            }
            free
        };
        let mut freed = false;
        for node in &mut self.s.nodes {
            if quit(&mut node.life) {
                *node = Node::default();
                freed = true;
            }
        }
        if freed && !self.sc.has(Mutant::FreesNotCounted) {
            self.s.threads.iter_mut().for_each(|th| th.still = false);
        }
        self.s.entries.iter_mut().for_each(|life| _ = quit(life));
        self.s.tables.iter_mut().for_each(|table| _ = quit(&mut table.life));
    }
}
