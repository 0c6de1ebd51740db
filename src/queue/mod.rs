//! The queue: first in, first out, for any number of threads at both ends.
//!
//! # Problem
//!
//! A linked queue pays an exchange that can fail, and a node, for each element (Michael and Scott 1996). An array with
//! two counters needs no more than an addition to give each push and each pop a slot of its own, and an addition never
//! fails; but then a popper may hold the number of a slot whose pusher was interrupted before it wrote the element, and
//! to wait for it would make the queue as slow as its slowest thread. So the popper must be able to give the slot up,
//! and the pusher to find that out and take another one (Ramalhete's FAAArrayQueue, 2016).
//!
//! # Shape
//!
//! ```text
//!  head ─────────────► segment ── next ──► segment ── next ──► segment ◄──────────── tail
//!                      dequeue: 2                              enqueue: 4, dequeue: 0
//!                      ┌─┬─┬─┬─┬─┬─┬─┬─┐                       ┌─┬─┬─┬─┬─┬─┬─┬─┐
//!                      │·│·│F│F│P│F│F│F│                       │F│F│ │F│ │ │ │ │
//!                      └─┴─┴─┴─┴─┴─┴─┴─┘                       └─┴─┴─┴─┴─┴─┴─┴─┘
//!  the waiting, the pool: segments that were unlinked and are still named by a thread, or free
//! ```
//!
//! `enqueue` and `dequeue` count up from 0; who adds one owns the number, and with it the slot, for its side. A slot has
//! two bits of state, each set once in the life of the segment:
//!
//! | bits | the slot |
//! |---|---|
//! | – | not filled yet |
//! | FULL | its element is in the queue, or was taken by the popper that has its number |
//! | POISON | given up; the pusher will set FULL as well, learn that it came too late, and go elsewhere |
//! | both | the same; or FULL came just before POISON and the popper, seeing that, took the element |
//!
//! The last case is decided by the order of two read-modify-writes of one word; both sides see it in the old value.
//!
//! - **push** takes a number, writes the element and sets FULL. If the slot was given up, it takes another number. If
//!   the segment has no slot of that number, it appends a new segment *in which its element is already in*.
//! - **pop** looks whether the next slot to empty is FULL, takes a number, and moves the element of its slot out. If
//!   that one is not FULL yet it looks a bounded number of times, then gives it up and starts again.
//! - **push_n** takes as many numbers as it has elements by one addition, and publishes those of a group of slots by one
//!   exchange. Where slots were given up, its elements move on to later slots, so they stay in order, and what finds no
//!   slot goes on with new numbers, which are later ones. Elements of others may come between.
//! - **pop_n** takes as many numbers as there are FULL slots in a row.
//!
//! # Empty
//!
//! Numbers that were taken say nothing: a push that has one may still go elsewhere. A popper finds the queue empty when
//! it has read `dequeue`, then `enqueue`, and after that finds no slot between the two FULL (and, at the end of a
//! segment, no next one). At the moment when it read `enqueue` the queue *was* empty: pushes with later numbers had not
//! begun, those in between had not set FULL, and the numbers before were taken by poppers. So nobody polls slots away
//! from slow pushers, and a pusher that sleeps between its two steps does not cost the poppers a thing.
//!
//! # Close
//!
//! Closing sets a bit in `enqueue` of the last segment, which puts every number that is taken afterwards behind the last
//! slot, and then puts a seal in the place of its successor. From the seal on the queue is closed. Who finds the bit sets
//! the seal before it goes on, so nobody is turned away before that moment. Pushes that had their numbers before may
//! still succeed; but a popper that finds nothing in a closed queue first gives up the slots of those that are still
//! under way, whose pushers then find the queue closed. So what it says, "closed and empty", stays true.
//!
//! # Waiting
//!
//! `pop_wait` sleeps on an event count (see `event`); pushes look whether anybody does.
//!
//! # Invariants
//!
//! 1. The element of a slot is written by the pusher that has its number, before FULL, and read by the popper that has
//!    its number, after it saw FULL. Nobody else touches it.
//! 2. A segment gets a successor only when all its numbers were given out, and is left by the head only when they were
//!    all taken. So numbers, segment after segment, are one sequence, on either side.
//! 3. A segment's first slot, except in the first segment, is FULL when the segment is published.
//! 4. The head never passes the tail: who moves the head off a segment has moved the tail off it before.
//! 5. An operation uses a segment only while it protects it (see [`Hazards`](crate::reclaim)): from `head` in one role,
//!    from `tail` in the other.
//!
//! # Linearization points
//!
//! Call a push of slot *i* successful if its element stays there.
//!
//! | operation | takes effect at |
//! |---|---|
//! | push | the first moment at which its own slot, or that of a successful push with a later number, becomes FULL |
//! | pop | the later of its own addition to `dequeue` and the moment of the push whose element it takes |
//! | pop, `is_empty`: empty | the load of `enqueue`; at the end of a segment that of `next` |
//! | `close` | the exchange that sets the seal, whoever does it; successful pushes are before it |
//! | pop: closed | the last load of a state word, when all slots are given up, taken, or were never to be filled |
//! | `is_empty`: not empty | the second load of `dequeue`, which shows that the element that was seen is still there |
//!
//! Both sequences of moments are in the order of the numbers, so it is a FIFO. A push's moment is within its call: it
//! has its number before a later one is given out, and it has not returned before its own slot is FULL. A batch is so
//! many operations; those of a `push_n` are neighbours in the order if no slot was given up and the segment sufficed.
//!
//! # Ordering pairs
//!
//! - (1) the Release half of setting FULL → (2) Acquire: the load or exchange by which the popper sees FULL. The popper
//!   reads the element as it was written.
//! - (3) the Release exchange of `next` → (4) the Acquire load of `next`: the contents of a new segment.
//! - (5) the Release exchanges of `head` and `tail` → (4) the Acquire load by which an operation protects the segment;
//!   and, from `head` to `head`, the knowledge that the tail has moved on.
//! - (6) SeqCst: additions to `enqueue` and `dequeue`, setting FULL, the exchange of `next`; and the loads of "empty".
//!   The argument above speaks of moments, and so of one order of all these. On x86-64 and Arm they cost no more than
//!   their weaker forms.
//! - (7) protection: pairs (1) to (4) of [`hazard`](crate::reclaim).
//!   The seal, the slots that a closed queue's poppers give up, and the accesses of (10) belong to that order as well.
//! - (9) putting a segment into the pool → taking it out: Release to Acquire, for all that was done with the segment
//!   before. Pairs (1) → (2) of [`waiting`](crate::reclaim) are the same for segments that wait.
//! - (10) the event count: a pusher sets FULL and loads `waiting`, a waiter adds to `waiting` and looks: see `event`.
//!
//! # Progress
//!
//! Lock-free, and nothing waits for another thread. A push repeats when its slot was given up, at most as often as the
//! segment has slots, for then it appends its element with a segment; that exchange fails only because another push
//! did so. A pop gives a slot up only when it saw a FULL one behind, so it repeats at most as often as there are slots
//! before that one, unless another pop took that element. Pushes allocate a segment now and then, so they are as
//! lock-free as the allocator. Only `pop_wait` and `pop_n_wait` wait for others. After a push or pop, a thread may pause
//! for some microseconds when numbers show that others came in between (see `reclaim::pace`): a fixed number of pause
//! instructions, after its own operation is complete, not until somebody did something. And a pop that has caught up with
//! the pushers pauses after it found nothing, for up to 8 microseconds while elements flow, so that it falls back some
//! hundred elements and their lines are left to the pushers.
//!
//! # Memory
//!
//! A segment that was left by head and tail is freed, or pooled for the next one, when no thread names it. A thread
//! names two at the most, in whatever it does and however long it sleeps; at the rare moment of retiring one it has
//! that one, and one that waited, in its hands as well. So a stalled thread holds back at most four segments of the
//! queue (more only if more than sixteen segments wait at once). Nothing is retired to the domain's clock: guards and
//! pins hold back no memory of a queue, and operations need none. Segments begin at about 1 KiB and grow to 16.
//!
//! # References
//!
//! P. Ramalhete, *FAAArrayQueue*, 2016 (concurrencyfreaks.blogspot.com). A. Morrison, Y. Afek, *Fast concurrent queues
//! for x86 processors*, PPoPP 2013 (the proof by numbers). M. Michael, *Hazard pointers*, TPDS 2004. Here the element
//! lies in the slot, whatever its size, since each slot has one writer and one reader; emptiness is read off the slots;
//! hazards stay from one operation to the next.

mod error;
mod event;
mod iter;
mod pop;
mod raw;
mod segment;
mod shape;
mod store;
mod traits;

use core::marker::PhantomData;
use core::mem::MaybeUninit;
use std::time::Duration;

pub use error::PopError;
pub use iter::{Drain, IntoIter};
pub(crate) use raw::{Nothing, RawQueue, Refused};

use crate::mem::{NoMemory, Typed};
use crate::options::Options;

/// A lock-free queue of `T`, shared by any number of threads: one total order, first in, first out.
///
/// ```
/// let queue = conex::Queue::new();
/// queue.push(1);
/// queue.push(2);
/// assert_eq!(queue.pop(), Some(1));
/// assert_eq!(queue.pop(), Some(2));
/// assert_eq!(queue.pop(), None);
/// ```
pub struct Queue<T> {
    raw: RawQueue<Typed<T>>,
    elements: PhantomData<T>,
}

// SAFETY: a queue hands elements from thread to thread by value and never lends them, so `T: Send` is enough.
unsafe impl<T: Send> Send for Queue<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Queue<T> {}

impl<T> Queue<T> {
    /// An empty queue in the default domain.
    ///
    /// # Panics
    /// If there is no memory for it; see [`Queue::with_options`].
    #[must_use]
    pub fn new() -> Self {
        Self::with_options(&Options::new()).expect("no memory for a queue")
    }

    /// An empty queue as `options` say.
    ///
    /// # Errors
    /// [`NoMemory`].
    pub fn with_options(options: &Options) -> Result<Self, NoMemory> {
        Self::with_segments(options, 0)
    }

    /// As [`Queue::with_options`], with memory that comes in segments of about `elements` elements each; 0 leaves it to
    /// the queue, which then begins with about 1 KiB and goes up to 16.
    ///
    /// # Errors
    /// [`NoMemory`].
    pub fn with_segments(options: &Options, elements: usize) -> Result<Self, NoMemory> {
        Ok(Self { raw: RawQueue::new(Typed::new(), options, elements)?, elements: PhantomData })
    }

    /// Appends `element`.
    ///
    /// Progress: lock-free if the allocator is. Allocates a segment now and then.
    ///
    /// # Panics
    /// If there is no memory for a segment, or the queue is closed; see [`Queue::try_push`].
    #[inline]
    pub fn push(&self, element: T) {
        assert!(self.try_push(element).is_ok(), "no memory for a queue's segment, or the queue is closed");
    }

    /// Appends `element`, or gives it back if there is no memory or the queue is closed ([`Queue::is_closed`] tells).
    ///
    /// Progress: lock-free if the allocator is. Allocates a segment now and then.
    ///
    /// # Errors
    /// The element.
    #[inline]
    pub fn try_push(&self, element: T) -> Result<(), T> {
        let element = MaybeUninit::new(element);
        // SAFETY: readable; after a success its bytes belong to the queue, and `MaybeUninit` does not drop them.
        match unsafe { self.raw.push(element.as_ptr().cast()) } {
            Ok(()) => Ok(()),
            // SAFETY: initialised above, and the failed push did not take it.
            Err(Refused::NoMemory | Refused::Closed) => Err(unsafe { element.assume_init() }),
        }
    }

    /// Appends `elements` in their order. Those of other threads may come between them.
    ///
    /// Progress: lock-free if the allocator is. Allocates segments as needed.
    ///
    /// # Errors
    /// Those that are not in the queue, if there is no memory for all, or the queue is closed; the ones before them are
    /// in.
    pub fn push_n(&self, mut elements: Vec<T>) -> Result<(), Vec<T>> {
        // SAFETY: readable for `len` elements.
        let (pushed, result) = match unsafe { self.raw.push_n(elements.as_ptr().cast(), elements.len()) } {
            Ok(()) => (elements.len(), Ok(())),
            Err((pushed, _)) => (pushed, Err(())),
        };
        let left = elements.len() - pushed;
        let start = elements.as_mut_ptr();
        // SAFETY: the bytes of the first `pushed` elements belong to the queue; the vector forgets all for a moment.
        unsafe { elements.set_len(0) };
        // SAFETY: within the vector: the elements that were not pushed begin there.
        let rest = unsafe { start.add(pushed) };
        // SAFETY: both are within the vector, which is `pushed + left` long.
        unsafe { core::ptr::copy(rest, start, left) };
        // SAFETY: these are the elements that were not pushed.
        unsafe { elements.set_len(left) };
        result.map_err(|()| elements)
    }

    /// Takes the oldest element. `None` if the queue was empty at a moment during the call.
    ///
    /// If the queue was closed before the call, `None` means that it is empty for ever.
    ///
    /// Progress: lock-free. Does not allocate.
    #[inline]
    pub fn pop(&self) -> Option<T> {
        let mut element = MaybeUninit::<T>::uninit();
        // SAFETY: writable for one element.
        let popped = unsafe { self.raw.pop(element.as_mut_ptr().cast()) };
        // SAFETY: written by a successful pop, which made it ours.
        popped.is_ok().then(|| unsafe { element.assume_init() })
    }

    /// Takes the oldest element, and waits for one if there is none, for `timeout` at most ([`Duration::MAX`]: for
    /// ever).
    ///
    /// Progress: may block. Who waits sleeps, and costs the pushers one system call an element.
    ///
    /// # Errors
    /// [`PopError::Closed`] when the queue is closed and empty, [`PopError::TimedOut`].
    pub fn pop_wait(&self, timeout: Duration) -> Result<T, PopError> {
        let mut element = MaybeUninit::<T>::uninit();
        // SAFETY: writable for one element.
        unsafe { self.raw.pop_wait(element.as_mut_ptr().cast(), timeout) }?;
        // SAFETY: written by a successful pop, which made it ours.
        Ok(unsafe { element.assume_init() })
    }

    /// Takes up to `n` elements, each as by [`Queue::pop`], and appends them to `to`, the oldest first. Returns how
    /// many: 0 only if the queue was empty at a moment during the call, or `n` is 0. It may be fewer than there are
    /// when other threads push and pop meanwhile.
    ///
    /// Progress: lock-free. Reserves room in `to` before it takes anything.
    pub fn pop_n(&self, n: usize, to: &mut Vec<T>) -> usize {
        // No more than there are: `n` may be "all of them". The length is an estimate, so at least one.
        let n = n.min(self.len().max(1));
        to.reserve(n);
        let end = to.spare_capacity_mut().as_mut_ptr();
        // SAFETY: room for `n` was reserved.
        let popped = unsafe { self.raw.pop_n(end.cast(), n) }.unwrap_or(0);
        // SAFETY: that many were written, behind the old ones.
        unsafe { to.set_len(to.len() + popped) };
        popped
    }

    /// [`Queue::pop_n`], and waits for the first element if there is none, for `timeout` at most; not for the others.
    /// Reserves room for `n` elements in `to`.
    ///
    /// Progress: may block, as [`Queue::pop_wait`].
    ///
    /// # Errors
    /// [`PopError::Closed`] when the queue is closed and empty, [`PopError::TimedOut`].
    pub fn pop_n_wait(&self, n: usize, to: &mut Vec<T>, timeout: Duration) -> Result<usize, PopError> {
        to.reserve(n);
        let end = to.spare_capacity_mut().as_mut_ptr();
        // SAFETY: room for `n` was reserved.
        let popped = unsafe { self.raw.pop_n_wait(end.cast(), n, timeout) }?;
        // SAFETY: that many were written, behind the old ones.
        unsafe { to.set_len(to.len() + popped) };
        Ok(popped)
    }

    /// Closes the queue, for good: pushes that begin afterwards are refused. Elements that are in can be popped. Those
    /// who wait get what is left, and then [`PopError::Closed`]. A push that is under way succeeds or is refused.
    ///
    /// Progress: lock-free; one system call if anybody waits. Does nothing when the queue is closed already.
    pub fn close(&self) {
        self.raw.close();
    }

    /// Whether the queue was closed.
    ///
    /// Progress: lock-free.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.raw.is_closed()
    }

    /// Takes everything out, oldest first, one element at each step. Those that are left when the iterator is dropped
    /// are dropped.
    pub fn drain(&mut self) -> Drain<'_, T> {
        Drain::new(self)
    }

    /// About how many elements there are: pushes and pops that are under way may or may not be counted. Exact when there
    /// are none.
    ///
    /// Progress: lock-free.
    #[must_use]
    pub fn len(&self) -> usize {
        self.raw.len()
    }

    /// Whether the queue was empty at a moment during the call.
    ///
    /// Progress: lock-free.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.raw.is_empty()
    }
}
