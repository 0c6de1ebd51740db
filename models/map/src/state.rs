//! The shared memory of the model, and the private variables of its threads.

use std::hash::Hash;

use crate::scenario::{Codec, Op, Scenario};

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

/// The one word that decides: flags, valid bits of the cells, and a tag that is a version (plain) or a node (mixed).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Header(pub u16);

impl Header {
    pub const LIVE: u16 = 1;
    pub const FROZEN: u16 = 2;
    pub const MOVED: u16 = 4;
    pub const MIXED: u16 = 8;

    pub fn plain(valid: u8, version: u8) -> Self {
        Self(Self::LIVE | u16::from(valid) << 4 | u16::from(version) << 8)
    }

    pub fn mixed(valid: u8, node: u8) -> Self {
        Self(Self::LIVE | Self::MIXED | u16::from(valid) << 4 | u16::from(node) << 8)
    }

    pub fn is(self, flag: u16) -> bool {
        self.0 & flag != 0
    }

    pub fn valid(self) -> u8 {
        (self.0 >> 4 & 15) as u8
    }

    pub fn has_cell(self, cell: u8) -> bool {
        self.valid() >> cell & 1 == 1
    }

    pub fn tag(self) -> u8 {
        (self.0 >> 8) as u8
    }

    pub fn node(self) -> Option<usize> {
        self.is(Self::MIXED).then(|| usize::from(self.tag()))
    }
}

impl std::fmt::Debug for Header {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0 == 0 {
            return f.write_str("0");
        }
        for (flag, name) in [(Self::LIVE, "L"), (Self::FROZEN, "F"), (Self::MOVED, "M")] {
            f.write_str(if self.is(flag) { name } else { "" })?;
        }
        let kind = if self.is(Self::MIXED) { "node" } else { "v" };
        write!(f, " valid={:b} {kind}{}", self.valid(), self.tag())
    }
}

/// `a` of a cell. Keys that may live in cells have codes from 2 on; a key whose code is 0 or 1 must not.
pub const FREE: u8 = 0;
pub const RESERVED: u8 = 1;

#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct Cell {
    pub a: u8,
    pub b: u8,
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
    pub entries: [Cell; MAX_ENTRIES],
    /// Given at publication; always the expected header's version + 1, as in the code that writes it when it builds.
    pub version: u8,
}

impl Node {
    pub fn entries(&self) -> &[Cell] {
        &self.entries[..usize::from(self.len)]
    }

    pub fn push(&mut self, entry: Cell) {
        self.entries[usize::from(self.len)] = entry;
        self.len += 1;
    }
}

/// Where a thread is: each name is the shared access it does next.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub enum Pc {
    /// Pin and load `map.current`; before that the thread is outside the map.
    #[default]
    Start,
    LoadNext,
    LoadHeader,
    ReadA,
    ReadB,
    ReadNode,
    Validate,
    LoadChild,
    Reserve,
    StoreB,
    StoreA,
    BuildNode,
    EarlyFree,
    CasHeader,
    FreeOld,
    FreeCell,
    /// Look at the value once more, then unpin.
    Return,
    // Migration of one group: g parents and one child, or one parent and g children.
    Freeze,
    KidLoad,
    KidReserve,
    KidFill,
    KidCas,
    KidFree,
    SetMoved,
    // The table around it.
    SetNext,
    Cursor,
    LoadLow,
    CasLow,
    CasCurrent,
    /// Only in planted bugs: waits for somebody else.
    Wait,
}

/// What a thread does after a migration.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub enum Back {
    /// Continue its own operation in the next table.
    #[default]
    Operation,
    /// Look at the low-water mark.
    Help,
    /// Advance the low-water mark past the group.
    Advance,
}

/// The value is absent.
pub const ABSENT: u8 = 0;
/// `Thread::hit`: in the node. Cells are counted from 1.
pub const IN_NODE: u8 = 8;

#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct Thread {
    /// The key of the operation in work.
    pub key: Option<u8>,
    /// Index into the thread's program.
    pub op: u8,
    pub pc: Pc,
    pub table: u8,
    /// The header that the operation works from; 0 also when it has none.
    pub h: Header,
    pub i: u8,
    pub hit: u8,
    pub val: u8,
    /// The reserved cell (from 1), in this bucket.
    pub cell: u8,
    pub cell_bucket: u8,
    /// Private node, from 1.
    pub node: u8,
    /// The cell (from 1) this thread's header CAS has made invalid and that it has to free.
    pub old: u8,
    /// The outcome stands.
    pub done: bool,
    /// Every value the key has had since the operation began: what a reader may answer.
    pub seen: u16,
    pub group: u8,
    /// The child bucket in work, and the cells reserved in it.
    pub kid: u8,
    pub got: u8,
    pub back: Back,
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
    pub cells: [[Cell; MAX_CELLS]; MAX_BUCKETS],
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
            let entry = Cell { a: sc.keys[key].code, b: value };
            let h = s.headers[bucket];
            let free = (0..sc.cells).find(|&c| !h.has_cell(c) && sc.keys[key].cellable());
            s.headers[bucket] = match (free, h.node()) {
                (Some(cell), _) => {
                    s.cells[bucket][usize::from(cell)] = entry;
                    Header(h.0 | Header::LIVE | 1 << (4 + cell))
                }
                (None, Some(node)) => {
                    s.nodes[node].push(entry);
                    h
                }
                (None, None) => {
                    let node = s.nodes.iter().position(|n| n.life == Life::Free).expect("a node");
                    s.nodes[node].life = Life::Live;
                    s.nodes[node].push(entry);
                    Header::mixed(h.valid(), node as u8)
                }
            };
        }
        s
    }

    /// The threads that are inside an operation.
    pub fn pinned(&self) -> u8 {
        self.threads.iter().enumerate().fold(0, |set, (t, th)| set | u8::from(th.pc != Pc::Start) << t)
    }

    /// Replaces the versions of each bucket by their ranks. Only equality and "newer than all" are ever asked of
    /// them, and the versions that threads still hold are never newer than the bucket's own (checked), so a state and its
    /// renamed twin behave alike.
    pub fn rename_versions(&mut self, sc: &Scenario) {
        for bucket in 0..sc.buckets() {
            let h = self.headers[bucket];
            let held =
                |th: &Thread| th.h.is(Header::LIVE) && !th.h.is(Header::MIXED) && sc.bucket_of(th) == Some(bucket);
            let newest = h.node().map_or(h.tag(), |node| self.nodes[node].version);
            let mut used = 1_u64 << newest;
            for th in self.threads.iter().filter(|th| held(th)) {
                used |= 1 << th.h.tag();
            }
            let rank = |version: u8| (used & ((1 << version) - 1)).count_ones() as u8;
            let renamed = |h: Header| Header(h.0 & 0xff | u16::from(rank(h.tag())) << 8);
            match h.node() {
                Some(node) => self.nodes[node].version = rank(newest),
                None => self.headers[bucket] = renamed(h),
            }
            for th in self.threads.iter_mut().filter(|th| held(th)) {
                th.h = renamed(th.h);
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

/// Packs small writes into words and mixes each word into two lanes.
#[derive(Default)]
struct Mix {
    word: u64,
    bytes: u32,
    lanes: [u64; 2],
}

impl Mix {
    fn word(&mut self, word: u64) {
        for (lane, factor) in self.lanes.iter_mut().zip([0x9e37_79b9_7f4a_7c15_u64, 0xd6e8_feb8_6659_fd93]) {
            let wide = u128::from(*lane ^ word ^ factor) * u128::from(factor);
            *lane = (wide as u64) ^ ((wide >> 64) as u64) ^ lane.rotate_left(23);
        }
    }

    fn end(mut self) -> u128 {
        let (word, bytes) = (self.word, self.bytes);
        self.word(word);
        self.word(u64::from(bytes));
        u128::from(self.lanes[0]) << 64 | u128::from(self.lanes[1])
    }
}

impl std::hash::Hasher for Mix {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&b| self.write_u8(b));
    }

    fn write_u8(&mut self, b: u8) {
        self.word = self.word << 8 | u64::from(b);
        self.bytes += 1;
        if self.bytes.is_multiple_of(8) {
            self.word(self.word);
        }
    }

    fn write_u16(&mut self, w: u16) {
        self.write_u8(w as u8);
        self.write_u8((w >> 8) as u8);
    }

    fn write_isize(&mut self, discriminant: isize) {
        self.write_u8(discriminant as u8);
    }

    fn write_usize(&mut self, _length: usize) {
        // Lengths of arrays: always the same.
    }

    fn finish(&self) -> u64 {
        self.lanes[0]
    }
}
