//! The overflow node: what finds no cell in its bucket, in an array that never changes.
//!
//! A change of the array is a new node and one header exchange; the old one is retired. A node is published at most
//! once, so its address names it as long as a thread that saw it is pinned.

use core::alloc::Layout;
use core::ptr::NonNull;

use super::bucket::Pair;
use super::header::Header;
use crate::mem::{Allocator, NoMemory};
use crate::reclaim::Link;
use crate::sync::Ordering;

/// While the node is in use, the pointer in its link holds the version of the last plain header, for the way back; where
/// pointers are shorter than versions it has a word of its own.
#[repr(C)]
pub(super) struct Node {
    link: Link,
    #[cfg(not(target_pointer_width = "64"))]
    version: u64,
    len: usize,
    // `len` pairs follow.
}

/// A header names a node by 44 bits of its address.
const ALIGN: usize = 16;

impl Node {
    fn layout(len: usize) -> Result<Layout, NoMemory> {
        let pairs = Layout::array::<Pair>(len).map_err(|_| NoMemory)?;
        let (layout, offset) = Layout::new::<Self>().extend(pairs).map_err(|_| NoMemory)?;
        debug_assert!(offset == size_of::<Self>());
        layout.align_to(ALIGN).map_err(|_| NoMemory)
    }

    /// The entries of a node.
    ///
    /// # Safety
    /// `node` was published, and stays unfreed as long as the result is used.
    pub(super) unsafe fn pairs<'a>(node: *const Self) -> &'a [Pair] {
        // SAFETY: the caller's promise.
        let len = unsafe { (*node).len };
        // SAFETY: the pairs follow the node, in the same block.
        let first = unsafe { node.add(1) }.cast::<Pair>();
        // SAFETY: `NodeBox::publish` saw to it that `len` pairs are written; they never change.
        unsafe { core::slice::from_raw_parts(first, len) }
    }

    /// The version that the node carries, or anything if it has been replaced meanwhile: only for a change that fails then.
    ///
    /// # Safety
    /// As [`Node::pairs`].
    pub(super) unsafe fn version(node: *const Self) -> u64 {
        #[cfg(not(target_pointer_width = "64"))]
        // SAFETY: the caller's promise.
        return unsafe { (*node).version };
        #[cfg(target_pointer_width = "64")]
        {
            // SAFETY: the caller's promise; a reference to the field only: a limbo may be writing to the rest of the link.
            let next = unsafe { &(*node).link.next };
            // Relaxed: written before the node was published.
            next.load(Ordering::Relaxed).addr() as u64
        }
    }

    /// The size of a node of `len` entries.
    pub(super) const fn bytes(len: usize) -> usize {
        size_of::<Self>() + len * size_of::<Pair>()
    }

    /// Frees a node.
    ///
    /// # Safety
    /// It came from `allocator`, nobody uses it any more, and this is the only call for it.
    pub(super) unsafe fn release(node: *mut Self, allocator: &Allocator) {
        // SAFETY: the caller's promise.
        let len = unsafe { (*node).len };
        let layout = Self::layout(len).expect("it was allocated with this layout");
        // SAFETY: a node is not null.
        let block = unsafe { NonNull::new_unchecked(node.cast::<u8>()) };
        // SAFETY: the caller's promise.
        unsafe { allocator.release(block, layout) };
    }
}

/// A node on its way to being published.
pub(super) struct NodeBox<'a> {
    node: NonNull<Node>,
    capacity: usize,
    allocator: &'a Allocator,
}

impl<'a> NodeBox<'a> {
    /// Room for exactly `capacity` entries.
    pub(super) fn new(allocator: &'a Allocator, version: u64, capacity: usize) -> Result<Self, NoMemory> {
        let node = allocator.allocate(Node::layout(capacity)?)?.cast::<Node>();
        // SAFETY: fresh memory of a layout that begins with that of `Node`.
        unsafe {
            node.write(Node {
                link: Link::new(),
                #[cfg(not(target_pointer_width = "64"))]
                version,
                len: 0,
            });
        }
        // SAFETY: written just now, and ours.
        let link = unsafe { &node.as_ref().link };
        // Relaxed: published with the node.
        link.next.store(core::ptr::without_provenance_mut(version as usize), Ordering::Relaxed);
        let this = Self { node, capacity, allocator };
        // An address beyond what a header can name: a platform that tags pointers. There is no memory we can use.
        if Header::can_name(node.as_ptr()) { Ok(this) } else { Err(NoMemory) }
    }

    pub(super) fn push(&mut self, pair: Pair) {
        // SAFETY: the node is ours and written.
        let len = unsafe { &mut (*self.node.as_ptr()).len };
        assert!(*len < self.capacity, "a node is built to measure");
        // SAFETY: in bounds, or one past the node, of a block with room for `capacity` pairs.
        let first = unsafe { self.node.as_ptr().add(1) }.cast::<Pair>();
        // SAFETY: as above; `len < capacity`.
        let slot = unsafe { first.add(*len) };
        // SAFETY: within the block, aligned, not read by anybody yet.
        unsafe { slot.write(pair) };
        *len += 1;
    }

    pub(super) fn as_ptr(&self) -> *const Node {
        // SAFETY: ours and written.
        let len = unsafe { self.node.as_ref() }.len;
        debug_assert!(len == self.capacity, "a node is full when it is published");
        self.node.as_ptr()
    }

    /// It is in a header now: the map's.
    pub(super) fn publish(self) {
        core::mem::forget(self);
    }
}

impl Drop for NodeBox<'_> {
    fn drop(&mut self) {
        // SAFETY: ours and written; the layout is that of the capacity, so `len` is brought up to it.
        unsafe { (*self.node.as_ptr()).len = self.capacity };
        // SAFETY: never published, from this allocator.
        unsafe { Node::release(self.node.as_ptr(), self.allocator) };
    }
}
