//! What runs: tables, keys, programs; and the planted bugs.

use crate::state::{FREE, MAX_NODES, MAX_TABLES, Pc, RESERVED, Thread};

/// An operation of a thread's program. Keys are indices into [`Scenario::keys`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Op {
    Get(usize),
    /// Adds if absent.
    Insert(usize),
    Erase(usize),
    /// Adds or replaces; also stands for `fetch_add` and `compute`: the old value is checked to be exact.
    Upsert(usize),
    /// Replaces if present.
    Update(usize),
    /// Replaces if the value is this one.
    CompareExchange(usize, u8),
    /// Takes everything out of the key's bucket.
    Clear(usize),
    /// Meets every entry, in the order of the hashes; lets go of its pin between regions.
    Scan,
    /// Starts the migration to the next table if there is none yet, then helps to the end.
    Resize,
    /// Migrates a chunk if there is a migration, then helps to the end.
    Help,
}

impl Op {
    pub fn key(self) -> Option<usize> {
        match self {
            Self::Get(k)
            | Self::Insert(k)
            | Self::Erase(k)
            | Self::Upsert(k)
            | Self::Update(k)
            | Self::Clear(k)
            | Self::CompareExchange(k, _) => Some(k),
            Self::Resize | Self::Help | Self::Scan => None,
        }
    }

    /// Brings a value of its own.
    pub fn writes(self) -> bool {
        matches!(self, Self::Insert(_) | Self::Upsert(_) | Self::Update(_) | Self::CompareExchange(..))
    }
}

/// How keys and values lie in the cells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Codec {
    /// The words are key and value.
    Inline,
    /// `b` points to a heap entry, which an operation looks at before it knows that the key is the right one.
    Entry,
}

#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// The word in a cell's `a`, and in nodes. 0 and 1 for keys that must not live in cells.
    pub code: u8,
    /// The top two bits of the hash: they choose the bucket in tables of up to four.
    pub top: u8,
}

impl Key {
    pub fn cellable(self) -> bool {
        self.code != FREE && self.code != RESERVED
    }
}

/// One thing done wrong. Each must be caught by some scenario: `tests/mutants.rs`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mutant {
    NoValidation,
    NoValidationOfMiss,
    NoVersionBump,
    VersionRestartsAfterMixed,
    CountNotBumped,
    CountStartsOver,
    NodeFreedAtOnce,
    NodeNotRetired,
    NodeRetiredByEveryHelper,
    NodeRetiredBeforeCas,
    CellFreedBeforeCas,
    CellNotReserved,
    LaneNotRechecked,
    LaneNotClaimed,
    SpareLaneTaken,
    InvalidCellBroughtHome,
    SpareWrittenBefore,
    SpareOfClaimant,
    ClaimEndedByOther,
    ClaimKeptAfterExists,
    CellKeptAfterExists,
    CellKeptAfterFreeze,
    CellOfKeyZero,
    ValueInPlace,
    NoRescanAfterFailure,
    DerefBeforeValidation,
    EntryRetiredBeforeCas,
    EntryRetiredByMover,
    EntryNotRetired,
    DestroyDropsFrozen,
    IgnoresFrozen,
    ReaderTakesUninitialised,
    CopiesUnfrozen,
    FreezesOneParent,
    ChildPartial,
    ChildOverwritten,
    HelperKeepsCells,
    HelperLeaksNode,
    MovedAfterFirstChild,
    WriterBeforeMoved,
    MovedOnOneParentOnly,
    NextOnChildTable,
    CurrentBeforeMoved,
    TableFreedAtOnce,
    TableRetiredByLoser,
    WriterWaitsForHelper,
    HelperWaitsForClaimant,
    InsertWaitsForCell,
    ScanMeetsWholeBucket,
    ScanNotValidated,
    ScanStaysInTable,
    FirstKeepsCell,
    FirstKeepsClaim,
    FirstTakesClaimed,
    FirstInFrozen,
    FirstOnSpent,
    FirstInMixedUnpinned,
    FirstBeforeMoved,
    FreesNotChecked,
    FreesNotCounted,
    FreesLoadedLate,
    MissBesideANode,
    NodeReadUnpinned,
    NextUnchecked,
}

#[derive(Clone, Debug)]
pub struct Scenario {
    pub name: &'static str,
    pub cells: u8,
    /// Buckets of each table, one after the other: growth and shrink.
    pub tables: Vec<usize>,
    pub keys: Vec<Key>,
    /// Keys in the map at the start; the n-th has the value n + 1.
    pub present: Vec<usize>,
    pub threads: Vec<Vec<Op>>,
    pub codec: Codec,
    /// Writers look for a migration before they touch their bucket, and move the bucket first.
    pub eager: bool,
    /// Readers of a frozen bucket that is not moved look whether the child is live, too. Without it they lean
    /// on the writers' rule: nobody works in a child before its own parent is moved.
    pub cautious: bool,
    /// Changes begin with an attempt in the cells alone. Without it, as if that had come to nothing already.
    pub attempts: bool,
    /// A map of words: operations on keys begin without a pin.
    pub words: bool,
    /// The machine can exchange the header and the spare lane in one step.
    pub pairs: bool,
    /// Overflow nodes that memory holds.
    pub nodes: usize,
    /// Changes under one node before the next needs a fresh one.
    pub count_max: u8,
    pub mutant: Option<Mutant>,
    /// The number of the first bucket of each table, and after the last.
    first: [usize; MAX_TABLES + 1],
}

impl Scenario {
    pub fn new(name: &'static str, cells: u8, tables: &[usize], threads: &[&[Op]]) -> Self {
        let mut first = [0; MAX_TABLES + 1];
        for table in 0..MAX_TABLES {
            first[table + 1] = first[table] + tables.get(table).copied().unwrap_or(0);
        }
        Self {
            first,
            name,
            cells,
            tables: tables.to_vec(),
            // Two keys that part in a table of two buckets, and one that goes with the first.
            keys: vec![Key { code: 2, top: 0 }, Key { code: 3, top: 2 }, Key { code: 4, top: 1 }],
            present: Vec::new(),
            threads: threads.iter().map(|ops| ops.to_vec()).collect(),
            codec: Codec::Inline,
            eager: false,
            count_max: 1,
            cautious: false,
            attempts: false,
            words: false,
            pairs: false,
            nodes: MAX_NODES,
            mutant: None,
        }
    }

    pub fn present(mut self, keys: &[usize]) -> Self {
        self.present = keys.to_vec();
        self
    }

    /// This key's word in a cell would read FREE.
    pub fn cell_less(mut self, key: usize) -> Self {
        self.keys[key].code = FREE;
        self
    }

    pub fn entries(mut self) -> Self {
        self.codec = Codec::Entry;
        self
    }

    pub fn eager(mut self) -> Self {
        self.eager = true;
        self
    }

    pub fn first(mut self) -> Self {
        self.attempts = true;
        self
    }

    pub fn words(mut self) -> Self {
        self.words = true;
        self.first()
    }

    pub fn pairs(mut self) -> Self {
        self.pairs = true;
        self
    }

    pub fn counts(mut self, count_max: u8) -> Self {
        self.count_max = count_max;
        self
    }

    pub fn cautious(mut self) -> Self {
        self.cautious = true;
        self
    }

    /// Lets the allocation of a node fail when there are this many.
    pub fn nodes(mut self, nodes: usize) -> Self {
        self.nodes = nodes;
        self
    }

    pub fn planted(mut self, mutant: Mutant) -> Self {
        self.mutant = Some(mutant);
        self
    }

    pub fn has(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    pub fn buckets(&self) -> usize {
        self.first[MAX_TABLES]
    }

    /// The number of a bucket among those of all tables.
    pub fn number(&self, table: u8, index: usize) -> usize {
        self.first[usize::from(table)] + index
    }

    /// The table of a bucket.
    pub fn table_of(&self, bucket: usize) -> u8 {
        (1..MAX_TABLES).filter(|&table| self.first[table] <= bucket).count() as u8
    }

    pub fn bucket(&self, table: u8, key: usize) -> usize {
        self.bucket_at(table, self.keys[key].top)
    }

    /// The bucket of a quarter of the range of hashes.
    pub fn bucket_at(&self, table: u8, quarter: u8) -> usize {
        let buckets = self.tables[usize::from(table)];
        self.number(table, usize::from(quarter) * buckets / 4)
    }

    /// The bucket whose header a thread works from.
    pub fn bucket_of(&self, th: &Thread) -> Option<usize> {
        if th.pc == Pc::Start {
            return None;
        }
        match (th.key, th.position) {
            (Some(key), _) => Some(self.bucket(th.table, usize::from(key))),
            (None, Some(position)) => Some(self.bucket_at(th.table, position)),
            (None, None) => None,
        }
    }

    /// Groups of a migration out of `table`: the smaller number of buckets.
    pub fn groups(&self, table: u8) -> u8 {
        let t = usize::from(table);
        self.tables[t].min(self.tables[t + 1]) as u8
    }

    /// The buckets of `table` that belong to `group`, as bucket numbers.
    pub fn members(&self, table: u8, group: u8, groups: u8) -> std::ops::Range<usize> {
        let share = self.tables[usize::from(table)] / usize::from(groups);
        let first = self.number(table, usize::from(group) * share);
        first..first + share
    }

    /// The value that the `op`-th operation of thread `t` brings.
    pub fn value(&self, t: usize, op: usize) -> u8 {
        let before: usize =
            self.threads[..t].iter().map(|ops| ops.iter().filter(|op| op.writes()).count()).sum();
        let own = self.threads[t][..op].iter().filter(|op| op.writes()).count();
        (1 + self.present.len() + before + own) as u8
    }
}
