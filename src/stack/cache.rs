//! What each thread keeps of a stack: free nodes, and how often it pushed and popped.
//!
//! A cache belongs to the number of a thread record (see [`Lane::index`](crate::reclaim::Lane::index)), and so to one
//! thread at a time; who gets the number next finds the nodes there. Its cells need no atomics for that reason, but the
//! counters, which all threads read.
//!
//! The allocator's hooks run on the same thread and may use the same stack. So no operation keeps anything of a cache in
//! its hands while it lets other code run: what it finds afterwards, it takes as it is.

use core::alloc::Layout;
use core::cell::Cell;
use core::ptr;

use crossbeam_utils::CachePadded;

use super::chunk::{Node, Shape};
use crate::mem::{Allocator, NoMemory, Slot};
use crate::sync::{AtomicPtr, AtomicUsize, Ordering};

pub(super) struct Cache {
    /// Free nodes, linked by `next`, the one that was used last on top.
    top: Cell<*mut Node>,
    len: Cell<usize>,
    /// What is left of a chunk's free nodes that were adopted all at once, linked by `next`, and how many they are. Apart
    /// from the others, so that those never are more than a few: each may be of another chunk, and keeps it.
    adopted: Cell<*mut Node>,
    rest: Cell<usize>,
    /// Nodes of a chunk that were not used since it was taken: the first one, and how many follow.
    fresh: Cell<*mut Node>,
    unused: Cell<usize>,
    pushes: AtomicUsize,
    pops: AtomicUsize,
}

/// Adds to a counter that this thread alone writes.
#[inline(always)]
fn count(counter: &AtomicUsize, n: usize) -> usize {
    // Relaxed, both: nothing is read on the strength of it. Who knows that the operation is over sees it counted.
    let now = counter.load(Ordering::Relaxed).wrapping_add(n);
    counter.store(now, Ordering::Relaxed);
    now
}

impl Cache {
    fn new() -> Self {
        Self {
            top: Cell::new(ptr::null_mut()),
            len: Cell::new(0),
            adopted: Cell::new(ptr::null_mut()),
            rest: Cell::new(0),
            fresh: Cell::new(ptr::null_mut()),
            unused: Cell::new(0),
            pushes: AtomicUsize::new(0),
            pops: AtomicUsize::new(0),
        }
    }

    /// A free node, if there is one.
    #[inline(always)]
    pub(super) fn take<S: Slot>(&self, shape: &Shape<S>) -> Option<*mut Node> {
        let top = self.top.get();
        // SAFETY: null, or a node of the cache.
        if let Some(node) = unsafe { top.as_ref() } {
            // Relaxed: linked by a thread that had this cache.
            self.top.set(node.next.load(Ordering::Relaxed));
            self.len.set(self.len.get() - 1);
            return Some(top);
        }
        if self.rest.get() > 0 {
            let node = self.adopted.get();
            self.rest.set(self.rest.get() - 1);
            // SAFETY: a node of the cache.
            let link = unsafe { &(*node).next };
            // Relaxed: linked by those who gave the nodes back, and taken with Acquire.
            self.adopted.set(link.load(Ordering::Relaxed));
            return Some(node);
        }
        let unused = self.unused.get();
        if unused == 0 {
            return None;
        }
        let node = self.fresh.get();
        // SAFETY: a node of the chunk.
        self.fresh.set(unsafe { shape.after(node) });
        self.unused.set(unused - 1);
        Some(node)
    }

    /// Puts a free node on top. True: there are too many now.
    ///
    /// # Safety
    /// The node is the caller's.
    #[inline(always)]
    pub(super) unsafe fn put<S: Slot>(&self, shape: &Shape<S>, node: *mut Node) -> bool {
        // SAFETY: the caller's promise.
        let link = unsafe { &(*node).next };
        // (5) Release: a walk that comes too late may read it, and then sees that the node is gone.
        link.store(self.top.get(), Ordering::Release);
        self.top.set(node);
        self.len.set(self.len.get() + 1);
        self.len.get() > shape.cached
    }

    /// Adopts all `len` free nodes of a chunk, linked by `next`.
    ///
    /// # Safety
    /// The nodes are the caller's, and there are none of another chunk.
    pub(super) unsafe fn adopt(&self, first: *mut Node, len: usize) {
        debug_assert!(self.rest.get() == 0);
        self.adopted.set(first);
        self.rest.set(len);
    }

    /// Adopts the nodes of a chunk that is not in use.
    ///
    /// # Safety
    /// The nodes, `first` and those behind it, are the caller's.
    pub(super) unsafe fn adopt_fresh<S: Slot>(&self, shape: &Shape<S>, first: *mut Node) {
        // A hook may have taken a chunk as well.
        for _ in 0..self.unused.get() {
            let node = self.fresh.get();
            // SAFETY: as in `take`.
            self.fresh.set(unsafe { shape.after(node) });
            // SAFETY: the cache's own node.
            unsafe { self.put(shape, node) };
        }
        self.fresh.set(first);
        self.unused.set(shape.nodes);
    }

    /// Takes out the nodes that were not used yet: a list of so many nodes, the first and the last one.
    pub(super) fn take_fresh<S: Slot>(&self, shape: &Shape<S>) -> Option<(*mut Node, *mut Node, usize)> {
        let (first, len) = (self.fresh.get(), self.unused.replace(0));
        let mut last = first;
        for _ in 1..len {
            // SAFETY: as in `take`.
            let after = unsafe { shape.after(last) };
            // SAFETY: a node of the cache.
            let link = unsafe { &(*last).next };
            // (5) Release: as in `put`. Published when the run is given back.
            link.store(after, Ordering::Release);
            last = after;
        }
        (len > 0).then_some((first, last, len))
    }

    /// Takes out what is too much: a list of so many nodes.
    pub(super) fn surplus<S: Slot>(&self, shape: &Shape<S>) -> (*mut Node, usize) {
        let keep = shape.cached / 2;
        let surplus = self.len.get().saturating_sub(keep);
        let first = self.top.get();
        let mut rest = first;
        for _ in 0..surplus {
            // SAFETY: a node of the cache.
            let node = unsafe { &*rest };
            // Relaxed: linked by a thread that had this cache.
            rest = node.next.load(Ordering::Relaxed);
        }
        self.top.set(rest);
        self.len.set(self.len.get() - surplus);
        (first, surplus)
    }

    #[inline(always)]
    pub(super) fn pushed(&self, n: usize) {
        count(&self.pushes, n);
    }

    #[inline(always)]
    pub(super) fn popped(&self, n: usize) {
        count(&self.pops, n);
    }

    /// How many elements the threads that had this cache have popped.
    pub(super) fn pops(&self) -> usize {
        // Relaxed: this thread's own.
        self.pops.load(Ordering::Relaxed)
    }
}

/// Numbers below this find their cache at once.
const FIRST: usize = if cfg!(loom) { 2 } else { 16 };
/// Pages of the others: the first as large as `FIRST`, each twice as large as the one before it.
const PAGES: usize = if cfg!(loom) { 2 } else { 40 };

type Place = AtomicPtr<CachePadded<Cache>>;

/// The caches of a stack, by number.
pub(super) struct Caches {
    first: [Place; FIRST],
    pages: [AtomicPtr<Place>; PAGES],
}

/// The page of a number, its length, and the place in it. The number is not below `FIRST`.
fn place(index: usize) -> (usize, usize, usize) {
    let page = (index / FIRST).ilog2() as usize;
    let len = FIRST << page;
    (page, len, index - len)
}

impl Caches {
    pub(super) fn new() -> Self {
        Self {
            first: core::array::from_fn(|_| AtomicPtr::new(ptr::null_mut())),
            pages: core::array::from_fn(|_| AtomicPtr::new(ptr::null_mut())),
        }
    }

    #[inline(always)]
    pub(super) fn get(&self, index: usize) -> Option<&Cache> {
        let place = if index < FIRST { &self.first[index] } else { self.far(index)? };
        // (10) Acquire: the cache as it was made.
        let cache = place.load(Ordering::Acquire);
        // SAFETY: null, or a cache, which lives as long as the stack.
        unsafe { cache.as_ref() }.map(|cache| &**cache)
    }

    #[cold]
    fn far(&self, index: usize) -> Option<&Place> {
        let (page, _, at) = place(index);
        // (10) Acquire: the page as it was made.
        let page = self.pages[page].load(Ordering::Acquire);
        // SAFETY: a page has its length; it lives as long as the stack.
        (!page.is_null()).then(|| unsafe { page.add(at) }).map(|place| {
            // SAFETY: as above.
            unsafe { &*place }
        })
    }

    /// The cache of `index`, made if it is not there. May run the allocator's hook.
    #[cold]
    pub(super) fn make(&self, index: usize, allocator: &Allocator) -> Result<&Cache, NoMemory> {
        let place = if index < FIRST {
            &self.first[index]
        } else {
            let (page, len, at) = place(index);
            let page = publish(&self.pages[page], allocator, len, || AtomicPtr::new(ptr::null_mut()))?;
            // SAFETY: as in `far`.
            let place = unsafe { page.add(at) };
            // SAFETY: as above.
            unsafe { &*place }
        };
        let cache = publish(place, allocator, 1, || CachePadded::new(Cache::new()))?;
        // SAFETY: as in `get`.
        Ok(unsafe { &*cache })
    }

    /// All caches that were made.
    fn made(&self) -> impl Iterator<Item = *mut CachePadded<Cache>> {
        let pages = self.pages.iter().enumerate().flat_map(|(number, page)| {
            // (10) Acquire: the page as it was made.
            let page = page.load(Ordering::Acquire);
            let len = if page.is_null() { 0 } else { FIRST << number };
            // SAFETY: null and nothing, or a page of its length, which lives as long as the stack.
            unsafe { slice(page, len) }
        });
        // (10) Acquire: the cache as it was made.
        let caches = self.first.iter().chain(pages).map(|place| place.load(Ordering::Acquire));
        caches.filter(|cache| !cache.is_null())
    }

    fn all(&self) -> impl Iterator<Item = &Cache> {
        // SAFETY: a cache, which lives as long as the stack.
        self.made().map(|cache| unsafe { &**cache })
    }

    /// Pushes less pops, as far as they have been counted.
    pub(super) fn len(&self) -> usize {
        // Relaxed, both: see `count`.
        let pops = |cache: &Cache| cache.pops.load(Ordering::Relaxed);
        let pushes = |cache: &Cache| cache.pushes.load(Ordering::Relaxed);
        // Pops first: each has its push, which was counted before or will soon be.
        let pops = self.all().map(pops).fold(0, usize::wrapping_add);
        let pushes = self.all().map(pushes).fold(0, usize::wrapping_add);
        (pushes.wrapping_sub(pops) as isize).max(0) as usize
    }

    /// # Safety
    /// Nobody uses the stack any more, and this is the last call.
    pub(super) unsafe fn free_all(&self, allocator: &Allocator) {
        for cache in self.made().filter_map(ptr::NonNull::new) {
            let layout = Layout::new::<CachePadded<Cache>>();
            // SAFETY: allocated by `publish` with this layout, freed once; it owns nothing but nodes, which the depot frees.
            unsafe { allocator.release(cache.cast(), layout) };
        }
        for (number, page) in self.pages.iter().enumerate() {
            // Relaxed: whoever ended the use of the stack synchronised with all threads.
            if let Some(page) = ptr::NonNull::new(page.load(Ordering::Relaxed)) {
                let layout =
                    Layout::array::<Place>(FIRST << number).expect("the layout it was allocated with");
                // SAFETY: as above.
                unsafe { allocator.release(page.cast(), layout) };
            }
        }
    }
}

/// # Safety
/// `len` is 0, or `first` points to so many that live as long as they are used.
unsafe fn slice<'a, T>(first: *mut T, len: usize) -> &'a [T] {
    let first = ptr::NonNull::new(first).unwrap_or(ptr::NonNull::dangling());
    // SAFETY: the caller's promise.
    unsafe { core::slice::from_raw_parts(first.as_ptr(), len) }
}

/// What `place` points to; if it is null, `len` things one after the other, which are made now.
fn publish<T>(
    place: &AtomicPtr<T>,
    allocator: &Allocator,
    len: usize,
    make: impl Fn() -> T,
) -> Result<*mut T, NoMemory> {
    // (10) Acquire: what it points to, as it was made.
    let there = place.load(Ordering::Acquire);
    if !there.is_null() {
        return Ok(there);
    }
    let layout = Layout::array::<T>(len).map_err(|_| NoMemory)?;
    let made = allocator.allocate(layout)?.cast::<T>();
    for at in 0..len {
        // SAFETY: inside the memory.
        let one = unsafe { made.add(at) };
        // SAFETY: fresh memory for one.
        unsafe { one.write(make()) };
    }
    // (10) Release publishes what was made; Acquire on failure: what another thread, or the hook, made.
    match place.compare_exchange(ptr::null_mut(), made.as_ptr(), Ordering::Release, Ordering::Acquire) {
        Ok(_) => Ok(made.as_ptr()),
        Err(there) => {
            // SAFETY: allocated above, and never published.
            unsafe { allocator.release(made.cast(), layout) };
            Ok(there)
        }
    }
}
