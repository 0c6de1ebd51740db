//! Nodes on their way back to the depot.

use super::chunk::Node;
use super::depot::{Depot, Run};
use crate::mem::Slot;
use crate::sync::Ordering;

/// How many chunks are told apart when nodes go back.
const OPEN: usize = 4;

/// Free nodes on their way back, sorted by chunk.
pub(super) struct Runs<'a, S: Slot> {
    depot: &'a Depot<S>,
    runs: [Option<Run>; OPEN],
    /// The run that makes room for the next chunk.
    next: usize,
}

impl<'a, S: Slot> Runs<'a, S> {
    pub(super) fn new(depot: &'a Depot<S>) -> Self {
        Self { depot, runs: [const { None }; OPEN], next: 0 }
    }

    /// # Safety
    /// The node is the caller's.
    pub(super) unsafe fn add(&mut self, node: *mut Node) {
        let chunk = self.depot.shape.chunk(node);
        for run in self.runs.iter_mut().flatten() {
            if self.depot.shape.chunk(run.first) == chunk {
                // SAFETY: the caller's promise.
                let link = unsafe { &(*node).next };
                // Published when the run is given back. (5) Release: as in `Cache::put`.
                link.store(run.first, Ordering::Release);
                run.first = node;
                run.len += 1;
                return;
            }
        }
        let full = self.runs[self.next].replace(Run { first: node, last: node, len: 1 });
        self.next = (self.next + 1) % OPEN;
        if let Some(run) = full {
            // SAFETY: the nodes are this thread's, and of one chunk.
            unsafe { self.depot.give(&run) };
        }
    }
}

impl<S: Slot> Drop for Runs<'_, S> {
    fn drop(&mut self) {
        for run in self.runs.iter().flatten() {
            // SAFETY: the nodes are this thread's, and of one chunk.
            unsafe { self.depot.give(run) };
        }
    }
}
