//! Nodes, the chunks that they stand in, and the header that each chunk has elsewhere.
//!
//! ```text
//!  Header ◄─────────── Chunk ┌─────────┬───────┬──────────────┬──────────────┬─ ─
//!  word, chunk ──────────►   │ header, │ below │ next payload │ next payload │
//!                            └─────────┴───────┴──────────────┴──────────────┴─ ─
//!                            ▲ aligned to the span, so that a node's address tells its chunk
//! ```

use core::alloc::Layout;
use core::cell::Cell;
use core::ptr::{self, NonNull};

use crate::mem::{Allocator, NoMemory, Slot};
use crate::reclaim::Waits;
use crate::sync::{AtomicPtr, AtomicU64, Ordering};

/// What stands before the payload of each node.
#[repr(C)]
pub(super) struct Node {
    /// The node below: in the stack, a cache, or a chunk's list of free nodes. Atomic, because a pop may read it that comes
    /// too late; the exchange that follows finds that out.
    pub(super) next: AtomicPtr<Node>,
}

/// The node that `node` links to.
///
/// # Safety
/// `node` is there.
pub(super) unsafe fn below(node: *mut Node) -> *mut Node {
    // SAFETY: the caller's promise.
    let link = unsafe { &(*node).next };
    // (5) Acquire: what is loaded afterwards is no older than the link.
    link.load(Ordering::Acquire)
}

/// What stands at the beginning of each chunk.
#[repr(C)]
pub(super) struct Chunk {
    /// Written while nobody else has a node of the chunk, read by those who have one.
    pub(super) header: Cell<*const Header>,
    /// The chunk below, while this one waits to be freed.
    below: AtomicPtr<Chunk>,
}

impl Waits for Chunk {
    fn below(&self) -> &AtomicPtr<Self> {
        &self.below
    }
}

/// What is shared of a chunk. Headers stay headers for the life of the stack, so that they can be looked at when their
/// chunk is gone.
pub(super) struct Header {
    /// See [`Word`].
    pub(super) word: AtomicU64,
    /// The chunk, unless the header is vacant. Written by the thread that took the vacant header.
    pub(super) chunk: Cell<*mut Chunk>,
    /// The header below, in a list of headers.
    pub(super) next: AtomicPtr<Header>,
}

/// The state of a chunk in one word: its free nodes and where its header is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Word(pub(super) u64);

impl Word {
    /// The header is in the list of those with free nodes, or in the hands of a thread that took it from there.
    pub(super) const LISTED: u64 = 1 << 63;
    /// The header has no chunk.
    pub(super) const VACANT: u64 = 1 << 62;

    /// `free` free nodes, of which the one of this number is the first.
    pub(super) fn new(first: usize, free: usize, flags: u64) -> Self {
        Self((first as u64) << 32 | free as u64 | flags)
    }

    pub(super) fn has(self, flag: u64) -> bool {
        self.0 & flag != 0
    }

    pub(super) fn free(self) -> usize {
        self.0 as u32 as usize
    }

    /// The number of the first free node, if there is one.
    pub(super) fn first(self) -> usize {
        (self.0 >> 32) as usize & ((1 << 30) - 1)
    }
}

/// The bytes of a chunk of small elements.
const SPAN: usize = if cfg!(loom) { 64 } else { 4096 };
/// Chunks of larger elements are larger, so that they have this many nodes at least.
const NODES: usize = if cfg!(loom) { 2 } else { 4 };
/// Left at the end of a chunk for the process allocator's own words, so that chunks lie side by side.
const SPARED: usize = 16;
/// The bytes of free nodes that a thread keeps, and their number.
const CACHED_BYTES: usize = 16 * 1024;
const CACHED: usize = if cfg!(loom) { 1 } else { 64 };

/// Where things are in the chunks of one stack.
pub(super) struct Shape<S> {
    pub(super) slot: S,
    /// Distance of the payload from its node.
    payload: usize,
    /// Chunks begin at multiples of this.
    span: usize,
    /// Distance of the first node from the chunk, and of each from the one before it.
    first: usize,
    stride: usize,
    /// How many nodes a chunk has.
    pub(super) nodes: usize,
    /// How many free nodes a thread keeps.
    pub(super) cached: usize,
    layout: Layout,
}

impl<S: Slot> Shape<S> {
    pub(super) fn new(slot: S, allocator: &Allocator) -> Result<Self, NoMemory> {
        Self::checked(slot, allocator).ok_or(NoMemory)
    }

    /// None if the element is too large for the address space.
    fn checked(slot: S, allocator: &Allocator) -> Option<Self> {
        let (node, payload) = Layout::new::<Node>().extend(slot.layout()).ok()?;
        let node = node.pad_to_align();
        let stride = node.size();
        let (_, first) = Layout::new::<Chunk>().extend(node).ok()?;
        let least = first.checked_add(stride.checked_mul(NODES)?)?.checked_add(SPARED)?;
        let span = least.max(SPAN).checked_next_power_of_two()?;
        let nodes = if cfg!(loom) { NODES } else { (span - SPARED - first) / stride };
        // A hook may demand that the size is a multiple of the alignment.
        let size = if allocator.is_process() { first + nodes * stride } else { span };
        let layout = Layout::from_size_align(size, span).ok()?;
        let cached = (CACHED_BYTES / stride).clamp(1, CACHED);
        Some(Self { slot, payload, span, first, stride, nodes, cached, layout })
    }

    /// A chunk without a header, whose nodes were never used.
    pub(super) fn allocate(&self, allocator: &Allocator) -> Result<NonNull<Chunk>, NoMemory> {
        let chunk = allocator.allocate(self.layout)?.cast::<Chunk>();
        let fresh = Chunk { header: Cell::new(ptr::null()), below: AtomicPtr::new(ptr::null_mut()) };
        // SAFETY: fresh memory that is large and aligned enough.
        unsafe { chunk.write(fresh) };
        // The atomics of a model must be made before they are used; memory may hold any word.
        #[cfg(loom)]
        for number in 0..self.nodes {
            // SAFETY: in the chunk.
            let node = unsafe { self.node(chunk.as_ptr(), number) };
            // SAFETY: fresh memory.
            unsafe { node.write(Node { next: AtomicPtr::new(ptr::null_mut()) }) };
        }
        Ok(chunk)
    }

    /// # Safety
    /// The chunk came from [`Shape::allocate`], and nobody can reach it any more.
    pub(super) unsafe fn free(&self, allocator: &Allocator, chunk: *mut Chunk) {
        // SAFETY: not null.
        let memory = unsafe { NonNull::new_unchecked(chunk.cast::<u8>()) };
        // SAFETY: allocated with this layout; the rest is the caller's promise.
        unsafe { allocator.release(memory, self.layout) };
    }

    /// # Safety
    /// `number` is below `nodes`, and the chunk is there.
    pub(super) unsafe fn node(&self, chunk: *mut Chunk, number: usize) -> *mut Node {
        // SAFETY: inside the chunk's memory.
        unsafe { chunk.byte_add(self.first + number * self.stride) }.cast()
    }

    /// The number of a node in its chunk.
    pub(super) fn number(&self, node: *mut Node) -> usize {
        ((node.addr() & (self.span - 1)) - self.first) / self.stride
    }

    /// The node behind `node`, which may be the end of the chunk.
    ///
    /// # Safety
    /// `node` is one of a chunk.
    #[inline(always)]
    pub(super) unsafe fn after(&self, node: *mut Node) -> *mut Node {
        // SAFETY: inside the chunk's memory, or one past its nodes.
        unsafe { node.byte_add(self.stride) }
    }

    /// The chunk that a node stands in. Only an address: the node need not be there any more.
    #[inline(always)]
    pub(super) fn chunk(&self, node: *mut Node) -> *mut Chunk {
        node.map_addr(|addr| addr & !(self.span - 1)).cast()
    }

    /// The element of a node.
    ///
    /// # Safety
    /// The node is there.
    #[inline(always)]
    pub(super) unsafe fn payload(&self, node: *mut Node) -> *mut u8 {
        // SAFETY: inside the node, by its layout.
        unsafe { node.cast::<u8>().add(self.payload) }
    }
}
