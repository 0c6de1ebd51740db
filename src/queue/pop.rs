//! The engine's other half: what a popper does. The algorithm is explained in the [parent](super).

use std::time::Duration;

use super::event::Found;
use super::raw::{Nothing, RawQueue};
use super::segment::{CLOSED, Header, SEAL, Segment, latest, latest_ptr};
use crate::mem::Slot;
use crate::reclaim::{Lane, Role};
use crate::sync::Ordering;

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
}
