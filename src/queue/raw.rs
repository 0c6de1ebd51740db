//! The engine of the queue: moves bytes, knows no element type. The algorithm is explained in the [parent](super).

use std::time::Duration;

use crossbeam_utils::CachePadded;

use super::event::{Event, Found};
use super::segment::{CLOSED, Header, SEAL, Segment, latest, latest_ptr};
use super::shape::Shape;
use super::store::{Spare, Store};
use crate::mem::{NoMemory, Slot};
use crate::options::Options;
use crate::reclaim::{Hazards, Lane, Role};
use crate::sync::{AtomicPtr, Ordering};

/// The two ends. They change once a segment, so one line serves both.
struct Ends {
    /// The segment to pop from.
    head: AtomicPtr<Header>,
    /// The segment to push to, or one before it.
    tail: AtomicPtr<Header>,
    /// Those who wait for an element.
    event: Event,
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
    ends: CachePadded<Ends>,
    store: Store<S>,
}

// SAFETY: the engine owns bytes; those who make it decide whether the elements they stand for may cross threads.
// `Queue<T>` does so by its own bounds, the C layer by its contract.
unsafe impl<S: Slot> Send for RawQueue<S> {}
// SAFETY: as above; every access to shared memory is atomic or ordered by the pairs of the parent's text.
unsafe impl<S: Slot> Sync for RawQueue<S> {}

/// What a popper finds at the head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    /// The queue was empty at a moment during the look.
    Empty,
    /// The queue is closed, and empty for good.
    Closed,
    /// There is an element, in this segment or behind it.
    Filled,
    /// All slots of the segment were taken, and there is a next one.
    Done(*mut Header),
}

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
    fn head(&self, lane: &Lane<'_>) -> Segment<S> {
        // (4) is in `protect`.
        self.store.segment(lane.protect(Role::Head, &self.ends.head))
    }

    /// The segment to push to, protected.
    #[inline(always)]
    fn tail(&self, lane: &Lane<'_>) -> Segment<S> {
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
    fn seal(&self, segment: Segment<S>) -> bool {
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

    /// Moves the oldest element out; nothing is written if there is none.
    ///
    /// # Safety
    /// `to` is writable for one element.
    #[inline(always)]
    pub(crate) unsafe fn pop(&self, to: *mut u8) -> Result<(), Nothing> {
        let lane = self.store.lane();
        let segment = self.head(&lane);
        let header = segment.header();
        // Relaxed: a guess, which the addition confirms.
        let next = header.dequeue.load(Ordering::Relaxed);
        if next < header.capacity && segment.is_full(next) {
            // (6) SeqCst, for `look`; what is read was acquired by (2).
            let index = header.dequeue.fetch_add(1, Ordering::SeqCst);
            if index == next {
                let from = segment.element(self.store.shape.place(index));
                // SAFETY: the number is this pop's, and its slot was seen FULL by an Acquire load.
                unsafe { self.store.shape.slot.copy(from, to, 1) };
                lane.step(Role::Head, index, 1);
                return Ok(());
            }
            // SAFETY: the number is this pop's.
            if index < header.capacity && unsafe { segment.claim(index, to) } {
                lane.step(Role::Head, index, 1);
                return Ok(());
            }
        }
        // SAFETY: the caller's promise.
        unsafe { self.pop_on(&lane, to) }
    }

    /// # Safety
    /// As [`RawQueue::pop`].
    #[cold]
    unsafe fn pop_on(&self, lane: &Lane<'_>, to: *mut u8) -> Result<(), Nothing> {
        loop {
            let segment = self.head(lane);
            let header = segment.header();
            match self.look(segment) {
                Look::Empty => {
                    lane.found_nothing(Role::Head);
                    return Err(Nothing::Empty);
                }
                Look::Closed => return Err(Nothing::Closed),
                Look::Done(next) => self.advance(lane, segment.header, next),
                Look::Filled => {
                    // (6) as in `pop`.
                    let index = header.dequeue.fetch_add(1, Ordering::SeqCst);
                    // SAFETY: the number is this pop's.
                    if index < header.capacity && unsafe { segment.claim(index, to) } {
                        lane.step(Role::Head, index, 1);
                        return Ok(());
                    }
                }
            }
        }
    }

    /// [`RawQueue::pop`], and as long as the queue is empty and not closed, waits for an element.
    ///
    /// # Safety
    /// As there.
    pub(crate) unsafe fn pop_wait(&self, to: *mut u8, timeout: Duration) -> Result<(), Nothing> {
        let got = self.ends.event.wait(timeout, || {
            // SAFETY: the caller's promise.
            match unsafe { self.pop(to) } {
                Err(Nothing::Empty | Nothing::TimedOut) => Found::Nothing,
                other => Found::Something(other),
            }
        });
        got.unwrap_or(Err(Nothing::TimedOut))
    }

    /// [`RawQueue::pop_n`], and as long as the queue is empty and not closed, waits for an element.
    ///
    /// # Safety
    /// As there.
    pub(crate) unsafe fn pop_n_wait(
        &self,
        to: *mut u8,
        n: usize,
        timeout: Duration,
    ) -> Result<usize, Nothing> {
        let got = self.ends.event.wait(timeout, || {
            // SAFETY: the caller's promise.
            match unsafe { self.pop_n(to, n) } {
                Err(Nothing::Empty | Nothing::TimedOut) => Found::Nothing,
                other => Found::Something(other),
            }
        });
        got.unwrap_or(Err(Nothing::TimedOut))
    }

    /// Moves up to `n` elements out, oldest first, each at a moment of its own. Returns how many: at least one, unless
    /// `n` is 0.
    ///
    /// # Safety
    /// `to` is writable for `n` elements.
    pub(crate) unsafe fn pop_n(&self, to: *mut u8, n: usize) -> Result<usize, Nothing> {
        let lane = self.store.lane();
        let size = self.store.shape.slot.layout().size();
        let mut done = 0;
        while done < n {
            // SAFETY: within the caller's room.
            let rest = unsafe { to.add(done * size) };
            let segment = self.head(&lane);
            let header = segment.header();
            // Relaxed: a guess, which the addition confirms.
            let next = header.dequeue.load(Ordering::Relaxed);
            let run = if next < header.capacity {
                segment.full_run(next, (n - done).min(header.capacity - next))
            } else {
                0
            };
            if run == 0 {
                match self.look(segment) {
                    Look::Done(after) => {
                        self.advance(&lane, segment.header, after);
                        continue;
                    }
                    Look::Empty | Look::Closed if done > 0 => break,
                    Look::Empty => return Err(Nothing::Empty),
                    Look::Closed => return Err(Nothing::Closed),
                    // What is there is not ready, or another popper is at it: enough, if there is something.
                    Look::Filled if done > 0 => break,
                    Look::Filled => (),
                }
            }
            let want = run.max(1);
            // (6) as in `pop`.
            let index = header.dequeue.fetch_add(want, Ordering::SeqCst);
            if run > 0 && index == next {
                // SAFETY: the numbers are this pop's, and their slots were seen FULL by Acquire loads.
                unsafe { segment.take_run(index, run, rest) };
                done += run;
                continue;
            }
            let mut rest = rest;
            for index in index..header.capacity.min(index.saturating_add(want)) {
                // SAFETY: the number is this pop's; no more than `want` elements are written.
                if unsafe { segment.claim(index, rest) } {
                    // SAFETY: as above.
                    rest = unsafe { rest.add(size) };
                    done += 1;
                }
            }
        }
        Ok(done)
    }

    /// See the parent's text on "empty".
    #[cold]
    fn look(&self, segment: Segment<S>) -> Look {
        let header = segment.header();
        // (6) first, so that every push that it misses began after it.
        let from = latest(&header.dequeue);
        if from < header.capacity {
            // (6) after `from`: the numbers below it are taken on both sides.
            let enqueue = latest(&header.enqueue);
            let end = (enqueue & !CLOSED).min(header.capacity);
            // (6) after `enqueue`: what is not FULL now was not in the queue then.
            if segment.any_full(from, end) {
                return Look::Filled;
            }
            if enqueue >= CLOSED && self.seal(segment) {
                // Pushes that have numbers and were not seen are behind the close: they are to be told so, for an
                // element that came now would come after the end.
                segment.give_up(from, end);
                return if segment.any_full(from, end) { Look::Filled } else { Look::Closed };
            }
            if enqueue < header.capacity {
                return Look::Empty;
            }
        }
        // (6) and (4).
        let next = latest_ptr(&header.next);
        if next.is_null() {
            Look::Empty
        } else if next == SEAL && from >= header.capacity {
            Look::Closed
        } else if next == SEAL {
            segment.give_up(from, header.capacity);
            if segment.any_full(from, header.capacity) { Look::Filled } else { Look::Closed }
        } else if from < header.capacity {
            Look::Filled
        } else {
            Look::Done(next)
        }
    }

    /// Moves the head from a segment whose slots are all taken to the next one.
    #[cold]
    fn advance(&self, lane: &Lane<'_>, segment: *mut Header, next: *mut Header) {
        // The tail goes first: a segment that it points at must not be retired. (5) as in `append`. If it fails, the
        // tail had moved on, here or before the head came to this segment.
        let _ = self.ends.tail.compare_exchange(segment, next, Ordering::Release, Ordering::Relaxed);
        // (5) Release: who finds the new head finds the segment, and the tail moved on. Relaxed on failure: another
        // popper did it.
        if self.ends.head.compare_exchange(segment, next, Ordering::Release, Ordering::Relaxed).is_ok() {
            lane.leave(segment);
            // SAFETY: this thread unlinked it, the tail before the head.
            unsafe { self.store.retire(segment) };
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

    /// Whether the queue was empty at a moment during the call.
    pub(crate) fn is_empty(&self) -> bool {
        let lane = self.store.lane();
        loop {
            let segment = self.head(&lane);
            // (6) as in `look`.
            let before = latest(&segment.header().dequeue);
            match self.look(segment) {
                Look::Empty | Look::Closed => return true,
                Look::Done(next) => self.advance(&lane, segment.header, next),
                // (6) What was seen is still in the queue if no pop has taken a number since.
                Look::Filled if latest(&segment.header().dequeue) == before => return false,
                Look::Filled => (),
            }
        }
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
