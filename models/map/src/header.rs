//! The header word of a bucket.

/// The one word that decides: flags, valid bits of the cells, which cell has the spare lane, and a tag that is a
/// version (plain) or a node and a count of the changes under it (mixed).
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
    const LENT: u32 = 24;

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

    /// The value word of a cell: its own, which has the number after its own, or the spare one, 0.
    pub fn lane(self, cell: u8) -> u8 {
        if self.lent() == cell + 1 { 0 } else { cell + 1 }
    }

    /// The value word that no cell has.
    pub fn free_lane(self) -> u8 {
        self.lent()
    }

    /// The cell that has the spare lane, from 1.
    fn lent(self) -> u8 {
        (self.0 >> Self::LENT & 3) as u8
    }

    pub fn has_spare(self, cell: u8) -> bool {
        self.lent() == cell + 1
    }

    pub fn can_swap(self, cell: u8) -> bool {
        self.lent() == 0 || self.lent() == cell + 1
    }

    /// The cell that has the spare lane, if it is valid.
    pub fn borrower(self) -> Option<u8> {
        self.lent().checked_sub(1).filter(|&cell| self.has_cell(cell))
    }

    /// As `borrower`, valid or not.
    pub fn any_borrower(self) -> Option<u8> {
        self.lent().checked_sub(1)
    }

    pub fn with_lane_swapped(self, cell: u8) -> Self {
        debug_assert!(self.can_swap(cell));
        Self(self.0 ^ u32::from(cell + 1) << Self::LENT)
    }

    /// The spare lane becomes this cell's, whoever has it.
    pub fn with_spare_taken(self, cell: u8) -> Self {
        Self(self.0 & !(3 << Self::LENT) | u32::from(cell + 1) << Self::LENT)
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
        write!(f, " valid={:b} lent={} ", self.valid(), self.lent())?;
        match self.node() {
            Some(node) => write!(f, "node{node}+{}", self.count()),
            None => write!(f, "v{}", self.tag()),
        }
    }
}
