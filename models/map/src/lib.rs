//! An exhaustive model of the hash map's protocol: buckets, migration, reclamation.
//! `docs/ALGORITHMS/map-model.md` says what is modelled and what is proved.
#![forbid(unsafe_code)]
pub mod check;
pub mod commit;
pub mod explore;
pub mod fingerprint;
pub mod header;
pub mod look;
pub mod migrate;
pub mod reclaim;
pub mod region;
pub mod resize;
pub mod scenario;
pub mod state;
pub mod step;
pub mod suite;
pub mod thread;
pub mod words;
pub mod write;
