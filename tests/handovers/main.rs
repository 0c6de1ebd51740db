//! What goes from thread to thread, one thing a test: an element, a node, a chunk, a segment, a table, a record.
//!
//! The threads take turns, and nothing is ordered by that: in Miri a thread sleeps until its time has come, on a clock that is
//! Miri's own. (A word that says whose turn it is would do, were it not for the library's fences: they make an order of the
//! most relaxed word.) So what a later step reads, or uses again, is ordered after the earlier one by the container's own
//! release and acquire alone. Run plainly these tests say little; Miri reports the missing order as a data race, each time:
//! `ci/miri.sh handovers`. The numbers of the ordering pairs are those of `docs/MEMORY-ORDERING.md`.

#![cfg(not(loom))]

mod map;
mod queue;
mod reclamation;
mod stack;
mod turns;

use conex::{Domain, Options};

fn options() -> Options {
    Options::new().domain(&Domain::new().expect("memory"))
}
