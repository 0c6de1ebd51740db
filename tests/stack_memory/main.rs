//! The memory of the stack: how much there is, that it comes back, and what happens when there is none.
//!
//! [`amount`] measures it, [`threads`] says who holds it back, [`allocator`] where it comes from.

#![cfg(not(loom))]

mod allocator;
mod amount;
#[path = "../common/mod.rs"]
mod common;
mod threads;

use common::Failing;
use conex::{Domain, Options};

/// The bytes of a chunk of small elements.
const CHUNK: isize = 4096;

/// Options with a domain of their own, so that nothing is left at the end of the test.
fn private() -> Options {
    Options::new().domain(&Domain::new().expect("memory"))
}

/// Counts what is allocated, and never fails.
fn ledger() -> Failing {
    Failing::new(isize::MAX)
}
