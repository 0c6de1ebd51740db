//! The engine of the stack: moves bytes, knows no element type. The algorithm is explained in the [parent](super).

use core::ptr;

use crossbeam_utils::CachePadded;

use super::cache::{Cache, Caches};
use super::chunk::{Node, Shape, below};
use super::depot::{Depot, Run};
use super::runs::Runs;
use crate::mem::{NoMemory, Slot};
use crate::options::Options;
use crate::reclaim::{Hazards, Lane};
use crate::sync::{AtomicBool, AtomicPair, AtomicUsize, Ordering};

/// The top, and on the same line:
pub(super) struct Head {
    pub(super) top: AtomicPair<Node>,
    /// A thread has lost several exchanges in a row, and asks for a turn.
    starving: AtomicBool,
}

/// So many lost exchanges make a thread ask for a turn.
const STARVING: u32 = 4;

pub(crate) struct RawStack<S: Slot> {
    pub(super) head: CachePadded<Head>,
    caches: Caches,
    pub(super) depot: Depot<S>,
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
            head: CachePadded::new(Head {
                top: AtomicPair::new(ptr::null_mut()),
                starving: AtomicBool::new(false),
            }),
            caches: Caches::new(),
            depot: Depot::new(shape, allocator, Hazards::new(&domain)),
            uncached: AtomicUsize::new(0),
        })
    }

    pub(super) fn shape(&self) -> &Shape<S> {
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

    /// The calling thread's cache.
    #[inline(always)]
    pub(super) fn cache(&self, lane: &Lane<'_>) -> Result<&Cache, NoMemory> {
        let make = || self.caches.make(lane.index(), &self.depot.allocator);
        self.caches.get(lane.index()).map_or_else(make, Ok)
    }

    /// A free node.
    #[inline(always)]
    pub(super) fn node(&self, cache: &Cache) -> Result<*mut Node, NoMemory> {
        cache.take(self.shape()).map_or_else(|| self.refill(cache), Ok)
    }

    #[cold]
    fn refill(&self, cache: &Cache) -> Result<*mut Node, NoMemory> {
        loop {
            if let Some((first, len)) = self.depot.take_run() {
                // SAFETY: the run is ours.
                unsafe { cache.adopt(first, len) };
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
    pub(super) unsafe fn fill(&self, node: *mut Node, element: *const u8) {
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
    pub(super) unsafe fn splice(
        &self,
        lane: &Lane<'_>,
        cache: &Cache,
        first: *mut Node,
        last: *mut Node,
        n: usize,
    ) {
        // SAFETY: the caller's promise.
        let link = unsafe { &(*last).next };
        let mut lost = 0;
        let mut head = self.head.top.load();
        loop {
            // Published by (1). (5) Release: a walk may still read the links that the node had before.
            link.store(head.ptr, Ordering::Release);
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
                self.found_nothing(&lane, lost);
                return false;
            }
            let chunk = self.shape().chunk(head.ptr);
            if !lane.names(chunk) {
                lane.name_beside(chunk);
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
    pub(super) fn lost(&self, lost: &mut u32) {
        *lost += 1;
        if (*lost).is_multiple_of(STARVING) {
            // Relaxed: a wish.
            self.head.starving.store(true, Ordering::Relaxed);
        }
    }

    /// The operation is complete, by the exchange of this number; so many exchanges failed before. May pause for a moment.
    #[inline(always)]
    pub(super) fn won(&self, lane: &Lane<'_>, number: u64, lost: u32) {
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

    /// The operation ends without an exchange, after so many failed ones: there is nothing to have a turn at.
    #[inline(always)]
    pub(super) fn leave(&self, lost: u32) {
        if lost >= STARVING {
            // Relaxed: a wish, as in `won`.
            self.head.starving.store(false, Ordering::Relaxed);
        }
    }

    /// A pop found the stack empty, after so many failed exchanges.
    #[cold]
    fn found_nothing(&self, lane: &Lane<'_>, lost: u32) {
        self.leave(lost);
        if let Some(cache) = self.caches.get(lane.index()) {
            lane.found_nothing_after(cache.pops());
        }
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
    pub(super) unsafe fn put_back(&self, lane: &Lane<'_>, node: *mut Node) {
        match self.cache(lane) {
            Ok(cache) => {
                cache.popped(1);
                // SAFETY: the caller's promise.
                if unsafe { cache.put(self.shape(), node) } {
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
    pub(super) fn give_surplus(&self, cache: &Cache) {
        let (mut node, len) = cache.surplus(self.shape());
        if let Some((first, last, len)) = cache.take_fresh(self.shape()) {
            // SAFETY: the nodes are this thread's, and of one chunk.
            unsafe { self.depot.give(&Run { first, last, len }) };
        }
        let mut runs = Runs::new(&self.depot);
        for _ in 0..len {
            let this = node;
            // SAFETY: a node of the surplus, which is this thread's.
            node = unsafe { below(this) };
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

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::mem::Typed;

    /// Or the others would step aside for nobody.
    #[test]
    fn who_finds_nothing_asks_for_no_turn_any_more() {
        let stack = RawStack::new(Typed::<u64>::new(), &Options::new()).unwrap();
        let lane = stack.depot.lane();
        // Relaxed: one thread.
        let asks = || stack.head.starving.load(Ordering::Relaxed);
        let mut lost = STARVING - 1;
        stack.lost(&mut lost);
        assert!(asks());
        stack.found_nothing(&lane, lost);
        assert!(!asks());
    }
}
