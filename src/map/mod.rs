//! The map. (essay to come)

mod blob;
mod bucket;
mod change;
mod count;
mod engine;
mod entry;
mod hash;
mod header;
mod memory;
mod migrate;
mod node;
mod resize;
mod room;
mod scan;
mod table;
mod typed;
mod words;

pub(crate) use blob::{BlobMap, Done, Elements, Target};
pub(crate) use entry::Intent;
pub(crate) use hash::{ByteHash, random_seed};
pub(crate) use resize::Stats;
pub use hash::{MapHasher, RandomState};
pub use typed::{Decision, ExchangeError, InsertError, Map, MapStats, Updated};
