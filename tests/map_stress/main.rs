//! The map under threads, with oracles that notice what goes wrong.
//!
//! [`keys`] looks at who wins, [`values`] at what is stored and when it ends, [`table`] at growth and shrinking.

#![cfg(not(loom))]

#[path = "../common/mod.rs"]
mod common;
mod keys;
mod table;
mod values;

use conex::{Domain, Map, Options};

/// A map in a domain of its own, whose memory the leak checkers see the end of.
fn map<V: Send + Sync + 'static>() -> Map<u64, V> {
    let options = Options::new().domain(&Domain::new().unwrap());
    Map::with_options(&options, 0, conex::RandomState::new()).unwrap()
}
