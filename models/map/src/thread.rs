//! The private variables of a thread, and where it is in its operation.

use crate::header::Header;
use crate::state::{MAX_CELLS, MAX_KEYS, Pair};

/// Where a thread is: each name is the shared access it does next.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub enum Pc {
    /// Pin and load `map.current`; before that the thread is outside the map.
    #[default]
    Start,
    LoadNext,
    /// Load `map.current` once more: the first attempt came to nothing.
    Restart,
    /// Load the count of freed nodes, before a look without a pin.
    LoadFrees,
    LoadHeader,
    ReadKey,
    ReadLane,
    ReadNode,
    Validate,
    /// Load the count of freed nodes again.
    CheckFrees,
    /// Load `map.current`, after the next table was named: whether that is linked still.
    NextBy,
    LoadChild,
    Reserve,
    /// The lane of a cell is only known from a header loaded after the reservation.
    Recheck,
    WriteLane,
    /// Reads what another cell has in the spare lane.
    ReadSpare,
    WriteKey,
    /// Reads of a whole cell, for an entry that goes elsewhere or is reported.
    TakeLane,
    TakeKey,
    BuildNode,
    EarlyFree,
    CasHeader,
    FreeOld,
    FreeCell,
    /// Load the header to give the claim back.
    LoadClaimed,
    /// Look at the value once more, then unpin.
    Return,
    // A scan, region by region.
    ScanPin,
    ScanHeader,
    ScanNode,
    ScanValidate,
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
    /// Under a claim: another cell's value, which is in the spare lane, goes to that cell's own lane.
    BringHome,
    /// A new value in the claimed lane.
    SwapLane,
    /// A new value in the spare lane, in the same step as the header: it is the cell's, or free.
    SpareWithHeader,
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
    /// Everything in the bucket goes.
    Clear,
}

impl Act {
    /// Ends the operation.
    pub fn is_change(self) -> bool {
        !matches!(self, Self::None | Self::Claim | Self::BringHome | Self::Unclaim)
    }

    pub fn uses_cell(self) -> bool {
        matches!(self, Self::InsertInCell | Self::CellToCell | Self::NodeToCell)
    }

    /// Leaves the node as it is.
    pub fn keeps_node(self) -> bool {
        use Act::{
            BringHome, CellToCell, Claim, EraseCell, InsertInCell, SpareWithHeader, SwapLane, Unclaim,
        };
        matches!(
            self,
            InsertInCell | Claim | BringHome | Unclaim | SwapLane | SpareWithHeader | CellToCell | EraseCell
        )
    }
}

/// How a change goes about it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub enum Attempt {
    /// With all that it may take, and again until it is done.
    #[default]
    Whole,
    /// The first attempt: in cells only, from a header that leaves room for a claim and a change, and once.
    First,
    /// The first attempt came to nothing: it gives back what it has, and then begins anew.
    Anew,
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
    /// What was read of cells, to be believed only if the header is still the same.
    pub taken: [Pair; MAX_CELLS],
    /// Private node, from 1.
    pub node: u8,
    /// The cells this thread's header CAS has made invalid and that it has to free.
    pub old: u8,
    /// The outcome stands.
    pub done: bool,
    pub attempt: Attempt,
    /// The operation has no pin, or none yet: only tables are kept for it.
    pub unpinned: bool,
    /// No node was freed since the thread looked at the count of that.
    pub still: bool,
    /// The operation, without a pin, went on to the next table.
    pub next: bool,
    /// Every value the key has had since the operation began: what a reader may answer.
    pub seen: u16,
    /// Where a scan is, in quarters of the range of hashes.
    pub position: Option<u8>,
    /// The keys that a scan has met, and what each key's value has been since it began.
    pub met: u8,
    pub seen_each: [u16; MAX_KEYS],
    pub group: u8,
    /// The child bucket in work, which of its entries, and the cells reserved and written in it.
    pub kid: u8,
    pub entry: u8,
    pub got: u8,
    pub back: Back,
}
