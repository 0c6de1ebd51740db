//! The engine of the stack: moves bytes, knows no element type. The algorithm is explained in the [parent](super).

use core::ptr::{self, NonNull};

use crossbeam_utils::{Backoff, CachePadded};

use super::node::{Node, Nodes};
use crate::mem::{NoMemory, Slot};
use crate::options::Options;
use crate::reclaim::{Limbo, Pinned};
use crate::sync::{AtomicPtr, Ordering};

pub(crate) struct RawStack<S: Slot> {
    head: CachePadded<AtomicPtr<Node>>,
    limbo: Limbo<Nodes<S>>,
}

// SAFETY: the engine owns bytes; those who make it decide whether the elements they stand for may cross threads.
// `Stack<T>` does so by its own bounds, the C layer by its contract.
unsafe impl<S: Slot> Send for RawStack<S> {}
// SAFETY: as above; every access to shared memory is atomic or ordered by the pairs of the parent's text.
unsafe impl<S: Slot> Sync for RawStack<S> {}

impl<S: Slot> RawStack<S> {
    pub(crate) fn new(slot: S, options: &Options) -> Result<Self, NoMemory> {
        let (domain, allocator) = options.resolve()?;
        let limbo = Limbo::new(&domain, Nodes::new(slot, allocator)?)?;
        Ok(Self { head: CachePadded::new(AtomicPtr::new(ptr::null_mut())), limbo })
    }

    fn nodes(&self) -> &Nodes<S> {
        self.limbo.memory()
    }

    /// Pushes one element, whose bytes are then the stack's.
    ///
    /// # Safety
    /// `element` is readable for one element.
    #[inline]
    pub(crate) unsafe fn push(&self, element: *const u8) -> Result<(), NoMemory> {
        // SAFETY: the caller's promise.
        let node = unsafe { self.nodes().make(element) }?;
        // SAFETY: a chain of one node, ours alone.
        unsafe { self.splice(node, node, 1) };
        Ok(())
    }

    /// Pushes `n` elements in one step, the last of them on top: all, or none if there is no memory.
    ///
    /// # Safety
    /// `elements` is readable for `n` elements.
    pub(crate) unsafe fn push_n(&self, elements: *const u8, n: usize) -> Result<(), NoMemory> {
        let mut chain = Chain { nodes: self.nodes(), first: ptr::null_mut(), last: ptr::null_mut(), len: 0 };
        let size = self.nodes().slot.layout().size();
        for i in 0..n {
            // SAFETY: within the caller's `n` elements.
            let element = unsafe { elements.add(i * size) };
            // SAFETY: as above.
            unsafe { chain.put(element) }?;
        }
        if let (Some(first), Some(last)) = (NonNull::new(chain.first), NonNull::new(chain.last)) {
            let len = chain.len;
            core::mem::forget(chain);
            // SAFETY: the chain is `len` nodes long and ours alone.
            unsafe { self.splice(first, last, len) };
        }
        Ok(())
    }

    /// Puts a private chain on top.
    ///
    /// # Safety
    /// The chain from `first` down to `last` is `len` nodes long, private, and counts its own depths from 1 at `last`.
    #[inline]
    unsafe fn splice(&self, first: NonNull<Node>, last: NonNull<Node>, len: usize) {
        let _pinned = self.limbo.pin();
        let backoff = Backoff::new();
        // Acquire: pairs with (1); the depth of the head is read.
        let mut head = self.head.load(Ordering::Acquire);
        loop {
            // SAFETY: the head was loaded under the pin, so it is not freed; null means an empty stack.
            let below = unsafe { head.as_ref() }.map_or(0, |head| head.depth);
            // SAFETY: the chain is private, so nobody else writes to it.
            unsafe { number(first, len, below) };
            // SAFETY: as above.
            let link = unsafe { &last.as_ref().link };
            // Relaxed: published by (1).
            link.next.store(head.cast(), Ordering::Relaxed);
            // (1) Release publishes the chain: payloads, depths, links. Acquire on failure: as the load.
            match self.head.compare_exchange_weak(head, first.as_ptr(), Ordering::Release, Ordering::Acquire)
            {
                Ok(_) => return,
                Err(now) => head = now,
            }
            // Another push or pop won, so the stack made progress; step aside for a moment.
            backoff.spin();
        }
    }

    /// Pops the top element into `element`. False, and nothing written, when the stack is empty.
    ///
    /// # Safety
    /// `element` is writable for one element.
    #[inline]
    pub(crate) unsafe fn pop(&self, element: *mut u8) -> bool {
        let pinned = self.limbo.pin();
        let backoff = Backoff::new();
        // (2) Acquire: pairs with (1); the node is read below.
        let mut head = self.head.load(Ordering::Acquire);
        loop {
            // SAFETY: loaded under the pin, so not freed.
            let Some(top) = (unsafe { head.as_ref() }) else { return false };
            // Relaxed: (1) and (2) order it. If the node was popped meanwhile this reads a limbo's link, and the
            // exchange fails, because a popped node cannot be on top again before this pin ends.
            let below = top.link.next.load(Ordering::Relaxed).cast::<Node>();
            // (3) Acquire on failure, as (2). On success Acquire keeps (2) for the payload, and Release keeps (1) of
            // the nodes below for threads that acquire `below` from this exchange.
            match self.head.compare_exchange_weak(head, below, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => break,
                Err(now) => head = now,
            }
            backoff.spin();
        }
        // SAFETY: the exchange made the node this thread's; `element` is the caller's promise.
        unsafe { self.take(&pinned, head, element) };
        true
    }

    /// Pops up to `n` elements in one step, the top one first. Returns how many.
    ///
    /// # Safety
    /// `elements` is writable for `n` elements.
    pub(crate) unsafe fn pop_n(&self, elements: *mut u8, n: usize) -> usize {
        if n == 0 {
            return 0;
        }
        let pinned = self.limbo.pin();
        let backoff = Backoff::new();
        let (mut node, len) = loop {
            // (2) as in `pop`.
            let head = self.head.load(Ordering::Acquire);
            if head.is_null() {
                return 0;
            }
            let Some((below, len)) = self.walk(head, n) else {
                backoff.spin();
                continue;
            };
            // (3) as in `pop`; Relaxed on failure, because the loop loads again.
            if self.head.compare_exchange(head, below, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
                break (head, len);
            }
            backoff.spin();
        };
        let size = self.nodes().slot.layout().size();
        for i in 0..len {
            // SAFETY: the exchange made the `len` nodes this thread's.
            let next = unsafe { self.below(node) };
            // SAFETY: within the caller's `n` elements.
            let element = unsafe { elements.add(i * size) };
            // SAFETY: as above.
            unsafe { self.take(&pinned, node, element) };
            node = next;
        }
        len
    }

    /// The node that `n` nodes from `head` on stand above, and how many there are, `n` at most; None when the stack
    /// changed on the way. The caller is pinned.
    fn walk(&self, head: *mut Node, n: usize) -> Option<(*mut Node, usize)> {
        let (mut node, mut len) = (head, 0);
        while len < n && !node.is_null() {
            // SAFETY: `node` was in the stack at a moment of this pin (the check below), so it is not freed.
            let next = unsafe { self.below(node) };
            // A node cannot come back during a pin. So if the head is the same after the link was read, it was the
            // same all the time, and the link was one of the stack, not of a limbo.
            // Acquire: pairs with (1) for the nodes below.
            if self.head.load(Ordering::Acquire) != head {
                return None;
            }
            node = next;
            len += 1;
        }
        Some((node, len))
    }

    /// # Safety
    /// `node` is not freed.
    unsafe fn below(&self, node: *mut Node) -> *mut Node {
        // SAFETY: the caller's promise.
        let link = unsafe { &(*node).link };
        // (5) Acquire: if this reads the link of a limbo, the removal of the node happens before a load of the head
        // that follows, which then shows it.
        link.next.load(Ordering::Acquire).cast()
    }

    /// Takes everything in one step, hands each element to `take` from the top down, and returns how many there were.
    ///
    /// `take` gets a pointer to the element's bytes, which are its own from then on, and readable and writable until it
    /// returns. No pin is held while it runs. If it unwinds, `left` gets the remaining elements.
    pub(crate) fn pop_all(&self, mut take: impl FnMut(*mut u8), left: impl FnMut(*mut u8)) -> usize {
        // (4) Acquire pairs with (1) for all nodes of the chain (see the parent's text).
        let head = self.head.swap(ptr::null_mut(), Ordering::Acquire);
        let mut rest = Rest { stack: self, node: head, left };
        let mut len = 0;
        while let Some(element) = rest.next() {
            len += 1;
            take(element.ptr);
        }
        len
    }

    /// How many elements there were at the moment when the head was read.
    pub(crate) fn len(&self) -> usize {
        let _pinned = self.limbo.pin();
        // Acquire: pairs with (1); the depth is read.
        let head = self.head.load(Ordering::Acquire);
        // SAFETY: loaded under the pin, so not freed.
        unsafe { head.as_ref() }.map_or(0, |head| head.depth)
    }

    pub(crate) fn is_empty(&self) -> bool {
        // Acquire: a caller that saw the stack filled sees what its pusher did before.
        self.head.load(Ordering::Acquire).is_null()
    }

    /// Moves the element out of a node that is this thread's, and retires the node.
    ///
    /// # Safety
    /// This thread removed `node` from the stack, under `pinned`; `element` is writable for one element.
    #[inline]
    unsafe fn take(&self, pinned: &Pinned, node: *mut Node, element: *mut u8) {
        // SAFETY: not freed: it is not even retired yet.
        let payload = unsafe { self.nodes().payload(node) };
        // SAFETY: the payload is initialised, and nobody else reads or writes it: others look at `link` and `depth`.
        unsafe { self.nodes().slot.copy(payload, element, 1) };
        // SAFETY: removed under the pin by this thread alone.
        unsafe { self.limbo.retire(pinned, node.cast(), 0, self.nodes().bytes()) };
    }
}

impl<S: Slot> Drop for RawStack<S> {
    /// Frees the nodes. Those who hold elements with destructors take them out before.
    fn drop(&mut self) {
        // Relaxed: `&mut self`; whoever dropped the stack synchronised with its users.
        let mut node = self.head.load(Ordering::Relaxed);
        while let Some(this) = NonNull::new(node) {
            // SAFETY: in the stack, so not freed.
            node = unsafe { self.below(this.as_ptr()) };
            // SAFETY: nobody uses the stack any more.
            unsafe { self.nodes().free(this) };
        }
    }
}

/// Writes the depths of a private chain that will stand on `below` nodes.
///
/// # Safety
/// The chain is private and `len` nodes long.
unsafe fn number(first: NonNull<Node>, len: usize, below: usize) {
    let mut node = first.as_ptr();
    for i in 0..len {
        // SAFETY: the caller's promise.
        let this = unsafe { &mut *node };
        this.depth = below + len - i;
        // Relaxed: the chain is private.
        node = this.link.next.load(Ordering::Relaxed).cast();
    }
}

/// Nodes that are not in the stack yet; dropped, they are freed and their elements are still the caller's.
struct Chain<'a, S: Slot> {
    nodes: &'a Nodes<S>,
    first: *mut Node,
    last: *mut Node,
    len: usize,
}

impl<S: Slot> Chain<'_, S> {
    /// Puts a node for `element` on top.
    ///
    /// # Safety
    /// `element` is readable for one element.
    unsafe fn put(&mut self, element: *const u8) -> Result<(), NoMemory> {
        // SAFETY: the caller's promise.
        let node = unsafe { self.nodes.make(element) }?.as_ptr();
        // SAFETY: fresh and ours.
        let link = unsafe { &(*node).link };
        // Relaxed: private until it is spliced in.
        link.next.store(self.first.cast(), Ordering::Relaxed);
        if self.first.is_null() {
            self.last = node;
        }
        self.first = node;
        self.len += 1;
        Ok(())
    }
}

impl<S: Slot> Drop for Chain<'_, S> {
    fn drop(&mut self) {
        while let Some(node) = NonNull::new(self.first) {
            // SAFETY: a node of the private chain.
            let link = unsafe { &node.as_ref().link };
            // Relaxed: private.
            self.first = link.next.load(Ordering::Relaxed).cast();
            // SAFETY: private, and not used any more.
            unsafe { self.nodes.free(node) };
        }
    }
}

/// The nodes that `pop_all` took and has not handed on yet.
struct Rest<'a, S: Slot, L: FnMut(*mut u8)> {
    stack: &'a RawStack<S>,
    node: *mut Node,
    left: L,
}

/// An element on its way to the caller; its node is retired when this is dropped.
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
        // SAFETY: taken by the swap and not retired yet.
        self.node = unsafe { self.stack.below(node) };
        // SAFETY: as above.
        let ptr = unsafe { self.stack.nodes().payload(node) };
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
        // Pinned only now: the node was ours since the swap, and readers that saw it before hold their own pins.
        let pinned = self.stack.limbo.pin();
        let bytes = self.stack.nodes().bytes();
        // SAFETY: removed by this thread's swap, its element handed on, retired once.
        unsafe { self.stack.limbo.retire(&pinned, self.node.cast(), 0, bytes) };
    }
}
