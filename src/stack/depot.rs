//! Where nodes come from when a thread has none, and go to when it has too many: the chunks that all threads share.
//!
//! Free nodes come and go in *runs* of one chunk. Each chunk's header holds the list of its free nodes in one word, so that
//! giving a run back is one exchange and taking all is one swap. Headers whose chunks have free nodes are listed, and so
//! are vacant headers. Who gives the last missing node back owns the chunk: it takes it from its header and lets it go.
//!
//! A header is in a list at most once: it is put there by the thread that set `LISTED`, and the flag is cleared only by a
//! thread that has taken it out. A chunk may go while its header is listed; whoever finds such a header makes it vacant.

use core::alloc::Layout;
use core::cell::Cell;
use core::ptr::{self, NonNull};

use super::chunk::{Chunk, Header, Node, Shape, Word};
use crate::mem::{Allocator, NoMemory, Slot};
use crate::reclaim::{Hazards, Lane, Waiting};
use crate::sync::{AtomicPair, AtomicPtr, AtomicU64, Ordering};

/// Free chunks that are kept for the next ones. In a model none is, so that all are freed.
const POOL: usize = if cfg!(loom) { 0 } else { 2 };
/// Headers that are allocated at once: the first time, and at most.
const FIRST_HEADERS: usize = if cfg!(loom) { 2 } else { 6 };
const MOST_HEADERS: usize = if cfg!(loom) { 2 } else { 168 };

/// Free nodes of one chunk, linked by `next`.
pub(super) struct Run {
    pub(super) first: *mut Node,
    pub(super) last: *mut Node,
    pub(super) len: usize,
}

/// A stack of headers: pairs, because headers come back.
struct Headers(AtomicPair<Header>);

impl Headers {
    fn new() -> Self {
        Self(AtomicPair::new(ptr::null_mut()))
    }

    /// Puts the headers from `first` down to `last` on top.
    fn push(&self, first: *const Header, last: &Header) {
        let mut top = self.0.load();
        loop {
            // Relaxed: published by (7).
            last.next.store(top.ptr, Ordering::Relaxed);
            // (7) Release: the link; and that the header may be taken.
            match self.0.exchange(top, first.cast_mut(), Ordering::Release) {
                Ok(()) => return,
                Err(now) => top = now,
            }
        }
    }

    fn pop(&self) -> Option<&Header> {
        let mut top = self.0.load();
        loop {
            // SAFETY: headers live as long as the stack.
            let header = unsafe { top.ptr.as_ref() }?;
            // Relaxed: if another thread has taken the header, the link may be any, and the exchange fails.
            let below = header.next.load(Ordering::Relaxed);
            // (7) Acquire: the header as it was left; Release continues the sequences of those below.
            match self.0.exchange(top, below, Ordering::AcqRel) {
                Ok(()) => return Some(header),
                Err(now) => top = now,
            }
        }
    }
}

/// Headers that were allocated together.
#[repr(C)]
struct Slab {
    next: Cell<*mut Slab>,
    len: usize,
    /// Models only: made with the slab, and read by who reads its length, so that loom finds a slab that is read before it was
    /// published.
    #[cfg(loom)]
    made: loom::cell::UnsafeCell<()>,
}

impl Slab {
    fn new(next: *mut Self, len: usize) -> Self {
        Self {
            next: Cell::new(next),
            len,
            #[cfg(loom)]
            made: loom::cell::UnsafeCell::new(()),
        }
    }

    /// How many headers there are.
    fn len(&self) -> usize {
        #[cfg(loom)]
        self.made.with(|_| ());
        self.len
    }

    fn layout(len: usize) -> (Layout, usize) {
        let headers = Layout::array::<Header>(len).expect("few headers");
        Layout::new::<Self>().extend(headers).expect("few headers")
    }
}

pub(super) struct Depot<S> {
    pub(super) shape: Shape<S>,
    pub(super) allocator: Allocator,
    hazards: Hazards,
    /// Headers whose chunks have free nodes, or have gone.
    partial: Headers,
    /// Headers that have no chunk.
    vacant: Headers,
    /// All headers.
    slabs: AtomicPtr<Slab>,
    /// Each cell owns a free chunk, or is null.
    pool: [AtomicPtr<Chunk>; POOL],
    /// Free chunks that a pop may still read.
    waiting: Waiting<Chunk>,
}

impl<S: Slot> Depot<S> {
    pub(super) fn new(shape: Shape<S>, allocator: Allocator, hazards: Hazards) -> Self {
        Self {
            shape,
            allocator,
            hazards,
            partial: Headers::new(),
            vacant: Headers::new(),
            slabs: AtomicPtr::new(ptr::null_mut()),
            pool: core::array::from_fn(|_| AtomicPtr::new(ptr::null_mut())),
            waiting: Waiting::new(),
        }
    }

    #[inline(always)]
    pub(super) fn lane(&self) -> Lane<'_> {
        self.hazards.lane()
    }

    /// All free nodes of a chunk that has some: the first one, and how many they are.
    pub(super) fn take_run(&self) -> Option<(*mut Node, usize)> {
        while let Some(header) = self.partial.pop() {
            // (6) Acquire: the nodes as they were given back; Release keeps it so for who gives back the next run.
            // Whether the header is vacant stays to be seen.
            let word = Word(header.word.fetch_and(Word::VACANT, Ordering::AcqRel));
            if word.has(Word::VACANT) {
                self.vacant.push(header, header);
                continue;
            }
            debug_assert!(word.free() > 0, "a listed chunk has free nodes");
            // SAFETY: the chunk is there as long as this thread has nodes of it.
            return Some((unsafe { self.shape.node(header.chunk.get(), word.first()) }, word.free()));
        }
        None
    }

    /// A chunk, none of whose nodes is in use. May run the allocator's hook.
    pub(super) fn take_chunk(&self) -> Result<*mut Chunk, NoMemory> {
        let header = self.vacant.pop().map_or_else(|| self.make_headers(), Ok)?;
        let chunk = match self.pooled() {
            Some(chunk) => chunk,
            None => self.shape.allocate(&self.allocator).map(NonNull::as_ptr).inspect_err(|_| {
                self.vacant.push(header, header);
            })?,
        };
        header.chunk.set(chunk);
        // SAFETY: the chunk is this thread's.
        unsafe { (*chunk).header.set(header) };
        // Relaxed: nobody looks at the word before it has a node of the chunk.
        header.word.store(0, Ordering::Relaxed);
        Ok(chunk)
    }

    fn pooled(&self) -> Option<*mut Chunk> {
        self.pool.iter().find_map(|cell| {
            // (8) Acquire: what was done with the chunk happens before its next use.
            let chunk = cell.swap(ptr::null_mut(), Ordering::Acquire);
            (!chunk.is_null()).then_some(chunk)
        })
    }

    /// A vacant header, and more of them for later.
    #[cold]
    fn make_headers(&self) -> Result<&Header, NoMemory> {
        // Acquire: pairs with (9); the length is read.
        let mut top = self.slabs.load(Ordering::Acquire);
        // SAFETY: slabs live as long as the stack.
        let len = unsafe { top.as_ref() }.map_or(FIRST_HEADERS, |slab| (2 * slab.len()).min(MOST_HEADERS));
        let (layout, offset) = Slab::layout(len);
        let slab = self.allocator.allocate(layout)?.cast::<Slab>();
        // SAFETY: fresh memory of the layout.
        unsafe { slab.write(Slab::new(top, len)) };
        // SAFETY: inside the memory.
        let headers = unsafe { slab.byte_add(offset) }.cast::<Header>();
        for at in 0..len {
            // The last one is for the caller, the others are linked.
            let next = if at + 2 < len { headers.as_ptr().wrapping_add(at + 1) } else { ptr::null_mut() };
            let word = AtomicU64::new(Word::VACANT);
            let header = Header { word, chunk: Cell::new(ptr::null_mut()), next: AtomicPtr::new(next) };
            // SAFETY: inside the memory.
            let place = unsafe { headers.add(at) };
            // SAFETY: fresh memory for a header.
            unsafe { place.write(header) };
        }
        loop {
            // (9) Release: the slab's header. Relaxed on failure: only linked to.
            let put = self.slabs.compare_exchange(top, slab.as_ptr(), Ordering::Release, Ordering::Relaxed);
            let Err(now) = put else { break };
            top = now;
            // SAFETY: not published yet.
            unsafe { slab.as_ref() }.next.set(top);
        }
        // SAFETY: initialised above; headers live as long as the stack.
        let headers = unsafe { core::slice::from_raw_parts(headers.as_ptr(), len) };
        let (mine, others) = headers.split_last().expect("a header at least");
        if let (Some(first), Some(last)) = (others.first(), others.last()) {
            self.vacant.push(first, last);
        }
        Ok(mine)
    }

    /// Gives free nodes back. May run the allocator's hook.
    ///
    /// # Safety
    /// The nodes are the caller's, and stand in one chunk.
    pub(super) unsafe fn give(&self, run: &Run) {
        let chunk = self.shape.chunk(run.first);
        // SAFETY: the chunk is there as long as the caller has nodes of it.
        let header = unsafe { (*chunk).header.get() };
        // SAFETY: headers live as long as the stack.
        let header = unsafe { &*header };
        // SAFETY: the caller's node.
        let link = unsafe { &(*run.last).next };
        // Relaxed: only linked to; if the run completes the chunk, the exchange acquires the rest.
        let mut old = Word(header.word.load(Ordering::Relaxed));
        loop {
            let free = old.free() + run.len;
            let listed = old.0 & Word::LISTED;
            let new = if free == self.shape.nodes {
                Word(Word::VACANT | listed)
            } else {
                let below = match old.free() {
                    0 => ptr::null_mut(),
                    // SAFETY: a number of a node of this chunk.
                    _ => unsafe { self.shape.node(chunk, old.first()) },
                };
                // Published by (6). (5) Release: as in `Cache::put`.
                link.store(below, Ordering::Release);
                Word::new(self.shape.number(run.first), free, Word::LISTED)
            };
            // (6) Release: links and last uses of the nodes; Acquire, for the thread that completes the chunk.
            // Relaxed on failure, as the load.
            match header.word.compare_exchange_weak(old.0, new.0, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) if new.has(Word::VACANT) => {
                    if listed == 0 {
                        self.vacant.push(header, header);
                    }
                    // SAFETY: the exchange took the nodes that were missing, so all are this thread's.
                    return unsafe { self.retire(chunk) };
                }
                Ok(_) => {
                    if listed == 0 {
                        self.partial.push(header, header);
                    }
                    return;
                }
                Err(now) => old = Word(now),
            }
        }
    }

    /// Lets a chunk go: to the pool, or as soon as no thread names it, to the allocator.
    ///
    /// # Safety
    /// All nodes of the chunk are the caller's.
    #[cold]
    unsafe fn retire(&self, chunk: *mut Chunk) {
        let mut chunk = chunk;
        // A pop that comes too late may read a chunk in the pool, and in its next use: the nodes stay where they are.
        for cell in &self.pool {
            // Relaxed: a hint, and an address.
            let kept = cell.load(Ordering::Relaxed);
            // The lower one is kept, so that the end of a heap can be given back to the system.
            if kept.is_null() || chunk < kept {
                // (8) Release: what was done with the chunk; Acquire: with the other one. Relaxed on failure: nothing was
                // learned.
                if cell.compare_exchange(kept, chunk, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
                    if kept.is_null() {
                        return;
                    }
                    chunk = kept;
                }
            }
        }
        // SAFETY: unlinked and not named: nobody can reach it.
        let free = |chunk| unsafe { self.shape.free(&self.allocator, chunk) };
        // SAFETY: none of the chunk's nodes is in the stack, nor will be.
        unsafe { self.waiting.retire(&self.hazards, chunk, free) };
    }
}

impl<S> Depot<S> {
    /// Frees all chunks and headers.
    ///
    /// # Safety
    /// Nobody uses the stack any more, and this is the last call.
    pub(super) unsafe fn free_all(&self)
    where
        S: Slot,
    {
        // SAFETY: nobody can reach a chunk any more; it is freed once, by whoever owns it.
        let free = |chunk| unsafe { self.shape.free(&self.allocator, chunk) };
        for cell in &self.pool {
            // Relaxed: whoever ended the use of the stack synchronised with all threads.
            let chunk = cell.load(Ordering::Relaxed);
            if !chunk.is_null() {
                free(chunk);
            }
        }
        // SAFETY: the caller's promise.
        unsafe { self.waiting.drain(free) };
        // Relaxed: as above.
        let mut at = self.slabs.load(Ordering::Relaxed);
        while let Some(slab) = NonNull::new(at) {
            // SAFETY: not freed yet.
            let len = unsafe { slab.as_ref() }.len();
            // SAFETY: as above.
            at = unsafe { slab.as_ref() }.next.get();
            let (layout, offset) = Slab::layout(len);
            // SAFETY: inside the memory.
            let headers = unsafe { slab.byte_add(offset) }.cast::<Header>();
            // SAFETY: initialised by `make_headers`.
            for header in unsafe { core::slice::from_raw_parts(headers.as_ptr(), len) } {
                // Relaxed: as above.
                if !Word(header.word.load(Ordering::Relaxed)).has(Word::VACANT) {
                    free(header.chunk.get());
                }
            }
            // SAFETY: allocated with this layout, and freed once.
            unsafe { self.allocator.release(slab.cast(), layout) };
        }
    }
}

#[cfg(all(test, loom))]
mod models {
    use loom::sync::Arc;
    use loom::thread;

    use super::*;
    use crate::mem::Typed;
    use crate::reclaim::Domain;

    /// Pair (9), with nothing else that orders: one thread shows the headers that it has made before they are on a list; the other
    /// one, which has found none there, looks at how many they are.
    #[test]
    fn headers_are_made_at_once() {
        loom::model(|| {
            let allocator = Allocator::process();
            let shape = Shape::new(Typed::<u32>::new(), &allocator).unwrap();
            let hazards = Hazards::new(&Domain::new().unwrap());
            let depot = Arc::new(Depot::new(shape, allocator, hazards));
            let other = {
                let depot = depot.clone();
                thread::spawn(move || depot.take_chunk().unwrap())
            };
            let mine = depot.take_chunk().unwrap();
            assert_ne!(mine, other.join().unwrap());
            // SAFETY: the other thread has ended, and this one makes no other call.
            unsafe { depot.free_all() };
        });
    }
}
