//! What operations of a [`Map`](crate::Map) ask for and answer.

use crate::map::resize::Stats;

/// What [`Map::update`] is to do with the entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision<V> {
    /// Leave it as it is.
    Keep,
    /// Insert this value, or replace the present one by it.
    Store(V),
    /// Remove it.
    Remove,
}

/// What [`Map::update`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Updated {
    /// Nothing.
    Unchanged,
    /// A new entry was inserted.
    Inserted,
    /// The value was replaced.
    Replaced,
    /// The entry was removed.
    Removed,
}

/// Why [`Map::compare_exchange`] changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExchangeError<V> {
    /// The key is not there.
    NotFound,
    /// The value is another one: this.
    Mismatch(V),
}

/// Why [`Map::try_insert`] did not insert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InsertError<V> {
    /// The key is there already. The value was not used.
    Exists(V),
    /// There was no memory for the entry. The value was not used.
    NoMemory(V),
}

/// What a map is made of; see [`Map::stats`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MapStats {
    /// Entries: exact while no operation is under way.
    pub entries: usize,
    /// Buckets of the current table.
    pub buckets: usize,
    /// Bytes of the tables and of everything that is in them, without what waits for reclamation.
    pub bytes: usize,
    /// How often the map has begun to grow.
    pub growths: u64,
    /// How often the map has begun to shrink.
    pub shrinks: u64,
    /// Whether entries are being moved to a new table.
    pub resizing: bool,
}

impl From<Stats> for MapStats {
    fn from(stats: Stats) -> Self {
        let Stats { entries, buckets, bytes, growths, shrinks, resizing } = stats;
        Self { entries, buckets, bytes, growths, shrinks, resizing }
    }
}
