//! The operations on many elements, each of them one step. The algorithm is explained in the [parent](super).

use core::ptr;

use super::cache::Cache;
use super::chunk::{Node, below};
use super::raw::RawStack;
use crate::mem::{NoMemory, Slot};
use crate::reclaim::Lane;
use crate::sync::{Ordering, Pair};

impl<S: Slot> RawStack<S> {
    /// Pushes `n` elements in one step, the last of them on top: all, or none if there is no memory.
    ///
    /// # Safety
    /// `elements` is readable for `n` elements.
    pub(crate) unsafe fn push_n(&self, elements: *const u8, n: usize) -> Result<(), NoMemory> {
        if n == 0 {
            return Ok(());
        }
        let lane = self.depot.lane();
        let cache = self.cache(&lane)?;
        let size = self.shape().slot.layout().size();
        let mut chain = Chain { stack: self, cache, first: ptr::null_mut(), last: ptr::null_mut() };
        for i in 0..n {
            let node = self.node(cache)?;
            // SAFETY: within the caller's `n` elements.
            let element = unsafe { elements.add(i * size) };
            // SAFETY: a node of ours, and a readable element.
            unsafe { self.fill(node, element) };
            // SAFETY: as above.
            unsafe { chain.put(node) };
        }
        let (first, last) = (chain.first, chain.last);
        core::mem::forget(chain);
        // SAFETY: the chain is `n` nodes long and ours alone.
        unsafe { self.splice(&lane, cache, first, last, n) };
        Ok(())
    }

    /// Pops up to `n` elements in one step, the top one first, into the room for them that `room` gives when it is told how
    /// many they are. Returns how many.
    ///
    /// # Safety
    /// What `room(len)` returns is writable for `len` elements.
    pub(crate) unsafe fn pop_n(&self, n: usize, room: impl FnOnce(usize) -> *mut u8) -> usize {
        let lane = self.depot.lane();
        let (mut node, len) = self.cut(&lane, n);
        if len == 0 {
            return 0;
        }
        let elements = room(len);
        let size = self.shape().slot.layout().size();
        for i in 0..len {
            // SAFETY: `cut` made the `len` nodes this thread's.
            let next = unsafe { below(node) };
            // SAFETY: within the room.
            let element = unsafe { elements.add(i * size) };
            // SAFETY: the node is there.
            let payload = unsafe { self.shape().payload(node) };
            // SAFETY: the payload is initialised, the element writable.
            unsafe { self.shape().slot.copy(payload, element, 1) };
            // SAFETY: the node is this thread's, its element moved out.
            unsafe { self.put_back(&lane, node) };
            node = next;
        }
        len
    }

    /// Cuts up to `n` nodes off the top. They are the caller's then: the first one, and how many.
    fn cut(&self, lane: &Lane<'_>, n: usize) -> (*mut Node, usize) {
        let mut lost = 0;
        loop {
            // (2) as in `pop`.
            let head = self.head.top.load();
            if head.ptr.is_null() || n == 0 {
                self.leave(lost);
                return (ptr::null_mut(), 0);
            }
            if let Some((below, len)) = self.walk(lane, head, n) {
                // (3) as in `pop`.
                if self.head.top.exchange(head, below, Ordering::AcqRel).is_ok() {
                    self.won(lane, head.tag, lost);
                    return (head.ptr, len);
                }
            }
            self.lost(&mut lost);
        }
    }

    /// The node that `n` nodes from `head` on stand above, and how many there are, `n` at most; None when the stack
    /// changed on the way.
    fn walk(&self, lane: &Lane<'_>, head: Pair<Node>, n: usize) -> Option<(*mut Node, usize)> {
        let (mut node, mut len) = (head.ptr, 0);
        while len < n && !node.is_null() {
            let chunk = self.shape().chunk(node);
            if !lane.names(chunk) {
                lane.name_beside(chunk);
                // (2), (4): if the head is the same, the node is in the stack now, and its chunk protected.
                if self.head.top.load() != head {
                    return None;
                }
            }
            // SAFETY: protected: the node was in the stack after its chunk was named, as the last check says.
            let next = unsafe { below(node) };
            // If the head is the same after the link was read, the link was one of the stack. (5) The load is after that
            // of the link, which is Acquire.
            if self.head.top.load() != head {
                return None;
            }
            node = next;
            len += 1;
        }
        Some((node, len))
    }

    /// Takes everything in one step, hands each element to `take` from the top down, and returns how many there were.
    ///
    /// `take` gets a pointer to the element's bytes, which are its own from then on, and readable and writable until it
    /// returns. If it unwinds, `left` gets the remaining elements.
    pub(crate) fn pop_all(&self, mut take: impl FnMut(*mut u8), left: impl FnMut(*mut u8)) -> usize {
        // (2) as in `pop`.
        let mut head = self.head.top.load();
        while !head.ptr.is_null() {
            // (3) Acquire pairs with (1) for all nodes of the chain (see the parent's text).
            match self.head.top.exchange(head, ptr::null_mut(), Ordering::Acquire) {
                Ok(()) => break,
                Err(now) => head = now,
            }
        }
        let mut rest = Rest { stack: self, node: head.ptr, left };
        let mut len = 0;
        while let Some(element) = rest.next() {
            len += 1;
            take(element.ptr);
        }
        len
    }
}

/// Nodes that are not in the stack yet; dropped, they are free again and their elements still the caller's.
struct Chain<'a, S: Slot> {
    stack: &'a RawStack<S>,
    cache: &'a Cache,
    first: *mut Node,
    last: *mut Node,
}

impl<S: Slot> Chain<'_, S> {
    /// # Safety
    /// The node is the caller's.
    unsafe fn put(&mut self, node: *mut Node) {
        // SAFETY: the caller's promise.
        let link = unsafe { &(*node).next };
        // Private until it is spliced in. (5) Release: as in `splice`.
        link.store(self.first, Ordering::Release);
        if self.first.is_null() {
            self.last = node;
        }
        self.first = node;
    }
}

impl<S: Slot> Drop for Chain<'_, S> {
    fn drop(&mut self) {
        while !self.first.is_null() {
            let node = self.first;
            // SAFETY: a node of the private chain.
            self.first = unsafe { below(node) };
            // SAFETY: as above.
            if unsafe { self.cache.put(self.stack.shape(), node) } {
                self.stack.give_surplus(self.cache);
            }
        }
    }
}

/// The nodes that `pop_all` took and has not handed on yet.
struct Rest<'a, S: Slot, L: FnMut(*mut u8)> {
    stack: &'a RawStack<S>,
    node: *mut Node,
    left: L,
}

/// An element on its way to the caller; its node is free when this is dropped.
struct Taken<'a, S: Slot> {
    stack: &'a RawStack<S>,
    node: *mut Node,
    ptr: *mut u8,
}

impl<'a, S: Slot, L: FnMut(*mut u8)> Rest<'a, S, L> {
    fn next(&mut self) -> Option<Taken<'a, S>> {
        if self.node.is_null() {
            return None;
        }
        let node = self.node;
        // SAFETY: taken by the exchange and not free yet.
        self.node = unsafe { below(node) };
        // SAFETY: as above.
        let ptr = unsafe { self.stack.shape().payload(node) };
        Some(Taken { stack: self.stack, node, ptr })
    }
}

impl<S: Slot, L: FnMut(*mut u8)> Drop for Rest<'_, S, L> {
    fn drop(&mut self) {
        while let Some(element) = self.next() {
            (self.left)(element.ptr);
        }
    }
}

impl<S: Slot> Drop for Taken<'_, S> {
    fn drop(&mut self) {
        let lane = self.stack.depot.lane();
        // SAFETY: taken by this thread's exchange, its element handed on.
        unsafe { self.stack.put_back(&lane, self.node) };
    }
}
