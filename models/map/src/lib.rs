//! An exhaustive model of the hash map's protocol.
#![forbid(unsafe_code)]
pub mod check;
pub mod explore;
pub mod migrate;
pub mod reclaim;
pub mod scenario;
pub mod state;
pub mod step;
pub mod suite;
pub mod write;
