//! The node of the stack, and where nodes come from and go to.

use core::alloc::Layout;
use core::ptr::NonNull;

use crate::mem::{Allocator, NoMemory, Slot};
use crate::reclaim::{Dispose, Link};

/// What stands before the payload of each node.
#[repr(C)]
pub(super) struct Node {
    /// While the node is in the stack, `link.next` is the node below. First, so that a node can be retired.
    pub(super) link: Link,
    /// How many nodes the stack has from this one down. Written before the node is published, never after.
    pub(super) depth: usize,
}

/// Makes and frees nodes of one stack: a [`Node`] and, behind it, one element.
pub(super) struct Nodes<S> {
    pub(super) slot: S,
    allocator: Allocator,
    layout: Layout,
    /// Distance of the payload from the node.
    payload: usize,
}

impl<S: Slot> Nodes<S> {
    pub(super) fn new(slot: S, allocator: Allocator) -> Result<Self, NoMemory> {
        // An element too large for the address space is one there is no memory for.
        let (layout, payload) = Layout::new::<Node>().extend(slot.layout()).map_err(|_| NoMemory)?;
        Ok(Self { slot, allocator, layout: layout.pad_to_align(), payload })
    }

    pub(super) fn bytes(&self) -> usize {
        self.layout.size()
    }

    /// A node that is in no stack, with the bytes of the element at `element`.
    ///
    /// # Safety
    /// `element` is readable for one element.
    #[inline]
    pub(super) unsafe fn make(&self, element: *const u8) -> Result<NonNull<Node>, NoMemory> {
        let node = self.allocator.allocate(self.layout)?.cast::<Node>();
        // SAFETY: fresh memory that is large and aligned enough.
        unsafe { node.write(Node { link: Link::new(), depth: 0 }) };
        // SAFETY: a fresh node of ours.
        let payload = unsafe { self.payload(node.as_ptr()) };
        // SAFETY: writable, being fresh; and the caller vouches for `element`.
        unsafe { self.slot.copy(element, payload, 1) };
        Ok(node)
    }

    /// The element of a node.
    ///
    /// # Safety
    /// `node` was made here and was not freed yet.
    #[inline]
    pub(super) unsafe fn payload(&self, node: *mut Node) -> *mut u8 {
        // SAFETY: inside the node's allocation, by its layout.
        unsafe { node.cast::<u8>().add(self.payload) }
    }

    /// Frees a node that nobody else can reach. Its element's bytes are just forgotten.
    ///
    /// # Safety
    /// `node` was made here, is not used any more and was not freed before.
    pub(super) unsafe fn free(&self, node: NonNull<Node>) {
        // SAFETY: the caller's promise; `layout` is that of `make`.
        unsafe { self.allocator.release(node.cast(), self.layout) };
    }
}

// SAFETY: freeing a node uses the allocator's hooks only, which outlive the stack; elements were moved out before their
// node was retired, and no code of theirs runs.
unsafe impl<S: Slot> Dispose for Nodes<S> {
    unsafe fn dispose(&self, block: *mut Link, _kind: u8) {
        // SAFETY: blocks of this limbo are nodes, and the link is their first field; never null.
        let node = unsafe { NonNull::new_unchecked(block.cast::<Node>()) };
        // SAFETY: the caller's promise.
        unsafe { self.free(node) };
    }
}
