//! The map: a hash table whose every operation is lock-free, also while it grows and shrinks.
//!
//! # Problem
//!
//! A hash table is easy to share as long as nothing moves. Three things make it difficult without a lock:
//!
//! - *Two words, one step*: key and value cannot be written together, and a reader that gets the key of one entry and the
//!   value of another has got nonsense.
//! - *Moving house*: when the table grows, each entry has to be in the old table or in the new one at every moment, for
//!   every reader and writer, with any number of threads moving it and any of them stopped half-way.
//! - *Removal*: a slot that is used again looks like it did before.
//!
//! The answer here is one rule. A bucket is two cache lines with a header word, and *one word decides*: a cell is immutable
//! from the header exchange that makes it valid to the one that makes it invalid, and every change of a bucket is exactly
//! one exchange of its header. To freeze a bucket is then to set one bit of the header; what is frozen cannot change, so
//! any number of helpers can copy it out, and no late thread can spoil anything.
//!
//! # Shape
//!
//! ```text
//!  current ──► Table ──next──► Table                     next: only while a migration is under way
//!                │
//!                ├─ bucket 0   header │ spare lane │ seven cells: key, lane    two cache lines
//!                ├─ bucket 1     │
//!                │               └──► Node { version, entries }                overflow: immutable, copied on write
//!                ⋮
//! ```
//!
//! The bucket of a key is the top bits of its hash, so that in tables of all sizes the order of the buckets is the order
//! of the hashes. Seven entries fit a bucket, and the map grows beyond four and a half on average: then 3 entries in 100
//! find no cell. They stand in an overflow node, whose address is in the header, so that exchanging the node is a change
//! like any other. A value is in a *lane*; there is one lane more than cells, so one is always free: an update writes into
//! it and exchanges the two in the header, or, while the free lane cannot be the entry's, takes a free cell. So inserts,
//! updates and removals touch a bucket and allocate nothing, but where more than seven keys meet.
//!
//! The engine moves pairs of words ([`engine`]). What they mean is the codec's: small keys and values themselves, behind a
//! bijection that is also the hash ([`words`]); a pointer to an immutable key, and a small value ([`keyed`]); or the hash and
//! a pointer to an immutable entry with both ([`entry`]). On top are the safe map of Rust types ([`typed`]) and the map of elements that are described at run time ([`blob`]).
//!
//! # Invariants
//!
//! 1. A valid cell and its lane are not written to, but for the spare lane in one step with the header. A cell that is not valid is written only by the thread that reserved
//!    it, the free lane only by the thread that set CLAIMED. A node is never written to once it is in a header.
//! 2. Every change of what a bucket contains is one successful exchange of its header, and no header value repeats while a
//!    thread that saw it is pinned; that of a header without a node never repeats in the life of its table ([`header`]).
//! 3. A frozen header does not change any more but for MOVED.
//! 4. The header of a bucket in a table that is being filled leaves zero once: to a header with everything that the frozen
//!    parents hold for it. No writer goes on in it before MOVED is set on all parents of the group.
//! 5. A table gets its next one only while it is the current one: all of its own buckets are live then.
//! 6. A table is retired when it is unlinked and no thread's slot names it; freed when, besides, nobody is pinned who was
//!    at that time. So it is protected by a slot that named it while it was linked and has not changed since, and by a pin
//!    that began while the thread was so protected, or while the table was linked.
//! 7. An entry is in the map once, or, during a migration, in a parent that has not MOVED and in a child that nobody has
//!    changed yet.
//!
//! # Linearization points
//!
//! | operation | takes effect at |
//! |---|---|
//! | insert, replace, remove | the successful exchange of the header (1) |
//! | a lookup, a key that is there already or is not there | the last load of the header by `validate` |
//! | a hit in an overflow node | the first load of the header |
//! | a region of a scan | the last load of its bucket's header |
//! | migration | at no point: what the map contains does not change |
//!
//! # Ordering pairs
//!
//! - (1) header exchange, freeze, `set_moved` (AcqRel) → header load (Acquire): the cells, the node, the frozen contents,
//!   the table's `next`, the live children that the header speaks of. All changes of a header are read-modify-writes, so
//!   each continues the release sequences of those before.
//! - (2) every store to a key word or lane (Release) → the Acquire fence in `validate`: a reader that saw a word of a cell
//!   or lane that is being used again then sees the header change that came before the re-use, and so not the header it
//!   began with. Writers need no fence: if their exchange succeeds, it happens before the exchange that takes the cell out
//!   of use, and so their reads before its re-use.
//!   The exchange of the spare lane together with the header is such a store and change (1) at once.
//! - (3) the store of FREE (Release) → the exchange FREE → RESERVED (Acquire): the header that the reserver loads next is
//!   not older than the one that made the cell invalid, so it tells the right lane.
//! - (4) `set_next` (Release) → `next` (Acquire): the zeroed buckets and fields of the new table.
//! - (5) the exchange of `current` (AcqRel) → its load (Acquire): a thread that begins with the new table sees all of its
//!   buckets live.
//! - (6) the additions to `done` and `mark` (AcqRel), each to those after it: whoever finds a migration complete has seen MOVED
//!   on every bucket, and passes it on by (5).
//!
//! - (7) the exchange that puts a chunk of counting cells in its place (Release) → its load (Acquire): the cells.
//! - (8) the exchange that puts a table on the list of parked ones (Release) → the swap that takes the list (Acquire): the
//!   links of the list, and that the tables are unlinked.
//! - (9) the count of changed slots (Release) → its load (Acquire) before the slots are read: the changes that are counted.
//! - (10) the SeqCst fence after a slot was changed and that was counted ↔ the SeqCst fence after a table was parked:
//!   store-load on both sides. Either the one sees the table, or the other sees the count ([`parked`]).
//! - (11) the count of freed nodes (Release), before the free → its load (Acquire) before a header: the header is not older
//!   than the change that took those nodes out. And the other way, the allocator orders a free before the next use of the
//!   address, (1) that use before the header that names it, and the fence after its validation all this before the second
//!   load of the count ([`unpinned`]).
//! - The table that an operation without a pin works on: pairs (1) to (4) of [`hazard`](crate::reclaim).
//!
//! # Progress
//!
//! Lock-free, all of it, in the strict sense. An exchange fails only because another one succeeded; besides the one that ends
//! it, an operation makes at most three in a bucket: a claim, one that brings a value home, and the claim's return. Nobody
//! waits:
//!
//! - a thread that is stopped between reserving and publishing withholds one cell, or the free lane, or, if it was filling a
//!   child, all cells; the others use what is left, and the node when nothing is;
//! - a thread that is stopped while it moves a group, or before it reports its chunk, is made up for: a writer of the group
//!   moves it, and when everything is handed out, everybody goes over what is not known to be done;
//! - without memory for a larger table the nodes keep the map working. Without memory for a node, an operation that needs
//!   one fails and changes nothing.
//!
//! After it has replaced a value that others replace at the same time, a thread may pause for some microseconds (see
//! `reclaim::pace`): a fixed number of pause instructions, when the change is made, not until somebody did something. Where the
//! operation is under a pin, so is the pause: what others retire waits so much longer.
//!
//! Nodes are named by the low 48 bits of their address. Where user addresses are longer, or tagged in the top byte, there
//! is "no memory" for nodes; such platforms are not supported.
//!
//! A lookup writes nothing to the map, and to its thread's own slot only when the table has been replaced. `len` is
//! wait-free.
//!
//! # Reclamation
//!
//! Operations on entries and keys run under a pin. So do those on words that meet an overflow node, or lose a race; all
//! others do without and protect the table alone, by a slot that goes on naming it ([`unpinned`]). So do lookups of a
//! key that the words in the bucket rule out.
//!
//! Nodes are retired by the thread whose exchange replaced them, or whose `set_moved` was the one that set the bit; entries
//! by the thread whose exchange took them out. Words are not retired at all. A table is unlinked by the winner of the
//! exchange of `current`, parked as long as a slot names it ([`parked`]), and then retired. A stalled pin holds back what is
//! retired meanwhile: old tables among it, so the map does not shrink while more than its own size of them is waiting. A
//! thread that has stopped using the map holds back the table that it used last, and the next one if it was migrating; that
//! stops nobody, and parked tables do not count against a shrink.
//!
//! # References
//!
//! The bucket with a snapshot word is CLHT's (David, Guerraoui, Trigonakis, *Asynchronized concurrency*, ASPLOS 2015), the
//! line-sized bucket with chained growth and prefetched batches DLHT's (Tzimas et al., HPDC 2024), freezing and copying by
//! anybody C. Click's (*A lock-free hash table*, JavaOne 2007), copy-on-write overflow ParlayHash's. The composition is
//! new; `models/map` has the exhaustive model that it was checked with.

#[cfg(all(feature = "capi", not(loom)))]
mod batch;
mod blob;
mod bucket;
mod change;
mod count;
mod draft;
mod engine;
mod entry;
mod hash;
mod header;
mod keyed;
mod memory;
mod migrate;
#[cfg(all(test, loom))]
mod models;
mod node;
mod once;
#[cfg(all(target_os = "linux", not(miri), not(loom)))]
mod pages;
mod parked;
mod plan;
mod resize;
mod room;
mod scan;
mod table;
mod typed;
mod unpinned;
mod words;

/// Cells of a bucket. One under loom, whose state space does not forgive; `models/two_cells.rs` has a bucket of two.
const CELLS: usize = if cfg!(loom) { 1 } else { 7 };

pub use hash::{MapHasher, RandomState};
pub use typed::{Decision, ExchangeError, InsertError, Map, MapStats, Updated};

#[cfg(all(feature = "capi", not(loom)))]
pub(crate) use batch::WordBatch;
#[cfg(all(feature = "capi", not(loom)))]
pub(crate) use blob::{BlobMap, Done, Elements};
#[cfg(all(feature = "capi", not(loom)))]
pub(crate) use entry::Intent;
#[cfg(all(feature = "capi", not(loom)))]
pub(crate) use hash::{ByteHash, Mixer, random_seed, spread, word_of};
#[cfg(all(feature = "capi", not(loom)))]
pub(crate) use resize::Stats;
#[cfg(all(feature = "capi", not(loom)))]
pub(crate) use words::{Word, WordMap};
