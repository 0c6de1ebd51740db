//! The engine of the stack: moves bytes, knows no element type. The algorithm is explained in the [parent](super).

use core::ptr;

use crossbeam_utils::CachePadded;

use super::cache::{Cache, Caches};
use super::chunk::{Node, Shape};
use super::depot::{Depot, Run};
use crate::mem::{NoMemory, Slot};
use crate::options::Options;
use crate::reclaim::{Hazards, Lane};
use crate::sync::{AtomicBool, AtomicPair, AtomicUsize, Ordering, Pair};

/// The top, and on the same line:
struct Head {
    top: AtomicPair<Node>,
    /// A thread has lost several exchanges in a row, and asks for a turn.
    starving: AtomicBool,
}

/// So many lost exchanges make a thread ask for a turn.
const STARVING: u32 = 4;

pub(crate) struct RawStack<S: Slot> {
    head: CachePadded<Head>,
    caches: Caches,
    depot: Depot<S>,
    /// Pops by threads for which there was no memory for a cache.
    uncached: AtomicUsize,
}

// SAFETY: the engine owns bytes; those who make it decide whether the elements they stand for may cross threads.
// `Stack<T>` does so by its own bounds, the C layer by its contract.
unsafe impl<S: Slot> Send for RawStack<S> {}
// SAFETY: as above; every access to shared memory is atomic or ordered by the pairs of the parent's text.
unsafe impl<S: Slot> Sync for RawStack<S> {}

impl<S: Slot> RawStack<S> {
    pub(crate) fn new(slot: S, options: &Options) -> Result<Self, NoMemory> {
        let (domain, allocator) = options.resolve()?;
        let shape = Shape::new(slot, &allocator)?;
        Ok(Self {
            head: CachePadded::new(Head { top: AtomicPair::new(ptr::null_mut()), starving: AtomicBool::new(false) }),
            caches: Caches::new(),
            depot: Depot::new(shape, allocator, Hazards::new(&domain)),
            uncached: AtomicUsize::new(0),
        })
    }

    fn shape(&self) -> &Shape<S> {
        &self.depot.shape
    }

    /// Pushes one element, whose bytes are then the stack's.
    ///
    /// # Safety
    /// `element` is readable for one element.
    #[inline]
    pub(crate) unsafe fn push(&self, element: *const u8) -> Result<(), NoMemory> {
        let lane = self.depot.lane();
        let cache = self.cache(&lane)?;
        let node = self.node(cache)?;
        // SAFETY: a node of ours; the element is the caller's promise.
        unsafe { self.fill(node, element) };
        // SAFETY: a chain of one node, ours alone.
        unsafe { self.splice(&lane, cache, node, node, 1) };
        Ok(())
    }

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

    /// The calling thread's cache.
    #[inline(always)]
    fn cache(&self, lane: &Lane<'_>) -> Result<&Cache, NoMemory> {
        let make = || self.caches.make(lane.index(), &self.depot.allocator, self.shape().cached);
        self.caches.get(lane.index()).map_or_else(make, Ok)
    }

    /// A free node.
    #[inline(always)]
    fn node(&self, cache: &Cache) -> Result<*mut Node, NoMemory> {
        cache.take(self.shape()).map_or_else(|| self.refill(cache), Ok)
    }

    #[cold]
    fn refill(&self, cache: &Cache) -> Result<*mut Node, NoMemory> {
        loop {
            if let Some((first, len)) = self.depot.take_run() {
                // SAFETY: the run is ours.
                unsafe { cache.adopt(self.shape(), first, len) };
            } else {
                let chunk = self.depot.take_chunk()?;
                // SAFETY: the chunk is ours.
                let first = unsafe { self.shape().node(chunk, 0) };
                // SAFETY: as above.
                unsafe { cache.adopt_fresh(self.shape(), first) };
            }
            if let Some(node) = cache.take(self.shape()) {
                return Ok(node);
            }
        }
    }

    /// # Safety
    /// The node is the caller's; `element` is readable for one element.
    #[inline(always)]
    unsafe fn fill(&self, node: *mut Node, element: *const u8) {
        // SAFETY: the node is there.
        let payload = unsafe { self.shape().payload(node) };
        // SAFETY: the caller's promise.
        unsafe { self.shape().slot.copy(element, payload, 1) };
    }

    /// Puts a private chain on top.
    ///
    /// # Safety
    /// The chain from `first` down to `last` is `n` nodes long and the caller's.
    #[inline(always)]
    unsafe fn splice(&self, lane: &Lane<'_>, cache: &Cache, first: *mut Node, last: *mut Node, n: usize) {
        // SAFETY: the caller's promise.
        let link = unsafe { &(*last).next };
        let mut lost = 0;
        let mut head = self.head.top.load();
        loop {
            // Relaxed: published by (1).
            link.store(head.ptr, Ordering::Relaxed);
            // (1) Release publishes the chain: payloads and links.
            match self.head.top.exchange(head, first, Ordering::Release) {
                Ok(()) => break,
                Err(now) => head = now,
            }
            self.lost(&mut lost);
        }
        cache.pushed(n);
        self.won(lane, head.tag, lost);
    }

    /// Pops the top element into `element`. False, and nothing written, when the stack is empty.
    ///
    /// # Safety
    /// `element` is writable for one element.
    #[inline]
    pub(crate) unsafe fn pop(&self, element: *mut u8) -> bool {
        let lane = self.depot.lane();
        // (2) Acquire: pairs with (1). And after (4) of the chunk that the lane names, the load that protects it.
        let mut head = self.head.top.load();
        let mut lost = 0;
        loop {
            if head.ptr.is_null() {
                self.found_nothing(&lane);
                return false;
            }
            let chunk = self.shape().chunk(head.ptr);
            if !lane.names(chunk) {
                lane.name(chunk);
                // (2) as above.
                head = self.head.top.load();
                continue;
            }
            // SAFETY: the chunk is protected, so it is there.
            let top = unsafe { &*head.ptr };
            // Relaxed: (1) and (2) order it. If the node was popped meanwhile this reads any link of it, and the exchange
            // fails, because no number of the head comes back.
            let below = top.next.load(Ordering::Relaxed);
            // (3) Acquire keeps (2) for the payload, and Release keeps (1) of the nodes below for threads that acquire
            // `below` from this exchange. A failure is a load (2).
            match self.head.top.exchange(head, below, Ordering::AcqRel) {
                Ok(()) => break,
                Err(now) => head = now,
            }
            self.lost(&mut lost);
        }
        // SAFETY: the exchange made the node this thread's.
        let payload = unsafe { self.shape().payload(head.ptr) };
        // SAFETY: the payload is initialised, and `element` is the caller's promise.
        unsafe { self.shape().slot.copy(payload, element, 1) };
        // SAFETY: the node is this thread's, its element moved out.
        unsafe { self.put_back(&lane, head.ptr) };
        self.won(&lane, head.tag, lost);
        true
    }

    /// An exchange failed, because another thread's succeeded.
    #[cold]
    fn lost(&self, lost: &mut u32) {
        *lost += 1;
        if *lost % STARVING == 0 {
            // Relaxed: a wish.
            self.head.starving.store(true, Ordering::Relaxed);
        }
    }

    /// The operation is complete, by the exchange of this number; so many exchanges failed before. May pause for a moment.
    #[inline(always)]
    fn won(&self, lane: &Lane<'_>, number: u64, lost: u32) {
        if lost >= STARVING {
            lane.begin_turn(number);
            // Relaxed: a wish. Another thread's may be lost with it; it will ask again.
            self.head.starving.store(false, Ordering::Relaxed);
            return;
        }
        lane.won(number);
        // Relaxed: a wish.
        if self.head.starving.load(Ordering::Relaxed) && lane.give_way() {
            // Relaxed: as above.
            self.head.starving.store(false, Ordering::Relaxed);
        }
    }

    #[cold]
    fn found_nothing(&self, lane: &Lane<'_>) {
        if let Some(cache) = self.caches.get(lane.index()) {
            lane.found_nothing_after(cache.pops());
        }
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
            let next = unsafe { self.below(node) };
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
                lane.name(chunk);
                // (2), (4): if the head is the same, the node is in the stack now, and its chunk protected.
                if self.head.top.load() != head {
                    return None;
                }
            }
            // SAFETY: protected: the node was in the stack after its chunk was named, as the last check says.
            let next = unsafe { self.below(node) };
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

    /// # Safety
    /// `node` is there.
    unsafe fn below(&self, node: *mut Node) -> *mut Node {
        // SAFETY: the caller's promise.
        let link = unsafe { &(*node).next };
        // (5) Acquire: what is loaded afterwards is no older than the link.
        link.load(Ordering::Acquire)
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

    /// How many elements there are: exact while nobody pushes or pops.
    pub(crate) fn len(&self) -> usize {
        // Relaxed: as the counters of the caches.
        self.caches.len().saturating_sub(self.uncached.load(Ordering::Relaxed))
    }

    pub(crate) fn is_empty(&self) -> bool {
        // (2) Acquire: a caller that saw the stack filled sees what its pusher did before.
        self.head.top.load().ptr.is_null()
    }

    /// Makes a node free whose element is gone. May run the allocator's hook.
    ///
    /// # Safety
    /// The node is the caller's.
    #[inline(always)]
    unsafe fn put_back(&self, lane: &Lane<'_>, node: *mut Node) {
        match self.cache(lane) {
            Ok(cache) => {
                cache.popped(1);
                // SAFETY: the caller's promise.
                if unsafe { cache.put(node) } {
                    self.give_surplus(cache);
                }
            }
            // SAFETY: as above.
            Err(NoMemory) => unsafe { self.give_uncached(node) },
        }
    }

    /// # Safety
    /// The node is the caller's.
    #[cold]
    unsafe fn give_uncached(&self, node: *mut Node) {
        // Relaxed: a counter.
        self.uncached.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { self.depot.give(&Run { first: node, last: node, len: 1 }) };
    }

    /// Gives nodes back of which the cache has too many.
    #[cold]
    fn give_surplus(&self, cache: &Cache) {
        let (mut node, len) = cache.surplus(self.shape());
        if let Some((first, last, len)) = cache.take_fresh(self.shape()) {
            // SAFETY: the nodes are this thread's, and of one chunk.
            unsafe { self.depot.give(&Run { first, last, len }) };
        }
        let mut runs = Runs { depot: &self.depot, runs: [const { None }; OPEN], next: 0 };
        for _ in 0..len {
            let this = node;
            // SAFETY: a node of the surplus, which is this thread's.
            node = unsafe { self.below(this) };
            // SAFETY: as above.
            unsafe { runs.add(this) };
        }
    }
}

impl<S: Slot> Drop for RawStack<S> {
    /// Frees the memory. Those who hold elements with destructors take them out before.
    fn drop(&mut self) {
        // SAFETY: `&mut self`.
        unsafe { self.caches.free_all(&self.depot.allocator) };
        // SAFETY: as above.
        unsafe { self.depot.free_all() };
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
        // Relaxed: private until it is spliced in.
        link.store(self.first, Ordering::Relaxed);
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
            self.first = unsafe { self.stack.below(node) };
            // SAFETY: as above.
            if unsafe { self.cache.put(node) } {
                self.stack.give_surplus(self.cache);
            }
        }
    }
}

/// How many chunks are told apart when nodes go back.
const OPEN: usize = 4;

/// Free nodes on their way back, sorted by chunk.
struct Runs<'a, S: Slot> {
    depot: &'a Depot<S>,
    runs: [Option<Run>; OPEN],
    /// The run that makes room for the next chunk.
    next: usize,
}

impl<S: Slot> Runs<'_, S> {
    /// # Safety
    /// The node is the caller's.
    unsafe fn add(&mut self, node: *mut Node) {
        let chunk = self.depot.shape.chunk(node);
        for run in self.runs.iter_mut().flatten() {
            if self.depot.shape.chunk(run.first) == chunk {
                // SAFETY: the caller's promise.
                let link = unsafe { &(*node).next };
                // Relaxed: published when the run is given back.
                link.store(run.first, Ordering::Relaxed);
                run.first = node;
                run.len += 1;
                return;
            }
        }
        let full = self.runs[self.next].replace(Run { first: node, last: node, len: 1 });
        self.next = (self.next + 1) % OPEN;
        if let Some(run) = full {
            // SAFETY: the nodes are this thread's, and of one chunk.
            unsafe { self.depot.give(&run) };
        }
    }
}

impl<S: Slot> Drop for Runs<'_, S> {
    fn drop(&mut self) {
        for run in self.runs.iter().flatten() {
            // SAFETY: the nodes are this thread's, and of one chunk.
            unsafe { self.depot.give(run) };
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
        self.node = unsafe { self.stack.below(node) };
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
