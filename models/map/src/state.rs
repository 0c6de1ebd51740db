//! The state of the model: the shared memory, its threads, and the abstract map that it must refine.

use std::hash::Hash;

use crate::fingerprint::Mix;
pub use crate::header::Header;
use crate::scenario::{Codec, Op, Scenario};
pub use crate::thread::{ABSENT, Act, Attempt, Back, IN_NODE, Pc, Thread};

pub const MAX_TABLES: usize = 3;
/// Buckets of all tables together.
pub const MAX_BUCKETS: usize = 7;
pub const MAX_CELLS: usize = 3;
pub const MAX_NODES: usize = 10;
/// Overflow entries of one node.
pub const MAX_ENTRIES: usize = 4;
pub const MAX_VALUES: usize = 16;
pub const MAX_THREADS: usize = 4;
pub const MAX_KEYS: usize = 3;

/// What a step found wrong. The text names the property.
pub type Fault = String;

pub fn fault<T>(what: impl Into<String>) -> Result<T, Fault> {
    Err(what.into())
}

/// The key word of a cell. Keys that may live in cells have codes from 2 on; a key whose code is 0 or 1 must
/// not.
pub const FREE: u8 = 0;
pub const RESERVED: u8 = 1;

/// An entry: a key word and a value word.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct Pair {
    pub key: u8,
    pub value: u8,
}

/// What is in a bucket besides its header.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct Words {
    pub keys: [u8; MAX_CELLS],
    pub lanes: [u8; MAX_CELLS + 1],
}

/// The life of a node, an entry or a table: who may still look at it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub enum Life {
    /// Never made, or given back to the allocator.
    #[default]
    Free,
    /// Made and not yet published: its maker may free it at once.
    Private,
    Live,
    /// Unlinked; the set of threads pinned at that moment which have not let go since.
    Retired(u8),
}

/// An overflow node, immutable once published.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct Node {
    pub life: Life,
    pub len: u8,
    pub entries: [Pair; MAX_ENTRIES],
    /// The version of the last plain header, for the way back. Given at publication; always that of the
    /// expected header, as in the code that writes it when it builds.
    pub version: u8,
}

impl Node {
    pub fn entries(&self) -> &[Pair] {
        &self.entries[..usize::from(self.len)]
    }

    pub fn push(&mut self, entry: Pair) {
        self.entries[usize::from(self.len)] = entry;
        self.len += 1;
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct Table {
    pub life: Life,
    pub next: bool,
    pub cursor: u8,
    pub low: u8,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct State {
    pub headers: [Header; MAX_BUCKETS],
    pub words: [Words; MAX_BUCKETS],
    pub nodes: [Node; MAX_NODES],
    pub tables: [Table; MAX_TABLES],
    pub current: u8,
    /// Heap entries behind the values (entry codec only).
    pub entries: [Life; MAX_VALUES],
    pub threads: [Thread; MAX_THREADS],
    /// The abstract map that the concrete one must refine.
    pub map: [u8; MAX_KEYS],
}

impl State {
    pub fn initial(sc: &Scenario) -> Self {
        let mut s = Self::default();
        s.tables[0].life = Life::Live;
        for (n, &key) in sc.present.iter().enumerate() {
            let value = 1 + n as u8;
            let bucket = sc.bucket(0, key);
            s.map[key] = value;
            if sc.codec == Codec::Entry {
                s.entries[usize::from(value)] = Life::Live;
            }
            let entry = Pair { key: sc.keys[key].code, value };
            let h = s.headers[bucket];
            let free = (0..sc.cells).find(|&c| !h.has_cell(c) && sc.keys[key].cellable());
            s.headers[bucket] = match (free, h.node()) {
                (Some(cell), _) => {
                    s.words[bucket].keys[usize::from(cell)] = entry.key;
                    s.words[bucket].lanes[usize::from(h.lane(cell))] = entry.value;
                    let h = h.with_valid(h.valid() | 1 << cell);
                    if h.is(Header::MIXED) { h } else { h.with_tag(1) }
                }
                (None, Some(node)) => {
                    s.nodes[node].push(entry);
                    h
                }
                (None, None) => {
                    let node = s.nodes.iter().position(|n| n.life == Life::Free).expect("a node");
                    s.nodes[node].life = Life::Live;
                    s.nodes[node].version = h.tag();
                    s.nodes[node].push(entry);
                    h.with_node(node as u8)
                }
            };
        }
        s
    }

    /// The threads that are inside an operation, as far as `which` is true of them.
    fn inside(&self, which: impl Fn(&Thread) -> bool) -> u8 {
        let inside = |th: &Thread| !matches!(th.pc, Pc::Start | Pc::ScanPin) && which(th);
        self.threads.iter().enumerate().fold(0, |set, (t, th)| set | u8::from(inside(th)) << t)
    }

    /// The threads that are pinned.
    pub fn pinned(&self) -> u8 {
        self.inside(|th| !th.unpinned)
    }

    /// The threads that keep a table: by a pin, or by a slot that names it.
    pub fn keepers(&self, table: u8) -> u8 {
        self.inside(|th| !th.unpinned || th.table == table || th.next && th.table == table + 1)
    }

    /// The entry in a cell, under the bucket's header.
    pub fn pair(&self, bucket: usize, cell: u8) -> Pair {
        let words = &self.words[bucket];
        let lane = usize::from(self.headers[bucket].lane(cell));
        Pair { key: words.keys[usize::from(cell)], value: words.lanes[lane] }
    }

    /// The newest version of a bucket.
    pub fn version(&self, bucket: usize) -> u8 {
        let h = self.headers[bucket];
        h.node().map_or(h.tag(), |node| self.nodes[node].version)
    }

    /// Whether a thread works from a plain header of `bucket`.
    pub fn holds_version(&self, sc: &Scenario, th: &Thread, bucket: usize) -> bool {
        th.h != Header::VIRGIN && !th.h.is(Header::MIXED) && sc.bucket_of(th) == Some(bucket)
    }

    /// Replaces the versions of each bucket by their ranks, from 1 on: 0 is the virgin header's. Only
    /// equality and "newer than all" are ever asked of them, and the versions that threads still hold are
    /// never newer than the bucket's own (checked), so a state and its renamed twin behave alike.
    pub fn rename_versions(&mut self, sc: &Scenario) {
        for bucket in 0..sc.buckets() {
            if self.headers[bucket] == Header::VIRGIN {
                continue;
            }
            let newest = self.version(bucket);
            let mut used = 1_u64 << newest;
            for t in 0..MAX_THREADS {
                if self.holds_version(sc, &self.threads[t], bucket) {
                    used |= 1 << self.threads[t].h.tag();
                }
            }
            let rank = |version: u8| 1 + (used & ((1 << version) - 1)).count_ones() as u8;
            for t in 0..MAX_THREADS {
                if self.holds_version(sc, &self.threads[t], bucket) {
                    self.threads[t].h = self.threads[t].h.with_tag(rank(self.threads[t].h.tag()));
                }
            }
            match self.headers[bucket].node() {
                Some(node) => self.nodes[node].version = rank(newest),
                None => self.headers[bucket] = self.headers[bucket].with_tag(rank(newest)),
            }
        }
    }

    /// A fingerprint of 128 bits.
    pub fn fingerprint(&self) -> u128 {
        let mut hasher = Mix::default();
        self.hash(&mut hasher);
        hasher.end()
    }

    pub fn finished(&self, sc: &Scenario, t: usize) -> bool {
        usize::from(self.threads[t].op) == sc.threads[t].len()
    }

    pub fn op(&self, sc: &Scenario, t: usize) -> Op {
        sc.threads[t][usize::from(self.threads[t].op)]
    }
}
