//! The engine of the queue: moves bytes, knows no element type. Here: the whole, pushes and the close; [`pop`](super::pop)
//! has the pops. The algorithm is explained in the [parent](super).

use crossbeam_utils::CachePadded;

use super::event::Event;
use super::segment::{CLOSED, Header, SEAL, Segment, latest_ptr};
use super::shape::Shape;
use super::store::{Spare, Store};
use crate::mem::{NoMemory, Slot};
use crate::options::Options;
use crate::reclaim::{Hazards, Lane, Role};
use crate::sync::{AtomicPtr, Ordering};

/// The two ends. They change once a segment, so one line serves both.
pub(super) struct Ends {
    /// The segment to pop from.
    pub(super) head: AtomicPtr<Header>,
    /// The segment to push to, or one before it.
    pub(super) tail: AtomicPtr<Header>,
    /// Those who wait for an element.
    pub(super) event: Event,
}

/// Why a push did not take an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// There is no memory for a segment.
    NoMemory,
    /// The queue is closed.
    Closed,
}

impl From<NoMemory> for Refused {
    fn from(NoMemory: NoMemory) -> Self {
        Self::NoMemory
    }
}

/// Why a pop got no element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nothing {
    /// The queue was empty at a moment during the call.
    Empty,
    /// The queue is closed and empty, for ever.
    Closed,
    /// The time was up.
    TimedOut,
}

pub(crate) struct RawQueue<S: Slot> {
    pub(super) ends: CachePadded<Ends>,
    pub(super) store: Store<S>,
}

// SAFETY: the engine owns bytes; those who make it decide whether the elements they stand for may cross threads.
// `Queue<T>` does so by its own bounds, the C layer by its contract.
unsafe impl<S: Slot> Send for RawQueue<S> {}
// SAFETY: as above; every access to shared memory is atomic or ordered by the pairs of the parent's text.
unsafe impl<S: Slot> Sync for RawQueue<S> {}

impl<S: Slot> RawQueue<S> {
    /// An empty queue whose segments have about `segment` slots; 0 leaves it to the queue.
    pub(crate) fn new(slot: S, options: &Options, segment: usize) -> Result<Self, NoMemory> {
        let (domain, allocator) = options.resolve()?;
        let shape = Shape { slot };
        let capacities = shape.capacities(segment);
        let store = Store::new(shape, capacities, allocator, Hazards::new(&domain));
        let first = store.obtain(capacities.first)?.header;
        let ends = Ends { head: AtomicPtr::new(first), tail: AtomicPtr::new(first), event: Event::new() };
        Ok(Self { ends: CachePadded::new(ends), store })
    }

    /// The segment to pop from, protected.
    #[inline(always)]
    pub(super) fn head(&self, lane: &Lane<'_>) -> Segment<S> {
        // (4) is in `protect`.
        self.store.segment(lane.protect(Role::Head, &self.ends.head))
    }

    /// The segment to push to, protected.
    #[inline(always)]
    pub(super) fn tail(&self, lane: &Lane<'_>) -> Segment<S> {
        // (4) is in `protect`.
        self.store.segment(lane.protect(Role::Tail, &self.ends.tail))
    }

    /// Appends one element, whose bytes are then the queue's.
    ///
    /// # Safety
    /// `element` is readable for one element.
    #[inline(always)]
    pub(crate) unsafe fn push(&self, element: *const u8) -> Result<(), Refused> {
        let lane = self.store.lane();
        let segment = self.tail(&lane);
        let header = segment.header();
        // (6) SeqCst, for `look`. Nothing is read on the strength of it.
        let index = header.enqueue.fetch_add(1, Ordering::SeqCst);
        if index < header.capacity {
            // SAFETY: the number is this push's; the element is the caller's promise.
            if unsafe { segment.fill(index, element) } {
                self.ends.event.announce(1);
                lane.step(Role::Tail, index, 1);
                return Ok(());
            }
        } else {
            self.turned_away(header, index, 1);
        }
        // SAFETY: the caller's promise.
        unsafe { self.push_on(&lane, element, 1) }.map_err(|(_, why)| why)
    }

    /// Takes back numbers that a closed segment gave out, so that `enqueue` goes on to say how many there were.
    #[inline(always)]
    fn turned_away(&self, header: &Header, index: usize, n: usize) {
        if index >= CLOSED {
            // Relaxed: poppers of a closed queue cope with too many numbers; this only saves them work.
            header.enqueue.fetch_sub(n, Ordering::Relaxed);
        }
    }

    /// Appends `n` elements in their order; others may come between them. An error tells how many are in, and why the
    /// rest is not.
    ///
    /// # Safety
    /// `elements` is readable for `n` elements.
    pub(crate) unsafe fn push_n(&self, elements: *const u8, n: usize) -> Result<(), (usize, Refused)> {
        let lane = self.store.lane();
        // SAFETY: the caller's promise.
        unsafe { self.push_on(&lane, elements, n) }
    }

    /// # Safety
    /// As [`RawQueue::push_n`].
    #[cold]
    unsafe fn push_on(&self, lane: &Lane<'_>, elements: *const u8, n: usize) -> Result<(), (usize, Refused)> {
        let size = self.store.shape.slot.layout().size();
        let mut spare = Spare::none(&self.store);
        let mut done = 0;
        while done < n {
            // SAFETY: within the caller's elements.
            let rest = unsafe { elements.add(done * size) };
            let segment = self.tail(lane);
            let header = segment.header();
            let want = (n - done).min(header.capacity);
            // (6) as in `push`.
            let index = header.enqueue.fetch_add(want, Ordering::SeqCst);
            if index < header.capacity {
                let end = header.capacity.min(index + want);
                // Slots that were given up stay behind: the batch goes on in later ones, with later numbers.
                // SAFETY: the numbers are this push's, the elements the caller's promise.
                let more = unsafe { segment.fill_range(index, end, rest) };
                self.ends.event.announce(more);
                done += more;
                continue;
            }
            self.turned_away(header, index, want);
            // SAFETY: the segment is protected by the lane; the rest is `n - done` elements long.
            match unsafe { self.append(segment, index, rest, n - done, &mut spare) } {
                Ok(0) => (),
                Ok(more) => {
                    self.ends.event.announce(more);
                    done += more;
                }
                Err(why) => return Err((done, why)),
            }
        }
        Ok(())
    }

    /// Behind a segment whose numbers are all given out, puts a new one that holds elements already; or follows the
    /// one that is there; or seals the queue, if `index`, the number that a push got, says that it is closed. Returns
    /// how many elements are in, which may be none.
    ///
    /// # Safety
    /// `elements` is readable for `n` elements.
    #[cold]
    unsafe fn append(
        &self,
        segment: Segment<S>,
        index: usize,
        elements: *const u8,
        n: usize,
        spare: &mut Spare<'_, S>,
    ) -> Result<usize, Refused> {
        let header = segment.header();
        if index >= CLOSED {
            return if self.seal(segment) { Err(Refused::Closed) } else { Ok(0) };
        }
        // (4) Acquire: pairs with (3).
        let mut next = header.next.load(Ordering::Acquire);
        let mut done = 0;
        if next.is_null() {
            let Some(mut new) = spare.take() else {
                // The allocator's hook may have used this lane, so the caller protects the tail anew.
                spare.put(self.store.obtain(self.store.capacities.after(header.capacity))?);
                return Ok(0);
            };
            // SAFETY: private.
            let fresh = unsafe { &mut *new.header };
            fresh.base = header.base.wrapping_add(header.capacity);
            done = n.min(fresh.capacity);
            // Relaxed: published by (3).
            fresh.enqueue.store(done, Ordering::Relaxed);
            // SAFETY: private, so all its numbers are ours; `done` is at most `n`.
            unsafe { new.fill_range(0, done, elements) };
            // (3) Release publishes the new segment. SeqCst for `look`, see (6). Acquire on failure: (4).
            match header.next.compare_exchange(next, new.header, Ordering::SeqCst, Ordering::Acquire) {
                Ok(_) => next = new.header,
                Err(theirs) => {
                    let capacity = new.header().capacity;
                    // SAFETY: private; empties it, so that it can be used again. The elements are still the caller's.
                    new = unsafe { Segment::prepare(new.header, self.store.shape, capacity) };
                    spare.put(new);
                    (next, done) = (theirs, 0);
                }
            }
        }
        if next == SEAL {
            return Err(Refused::Closed);
        }
        // (5) Release: who finds the new tail finds the segment. A failure means that it moved on already; Relaxed,
        // nothing was learned.
        let _ = self.ends.tail.compare_exchange(segment.header, next, Ordering::Release, Ordering::Relaxed);
        Ok(done)
    }

    /// Makes a segment whose `enqueue` is CLOSED the last one. False: it is not the last, and the tail has moved on.
    #[cold]
    pub(super) fn seal(&self, segment: Segment<S>) -> bool {
        let next = &segment.header().next;
        // (6) SeqCst: the moment at which the queue is closed. Acquire on failure: (4).
        let sealed = next.compare_exchange(core::ptr::null_mut(), SEAL, Ordering::SeqCst, Ordering::Acquire);
        match sealed {
            Ok(_) => true,
            Err(next) if next == SEAL => true,
            Err(next) => {
                let tail = &self.ends.tail;
                // (5) as in `append`.
                let _ = tail.compare_exchange(segment.header, next, Ordering::Release, Ordering::Relaxed);
                false
            }
        }
    }

    /// Closes the queue: no push that begins afterwards puts an element in.
    pub(crate) fn close(&self) {
        let lane = self.store.lane();
        loop {
            let segment = self.tail(&lane);
            // (6) SeqCst, for `look`. Pushes that have their numbers may still fill their slots.
            segment.header().enqueue.fetch_or(CLOSED, Ordering::SeqCst);
            if self.seal(segment) {
                break;
            }
        }
        // After (6), the seal: waiters that are not woken see it.
        self.ends.event.announce(usize::MAX);
    }

    /// Whether the queue was closed.
    pub(crate) fn is_closed(&self) -> bool {
        let lane = self.store.lane();
        loop {
            let segment = self.tail(&lane);
            // (6) as in `look`.
            let next = latest_ptr(&segment.header().next);
            if next.is_null() || next == SEAL {
                return next == SEAL;
            }
            // (5) as in `append`.
            let _ =
                self.ends.tail.compare_exchange(segment.header, next, Ordering::Release, Ordering::Relaxed);
        }
    }

    /// How many elements there were, about: a push or pop under way may or may not be counted.
    pub(crate) fn len(&self) -> usize {
        let lane = self.store.lane();
        let place =
            |segment: &Header, counter: usize| segment.base.wrapping_add(counter.min(segment.capacity));
        let head = self.head(&lane);
        // Acquire: the tail is read after it, so that it is not behind.
        let first = place(head.header(), head.header().dequeue.load(Ordering::Acquire));
        let tail = self.tail(&lane);
        // Relaxed: an estimate.
        let last = place(tail.header(), tail.header().enqueue.load(Ordering::Relaxed) & !CLOSED);
        let len = last.wrapping_sub(first);
        if len > isize::MAX as usize { 0 } else { len }
    }

    /// Hands each element to `each`, oldest first, which owns its bytes from then on; they stay readable and writable
    /// until it returns. If it unwinds, a second call goes on with the next element.
    pub(crate) fn drain(&mut self, mut each: impl FnMut(*mut u8)) {
        // Relaxed throughout: `&mut self`; whoever obtained it synchronised with the queue's users.
        let mut at = self.ends.head.load(Ordering::Relaxed);
        while !at.is_null() && at != SEAL {
            let segment = self.store.segment(at);
            let header = segment.header();
            let end = (header.enqueue.load(Ordering::Relaxed) & !CLOSED).min(header.capacity);
            for index in header.dequeue.load(Ordering::Relaxed)..end {
                // Relaxed: as above.
                header.dequeue.store(index + 1, Ordering::Relaxed);
                // A slot that is not FULL has a pusher that never came back to it.
                if segment.is_full(index) {
                    each(segment.element(self.store.shape.place(index)));
                }
            }
            // Relaxed: as above.
            at = header.next.load(Ordering::Relaxed);
        }
    }
}

impl<S: Slot> Drop for RawQueue<S> {
    /// Frees the segments. Those who hold elements with destructors drain them before.
    fn drop(&mut self) {
        // Relaxed: `&mut self`; whoever dropped the queue synchronised with its users.
        let first = self.ends.head.load(Ordering::Relaxed);
        // SAFETY: nobody uses the queue any more.
        unsafe { self.store.free_all(first) };
    }
}
