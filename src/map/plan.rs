//! What is to be done to an entry, and what was done.

use super::bucket::Pair;

/// What an operation wants, given what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plan {
    /// Leave it.
    Keep,
    /// Insert, or replace the present value by, this one.
    Store(u64),
    /// Take the entry out. Same as `Keep` if there is none.
    Remove,
}

/// What an operation did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Nothing; this is what was there.
    Kept(Option<Pair>),
    Inserted,
    /// This entry was replaced. It is no longer in the map, and the caller's to retire.
    Replaced(Pair),
    /// This entry was removed, and is the caller's to retire.
    Removed(Pair),
}

impl Change {
    /// By how much it changes the number of entries.
    #[inline(always)]
    pub(super) const fn entries(&self) -> isize {
        match self {
            Self::Kept(_) | Self::Replaced(_) => 0,
            Self::Inserted => 1,
            Self::Removed(_) => -1,
        }
    }
}
