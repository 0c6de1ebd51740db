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

/// The one word that decides: flags, valid bits of the cells, the lane of each cell, and a tag that is a version (plain) or
/// a node and a count of the changes under it (mixed).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Header(pub u32);

impl Header {
    pub const FROZEN: u32 = 1;
    pub const MOVED: u32 = 2;
    pub const MIXED: u32 = 4;
    pub const CLAIMED: u32 = 8;
    /// An empty live bucket in the first table, "not migrated yet" in the others.
    pub const VIRGIN: Self = Self(0);

    const VALID: u32 = 4;
    const TAG: u32 = 8;
    const COUNT: u32 = 16;
    const LANES: u32 = 24;

    pub fn is(self, flag: u32) -> bool {
        self.0 & flag != 0
    }

    pub fn valid(self) -> u8 {
        (self.0 >> Self::VALID & 7) as u8
    }

    pub fn has_cell(self, cell: u8) -> bool {
        self.valid() >> cell & 1 == 1
    }

    pub fn with_valid(self, valid: u8) -> Self {
        Self(self.0 & !(7 << Self::VALID) | u32::from(valid) << Self::VALID)
    }

    pub fn with_claim(self, claimed: bool) -> Self {
        Self(self.0 & !Self::CLAIMED | if claimed { Self::CLAIMED } else { 0 })
    }

    pub fn tag(self) -> u8 {
        (self.0 >> Self::TAG) as u8
    }

    pub fn with_tag(self, tag: u8) -> Self {
        Self(self.0 & !(0xff << Self::TAG) | u32::from(tag) << Self::TAG)
    }

    pub fn node(self) -> Option<usize> {
        self.is(Self::MIXED).then(|| usize::from(self.tag()))
    }

    /// Changes since the node was installed.
    pub fn count(self) -> u8 {
        (self.0 >> Self::COUNT) as u8
    }

    pub fn with_count(self, count: u8) -> Self {
        Self(self.0 & !(0xff << Self::COUNT) | u32::from(count) << Self::COUNT)
    }

    pub fn with_node(self, node: u8) -> Self {
        Self(self.0 | Self::MIXED).with_tag(node).with_count(0)
    }

    pub fn without_node(self) -> Self {
        Self(self.0 & !Self::MIXED).with_count(0)
    }

    /// The value word of a cell. The identity is stored as zero.
    pub fn lane(self, cell: u8) -> u8 {
        (self.0 >> (Self::LANES + 2 * u32::from(cell)) & 3) as u8 ^ cell
    }

    /// The value word that none of the `cells` cells has.
    pub fn free_lane(self, cells: u8) -> u8 {
        (0..=cells).fold(0, |all, lane| all ^ lane) ^ (0..cells).fold(0, |all, cell| all ^ self.lane(cell))
    }

    pub fn with_lane_swapped(self, cell: u8, cells: u8) -> Self {
        let change = u32::from(self.lane(cell) ^ self.free_lane(cells));
        Self(self.0 ^ change << (Self::LANES + 2 * u32::from(cell)))
    }
}

impl std::fmt::Debug for Header {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if *self == Self::VIRGIN {
            return f.write_str("virgin");
        }
        for (flag, name) in [(Self::FROZEN, "F"), (Self::MOVED, "M"), (Self::CLAIMED, "C")] {
            f.write_str(if self.is(flag) { name } else { "" })?;
        }
        write!(f, " valid={:b} lanes={}{}{} ", self.valid(), self.lane(0), self.lane(1), self.lane(2))?;
        match self.node() {
            Some(node) => write!(f, "node{node}+{}", self.count()),
            None => write!(f, "v{}", self.tag()),
        }
    }
}

/// The key word of a cell. Keys that may live in cells have codes from 2 on; a key whose code is 0 or 1 must not.
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
    /// The version of the last plain header, for the way back. Given at publication; always that of the expected header, as
    /// in the code that writes it when it builds.
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

/// Where a thread is: each name is the shared access it does next.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub enum Pc {
    /// Pin and load `map.current`; before that the thread is outside the map.
    #[default]
    Start,
    LoadNext,
    LoadHeader,
    ReadKey,
    ReadLane,
    ReadNode,
    Validate,
    LoadChild,
    Reserve,
    /// The lane of a cell is only known from a header loaded after the reservation.
    Recheck,
    WriteLane,
    WriteKey,
    VictimLane,
    VictimKey,
    BuildNode,
    EarlyFree,
    CasHeader,
    FreeOld,
    FreeCell,
    /// Load the header to give the claim back.
    LoadClaimed,
    /// Look at the value once more, then unpin.
    Return,
    // Migration of one group: g parents and one child, or one parent and g children.
    Freeze,
    KidLoad,
    KidReserve,
    KidCheck,
    KidWrite,
    KidBuild,
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

/// The change of the header that a thread is preparing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub enum Act {
    #[default]
    None,
    /// A new entry, in the reserved cell or in the node.
    InsertInCell,
    InsertInNode,
    /// The free lane becomes this thread's, or is given back.
    Claim,
    Unclaim,
    /// A new value in the claimed lane.
    SwapLane,
    /// A new value in the reserved cell instead of the old one's, or in the node.
    CellToCell,
    CellToNode,
    /// From the node into the reserved cell.
    NodeToCell,
    /// A new value in the node; the entry of a cell, the victim, goes into the node too.
    NodeAndVictim,
    NodeToNode,
    EraseCell,
    EraseInNode,
}

impl Act {
    /// Ends the operation.
    pub fn is_change(self) -> bool {
        !matches!(self, Self::None | Self::Claim | Self::Unclaim)
    }

    pub fn uses_cell(self) -> bool {
        matches!(self, Self::InsertInCell | Self::CellToCell | Self::NodeToCell)
    }

    /// Leaves the node as it is.
    pub fn keeps_node(self) -> bool {
        use Act::{CellToCell, Claim, EraseCell, InsertInCell, SwapLane, Unclaim};
        matches!(self, InsertInCell | Claim | Unclaim | SwapLane | CellToCell | EraseCell)
    }
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
    pub act: Act,
    /// The reserved cell (from 1), in this bucket.
    pub cell: u8,
    pub cell_bucket: u8,
    /// The free lane of the operation's bucket is this thread's.
    pub claimed: bool,
    pub victim: Pair,
    /// Private node, from 1.
    pub node: u8,
    /// The cell (from 1) this thread's header CAS has made invalid and that it has to free.
    pub old: u8,
    /// The outcome stands.
    pub done: bool,
    /// Every value the key has had since the operation began: what a reader may answer.
    pub seen: u16,
    pub group: u8,
    /// The child bucket in work, which of its entries, and the cells reserved and written in it.
    pub kid: u8,
    pub entry: u8,
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
                    s.words[bucket].lanes[usize::from(cell)] = entry.value;
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

    /// The threads that are inside an operation.
    pub fn pinned(&self) -> u8 {
        self.threads.iter().enumerate().fold(0, |set, (t, th)| set | u8::from(th.pc != Pc::Start) << t)
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

    /// Replaces the versions of each bucket by their ranks, from 1 on: 0 is the virgin header's. Only equality and "newer
    /// than all" are ever asked of them, and the versions that threads still hold are never newer than the bucket's own
    /// (checked), so a state and its renamed twin behave alike.
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
        w.to_le_bytes().into_iter().for_each(|b| self.write_u8(b));
    }

    fn write_u32(&mut self, w: u32) {
        w.to_le_bytes().into_iter().for_each(|b| self.write_u8(b));
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
