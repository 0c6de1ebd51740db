//! The stack: last in, first out, for any number of threads.
//!
//! This module is also the tutorial of the code base: it has nearly every device that the other containers use. Read it
//! with `reclaim` at hand.
//!
//! # Problem
//!
//! A linked stack is a pointer to its top node. To push, make a node that points at the old top and put it in the old
//! top's place; to pop, put the top's successor in its place. Both are one compare-and-swap, repeated when another thread
//! came first (Treiber 1986). Three things make it difficult:
//!
//! - *ABA*: a thread reads top `A` and its successor `B`, sleeps, and wakes when `A` was popped, `B` was popped, and `A`
//!   was pushed again. Its exchange `A → B` succeeds and brings back a node that is gone.
//! - *Use after free*: a thread that has read the top and is about to read its `next` may find that another thread has
//!   popped and freed the node.
//! - *Memory*: an allocation for each push and a free for each pop cost more than all the rest, and a node of two words
//!   becomes four in the allocator.
//!
//! A number beside the pointer, raised by every exchange, ends ABA for good: it has 64 bits and never comes back. Nodes may
//! then be used again at once, by whoever popped them. And if nodes stand in chunks, it is whole chunks that are freed,
//! seldom enough to ask every thread first whether it may still look into one.
//!
//! # Shape
//!
//! ```text
//!  head { top ──┐, number }             chunk: 4096 bytes           header: what the threads share of a chunk
//!               └────────────────► ┌─────────────────────┐ ◄─────── { free nodes: 12, the first: 7 }
//!                        ┌─────────┼── next │ payload    │                     │ next
//!                        │         │   next │ payload ◄──┼─┐ cache of thread 2 ▼
//!                        │         ├─────────────────────┤ │                 header ◄─── partial
//!                        └───────► │   next │ payload ───┼─┘
//!                                  └─────────────────────┘
//! ```
//!
//! - `raw`: the head, and the operations on it; `batch`: those on many elements.
//! - `chunk`: nodes, chunks and headers. A chunk is aligned to its size, so a node's address tells its chunk.
//! - `cache`: each thread keeps free nodes of its own, the last used on top, 64 at most for long.
//! - `depot`: a thread without a node takes *all* free nodes of one chunk by one swap of the header's word; a thread with too
//!   many gives some back, a run (`runs`) of nodes of one chunk by one exchange. Who gives back the last missing node of a chunk
//!   owns it, and keeps it for the next use or frees it.
//!
//! These are the magazines and slabs of Bonwick, with one difference: nobody locks the depot. The list of a chunk's free
//! nodes, like mimalloc's, is of the chunk, so that a chunk becomes free as soon as its nodes are.
//!
//! # Invariants
//!
//! 1. Every exchange of the head raises its number. So an exchange succeeds only if nothing happened to the stack since
//!    the pair that it expects was loaded.
//! 2. A node is in one place: in the stack, in a chunk's list of free nodes, or in the hands or the cache of one thread,
//!    which alone may write to it. But its `next` may be read by a pop that comes too late; it is atomic for that reason.
//! 3. A chunk is freed only after all its nodes were given back, and after a scan, begun later, that found no thread
//!    naming it. While it is kept for its next use it stays what it was, nodes at the same places.
//! 4. Headers are never freed before the stack. A header is in one list at most, and has one chunk or none.
//!
//! # Protection
//!
//! A pop reads `next` of a node that may be gone. It names the chunk of the node in one of its two hazard slots for this
//! stack, fences, and loads the head again: if the top is in that chunk now, the chunk stays (see `reclaim::hazard`). The
//! slot is not cleared. As long as a thread's pops find the top in the two chunks that it named last, they need no store
//! and no fence. Pushes read nothing behind the head and name nothing. `pop_all` owns what it took before it reads it.
//! `pop_n` walks: where it comes to another chunk, it names that and checks that the head, with its number, is unchanged.
//!
//! # Linearization points
//!
//! | operation | takes effect at |
//! |---|---|
//! | `push`, `push_n` | the successful exchange of the head (1) |
//! | `pop`, `pop_n`, `pop_all` | the successful exchange of the head (3); empty: the load of a null top (2) |
//! | `is_empty` | the load of the head |
//!
//! The exchange of `pop_n` takes the whole walk at once, by invariant 1. `len` adds up what the threads have counted after
//! their exchanges, each for itself: an estimate while others work, exact when they are done.
//!
//! # Ordering pairs
//!
//! - (1) the Release exchange of a push → (2) the Acquire load of the head, and the failed exchange, which is one too. The
//!   reader of a node sees its payload and link as the pusher wrote them.
//! - (1) → (3) → (2): a pop's exchange continues the release sequences of the pushes before it, being a
//!   read-modify-write of the same words, so that who reads the node it left on top sees that node's push as well; its
//!   own AcqRel makes the same true on paper without the release-sequence rule.
//! - (4) naming a chunk, and the load of the head afterwards ↔ giving a chunk's last node back, and the scan afterwards: pair
//!   (1) ↔ (2) of [`reclaim::hazard`](crate::reclaim).
//! - (5) the Release store of a link, by a thread that got the node from an exchange of the head → the Acquire load of it by
//!   a walk: the load of the head that follows is no older than that exchange, and tells that the link was none of the stack.
//! - (6) the AcqRel exchange of a header's word that gives a run back → the AcqRel taking of it, and the exchange that
//!   completes the chunk: links and last uses of the nodes.
//! - (7) putting a header on a list → taking it from there; (8) keeping a free chunk → taking it; (9) publishing headers,
//!   (10) caches and their pages → who finds them: Release to Acquire, for all that was done with it before.
//!
//! A cache goes from thread to thread with the number of its record: pair (1) → (2) of [`mem::registry`](crate::mem).
//!
//! # Progress
//!
//! Lock-free: an exchange fails only because another one succeeded, of the head or of a header; and a pop names another
//! chunk only when the top has moved to one. `is_empty` is wait-free, and `len` is in the number of threads. A push
//! allocates a chunk now and then, so it is as lock-free as the allocator. A pop needs no memory: if there is none for the
//! thread's cache, its nodes go straight to their chunk.
//!
//! After an operation, a thread may pause for some microseconds when others came in between (see `reclaim::pace`): a
//! fixed number of pause instructions, after its own operation is complete, not until somebody did something. A pop
//! that needs two lines of another thread to succeed can lose for long against one that has them, so a thread that lost four
//! exchanges in a row sets a flag, and others, once they have had their turn, pause when they see it. Two threads that
//! push and pop in turns do several times as much in this way as when each tries as fast as it can.
//!
//! Elimination (Hendler, Shavit, Yerushalmi 2004) was tried, and is not done here. A thread that lost an exchange offered
//! its node, or its wish for one, in one of eight slots for 16 pause instructions: in as many slots, and as often, as it paid.
//! Two threads cannot meet like that: while one waits, no exchange of the other's fails. On two processors, a line going
//! there and back in 100 to 280 ns, few ever met, 16 threads or not. Two threads that each push and pop did 21 million pairs
//! a second with turns, 20 with both, 7 with elimination alone and 7 with neither; a producer and a consumer passed on 7.4,
//! 7.3, 3.7 and 3.5 million elements. When each operation first looked into a slot on the head's line, many met, and lines
//! moved more often: 15 million pairs with turns and 6 without, 4.4 and 3.6 million elements. With work of 50 or 500 ns
//! between operations nothing won beyond the spread. (`stack/pairs-2` and `stack/flow-1+1` of the benchmark; the trial's code is
//! not kept.) It can pay only where three processors or more are at one stack; on such a machine it was not tried.
//!
//! # Memory
//!
//! An element of 8 bytes takes 16, and its share of a chunk's ends and header, 16.3 in all. What the threads' caches keep is
//! bounded: 64 nodes, and the chunk that each one took last. A drained stack keeps two chunks, those that are named or
//! kept nodes of, and 24 bytes for each chunk that it ever had at once.
//!
//! A thread that stands still, wherever, holds back the two chunks that it names and those of the nodes in its cache and
//! hands, and nothing else. The cache's are 65 at the most, if each of its nodes is of another one, and hardly ever more
//! than five; in its hands are some 40 nodes on their way back, or the `n` of a batch.
//!
//! # References
//!
//! R. K. Treiber, *Systems programming: coping with parallelism*, IBM RJ 5118, 1986. J. Bonwick, *The slab allocator*,
//! USENIX 1994; J. Bonwick, J. Adams, *Magazines and vmem*, USENIX 2001. M. Michael, *Hazard pointers*, TPDS 2004.
//! D. Leijen, B. Zorn, L. de Moura, *Mimalloc: free list sharding in action*, APLAS 2019. D. Hendler, N. Shavit,
//! L. Yerushalmi, *A scalable lock-free stack algorithm*, SPAA 2004.

mod batch;
mod cache;
mod chunk;
mod depot;
mod raw;
mod runs;

use core::fmt;
use core::marker::PhantomData;
use core::mem::MaybeUninit;

pub(crate) use raw::RawStack;

use crate::mem::{NoMemory, Typed};
use crate::options::Options;

/// A lock-free stack of `T`, shared by any number of threads.
///
/// ```
/// let stack = conex::Stack::new();
/// stack.push(1);
/// stack.push(2);
/// assert_eq!(stack.pop(), Some(2));
/// assert_eq!(stack.pop(), Some(1));
/// assert_eq!(stack.pop(), None);
/// ```
pub struct Stack<T> {
    raw: RawStack<Typed<T>>,
    elements: PhantomData<T>,
}

// SAFETY: a stack hands elements from thread to thread by value and never lends them, so `T: Send` is enough.
unsafe impl<T: Send> Send for Stack<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Stack<T> {}

impl<T> Stack<T> {
    /// An empty stack in the default domain.
    ///
    /// # Panics
    /// If there is no memory for it; see [`Stack::with_options`].
    #[must_use]
    pub fn new() -> Self {
        Self::with_options(&Options::new()).expect("no memory for a stack")
    }

    /// An empty stack as `options` say.
    ///
    /// # Errors
    /// [`NoMemory`].
    pub fn with_options(options: &Options) -> Result<Self, NoMemory> {
        Ok(Self { raw: RawStack::new(Typed::new(), options)?, elements: PhantomData })
    }

    /// Puts `element` on top.
    ///
    /// Progress: lock-free if the allocator is. Allocates memory for many nodes now and then.
    ///
    /// # Panics
    /// If there is no memory for the node; see [`Stack::try_push`].
    pub fn push(&self, element: T) {
        assert!(self.try_push(element).is_ok(), "no memory for a stack's nodes");
    }

    /// Puts `element` on top, or gives it back if there is no memory.
    ///
    /// Progress: lock-free if the allocator is. Allocates memory for many nodes now and then.
    ///
    /// # Errors
    /// The element, if there is no memory for its node.
    pub fn try_push(&self, element: T) -> Result<(), T> {
        let element = MaybeUninit::new(element);
        // SAFETY: readable; after a success its bytes belong to the stack, and `MaybeUninit` does not drop them.
        match unsafe { self.raw.push(element.as_ptr().cast()) } {
            Ok(()) => Ok(()),
            // SAFETY: initialised above, and the failed push did not take it.
            Err(NoMemory) => Err(unsafe { element.assume_init() }),
        }
    }

    /// Puts all `elements` on the stack in one atomic step; the last of them ends on top.
    ///
    /// Progress: lock-free if the allocator is. Allocates memory for many nodes now and then.
    ///
    /// # Errors
    /// The elements, if there is no memory for all of their nodes.
    pub fn push_n(&self, mut elements: Vec<T>) -> Result<(), Vec<T>> {
        // SAFETY: readable for `len` elements.
        match unsafe { self.raw.push_n(elements.as_ptr().cast(), elements.len()) } {
            Ok(()) => {
                // SAFETY: their bytes belong to the stack now; the vector keeps its buffer and no element.
                unsafe { elements.set_len(0) };
                Ok(())
            }
            Err(NoMemory) => Err(elements),
        }
    }

    /// Takes the top element.
    ///
    /// Progress: lock-free. Allocates the thread's bookkeeping at its first use of the stack, if there is memory for it.
    pub fn pop(&self) -> Option<T> {
        let mut element = MaybeUninit::<T>::uninit();
        // SAFETY: writable for one element.
        let popped = unsafe { self.raw.pop(element.as_mut_ptr().cast()) };
        // SAFETY: written by a successful pop, which made it ours.
        popped.then(|| unsafe { element.assume_init() })
    }

    /// Takes up to `n` elements in one atomic step and appends them to `to`, the top one first. Returns how many.
    ///
    /// Progress: lock-free. Reserves room in `to` after the step; if there is none, the process ends.
    pub fn pop_n(&self, n: usize, to: &mut Vec<T>) -> usize {
        let at = to.len();
        let room = |len: usize| {
            to.reserve(len);
            to.spare_capacity_mut().as_mut_ptr().cast()
        };
        // SAFETY: room for as many as there are.
        let popped = unsafe { self.raw.pop_n(n, room) };
        // SAFETY: that many were written, behind the old ones.
        unsafe { to.set_len(at + popped) };
        popped
    }

    /// Takes everything in one atomic step and gives it to `take`, from the top down, on this thread. Returns how many
    /// there were. If `take` panics, the remaining elements are dropped.
    ///
    /// Progress: the step is lock-free; then one call of `take` an element. Allocates as [`Stack::pop`].
    pub fn pop_all(&self, mut take: impl FnMut(T)) -> usize {
        self.raw.pop_all(
            // SAFETY: the element's bytes are the callback's, which reads them once.
            |element| take(unsafe { element.cast::<T>().read() }),
            // SAFETY: as above.
            |element| unsafe { element.cast::<T>().drop_in_place() },
        )
    }

    /// How many elements there are: an estimate while other threads push and pop, exact when they are done. Whether there
    /// are any is [`Stack::is_empty`].
    ///
    /// Progress: wait-free, in the number of threads that ever used the domain at once.
    #[must_use]
    pub fn len(&self) -> usize {
        self.raw.len()
    }

    /// Whether the stack was empty at a moment during the call.
    ///
    /// Progress: wait-free.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.raw.is_empty()
    }
}

impl<T> Drop for Stack<T> {
    fn drop(&mut self) {
        self.pop_all(drop);
    }
}

impl<T> Default for Stack<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Extend<T> for Stack<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, elements: I) {
        elements.into_iter().for_each(|element| self.push(element));
    }
}

impl<T> FromIterator<T> for Stack<T> {
    fn from_iter<I: IntoIterator<Item = T>>(elements: I) -> Self {
        let mut stack = Self::new();
        stack.extend(elements);
        stack
    }
}

impl<T> fmt::Debug for Stack<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stack").field("len", &self.len()).finish_non_exhaustive()
    }
}
