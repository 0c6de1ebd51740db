//! A segment: a run of slots, each filled once and emptied once, between two counters that only go up.
//!
//! The methods here are the steps of the algorithm on one segment; [`raw`](super::raw) puts them together, and the
//! [parent](super) explains them and has the numbered pairs.

use core::ptr;

use crossbeam_utils::CachePadded;

use super::shape::{Place, Shape};
use crate::mem::Slot;
use crate::sync::{AtomicPtr, AtomicUsize, Ordering, spin_loop};

/// The element was written.
const FULL: usize = 0b01;
/// The slot was given up before the element was written, or took the element just when it did.
const POISON: usize = 0b10;
/// Both bits of a slot.
const BOTH: usize = FULL | POISON;
/// `FULL` of every slot of a group.
const ALL_FULL: usize = usize::MAX / 3;

/// The highest bit of `enqueue`: the queue was closed when this segment was the last one, and no more of its numbers are
/// given out. It makes every number that is taken afterwards one behind the last slot.
pub(super) const CLOSED: usize = 1 << (usize::BITS - 1);

/// What `next` of the last segment of a closed queue is: there will never be another one.
pub(super) const SEAL: *mut Header = ptr::without_provenance_mut(1);

/// How often a popper looks at a slot whose pusher has taken its number but not written its element, before it gives
/// the slot up. A pusher needs some ten nanoseconds between the two, if it is not interrupted.
const PATIENCE: u32 = if cfg!(any(loom, miri)) { 1 } else { 128 };

/// `bits` of the slots from `from` to before `to` of a group.
#[inline(always)]
fn range(bits: usize, from: usize, to: usize) -> usize {
    let every = ALL_FULL * bits;
    let upper = if to * 2 >= usize::BITS as usize { every } else { every & ((1 << (2 * to)) - 1) };
    upper & (usize::MAX << (2 * from))
}

/// What stands before the slots.
#[repr(C)]
pub(super) struct Header {
    /// How many slots there are. Written before the segment is published, never after.
    pub(super) capacity: usize,
    /// How many slots the segments before this one had, ever, modulo the word. Written as `capacity`.
    pub(super) base: usize,
    /// The segment after this one; null while there is none, [`SEAL`] when there will be none.
    pub(super) next: AtomicPtr<Header>,
    /// The segment below, while this one waits to be freed.
    pub(super) below: AtomicPtr<Header>,
    /// The number of the next slot to fill. Those from `capacity` on mean: look at `next`. And [`CLOSED`].
    pub(super) enqueue: CachePadded<AtomicUsize>,
    /// The number of the next slot to empty.
    pub(super) dequeue: CachePadded<AtomicUsize>,
    /// Models only: every use reads it, and the end of the segment's life writes it, as does the beginning of the next one if
    /// it is used again. So loom finds a use that is not ordered before that end, and an end not before that beginning.
    #[cfg(loom)]
    alive: loom::cell::UnsafeCell<()>,
}

impl Header {
    /// Nobody uses the segment any more, as far as the caller knows. Says so to loom.
    #[inline(always)]
    pub(super) fn ends(&self) {
        #[cfg(loom)]
        self.alive.with_mut(|_| ());
    }
}

/// A segment that the holder may use: protected, or its own.
#[derive(Clone, Copy)]
pub(super) struct Segment<S> {
    pub(super) header: *mut Header,
    pub(super) shape: Shape<S>,
}

impl<S: Slot> Segment<S> {
    /// # Safety
    /// `memory` is fresh, writable, and of the layout that `shape` gives for `capacity`; or it is a segment of that
    /// capacity which nobody else can reach.
    pub(super) unsafe fn prepare(memory: *mut Header, shape: Shape<S>, capacity: usize) -> Self {
        let header = Header {
            capacity,
            base: 0,
            next: AtomicPtr::new(ptr::null_mut()),
            below: AtomicPtr::new(ptr::null_mut()),
            enqueue: CachePadded::new(AtomicUsize::new(0)),
            dequeue: CachePadded::new(AtomicUsize::new(0)),
            #[cfg(loom)]
            alive: loom::cell::UnsafeCell::new(()),
        };
        // SAFETY: the caller's promise.
        unsafe { memory.write(header) };
        let segment = Self { header: memory, shape };
        for index in (0..capacity).step_by(shape.group()) {
            let word = segment.word_ptr(shape.place(index));
            // SAFETY: inside the memory, aligned, and nobody else's.
            unsafe { word.write(AtomicUsize::new(0)) };
        }
        segment
    }

    #[inline(always)]
    pub(super) fn header(&self) -> &Header {
        // SAFETY: who holds a `Segment` may use it, and after `prepare` the header is only changed through atomics.
        let header = unsafe { &*self.header };
        #[cfg(loom)]
        header.alive.with(|_| ());
        header
    }

    #[inline(always)]
    fn word_ptr(&self, place: Place) -> *mut AtomicUsize {
        // SAFETY: callers pass places of slots below the capacity, which are inside the segment.
        unsafe { self.header.byte_add(place.group) }.cast()
    }

    /// The state word of a group.
    #[inline(always)]
    fn word(&self, place: Place) -> &AtomicUsize {
        // SAFETY: inside the segment, initialised by `prepare`.
        unsafe { &*self.word_ptr(place) }
    }

    #[inline(always)]
    pub(super) fn element(&self, place: Place) -> *mut u8 {
        // SAFETY: as in `word_ptr`.
        unsafe { self.header.cast::<u8>().add(self.shape.element(place)) }
    }

    /// Writes an element into slot `index` and publishes it. False: the slot was given up, the element is not in.
    ///
    /// # Safety
    /// The caller got `index`, which is below the capacity, from `enqueue`; `element` is readable for one element.
    #[inline(always)]
    pub(super) unsafe fn fill(&self, index: usize, element: *const u8) -> bool {
        let place = self.shape.place(index);
        // SAFETY: the slot is this pusher's until it is FULL: poppers read elements of FULL slots only.
        unsafe { self.shape.slot.copy(element, self.element(place), 1) };
        // (1) Release publishes the element. SeqCst for `look`, see (6). An addition, because the old value decides and
        // a processor has an instruction for that: each bit is set once in the life of a slot.
        let old = self.word(place).fetch_add(FULL << (2 * place.at), Ordering::SeqCst);
        old & (POISON << (2 * place.at)) == 0
    }

    /// Fills the slots from `from` to before `to` with as many elements, in order, leaving out slots that were given
    /// up. Returns how many elements are in.
    ///
    /// # Safety
    /// As [`Segment::fill`], for all of the slots; `elements` is readable for `to - from` elements.
    pub(super) unsafe fn fill_range(&self, from: usize, to: usize, elements: *const u8) -> usize {
        let (mut index, mut filled) = (from, 0);
        while index < to {
            let place = self.shape.place(index);
            let end = (place.at + to - index).min(self.shape.group());
            // SAFETY: within the caller's elements: no more than there are slots.
            let rest = unsafe { elements.add(filled * self.shape.slot.layout().size()) };
            // SAFETY: the caller's promise, for this part of the slots.
            filled += unsafe { self.fill_group(place, end, rest) };
            index += end - place.at;
        }
        filled
    }

    /// [`Segment::fill_range`] within one group: from `place` to before the slot numbered `end`.
    ///
    /// # Safety
    /// As there.
    unsafe fn fill_group(&self, place: Place, end: usize, elements: *const u8) -> usize {
        let size = self.shape.slot.layout().size();
        let word = self.word(place);
        // Relaxed: the exchange decides.
        let mut old = word.load(Ordering::Relaxed);
        let mut written = None;
        loop {
            let poison = old & range(POISON, place.at, end);
            if written != Some(poison) {
                let mut from = elements;
                for at in place.at..end {
                    if poison & (POISON << (2 * at)) == 0 {
                        let to = self.element(Place { at, ..place });
                        // SAFETY: the slot is this pusher's, as in `fill`; `from` is within the caller's elements.
                        unsafe { self.shape.slot.copy(from, to, 1) };
                        // SAFETY: at most one element a slot.
                        from = unsafe { from.add(size) };
                    }
                }
                written = Some(poison);
            }
            // All of the group's elements at once, and only if no slot was given up since they were laid out: an
            // element must not become visible before the one in front of it has found its place.
            let full = range(FULL, place.at, end) & !(poison >> 1);
            if full == 0 {
                return 0;
            }
            // (1) as in `fill`. Relaxed on failure: nothing was learned but bits. It fails only because another slot of
            // the group was filled or given up, which happens no more than twice a slot.
            match word.compare_exchange_weak(old, old | full, Ordering::SeqCst, Ordering::Relaxed) {
                Ok(_) => return full.count_ones() as usize,
                Err(now) => old = now,
            }
        }
    }

    /// Whether slot `index` is FULL and was not given up.
    #[inline(always)]
    pub(super) fn is_full(&self, index: usize) -> bool {
        let place = self.shape.place(index);
        // (2) Acquire: pairs with (1); the element is read next.
        (self.word(place).load(Ordering::Acquire) >> (2 * place.at)) & BOTH == FULL
    }

    /// How many slots from `index` on, `most` at the most, are FULL and were not given up. All are below the capacity.
    pub(super) fn full_run(&self, index: usize, most: usize) -> usize {
        let mut run = 0;
        while run < most {
            let place = self.shape.place(index + run);
            // (2) Acquire: as in `is_full`.
            let word = self.word(place).load(Ordering::Acquire) ^ ALL_FULL;
            // Zeros are slots that are FULL and nothing else.
            let here = ((word >> (2 * place.at)).trailing_zeros() / 2) as usize;
            let end = (self.shape.group() - place.at).min(most - run);
            run += here.min(end);
            if here < end {
                break;
            }
        }
        run
    }

    /// Moves the elements of slots that were seen FULL out, in order.
    ///
    /// # Safety
    /// The caller got the `n` numbers from `index` on from `dequeue`, and saw their slots FULL by an Acquire load; `to`
    /// is writable for `n` elements.
    pub(super) unsafe fn take_run(&self, index: usize, n: usize, to: *mut u8) {
        let size = self.shape.slot.layout().size();
        let mut done = 0;
        while done < n {
            let place = self.shape.place(index + done);
            let here = (self.shape.group() - place.at).min(n - done);
            // SAFETY: within the caller's room.
            let to = unsafe { to.add(done * size) };
            // SAFETY: the elements are published and this popper's; those of a group stand one after the other.
            unsafe { self.shape.slot.copy(self.element(place), to, here) };
            done += here;
        }
    }

    /// Moves the element of slot `index` out, after a short wait for its pusher if need be. False: there was none, and
    /// the slot is given up.
    ///
    /// # Safety
    /// The caller got `index`, which is below the capacity, from `dequeue`; `to` is writable for one element.
    #[cold]
    pub(super) unsafe fn claim(&self, index: usize, to: *mut u8) -> bool {
        let mut full = self.is_full(index);
        for _ in 0..PATIENCE {
            // Relaxed: a hint. A number that no pusher has taken is not waited for.
            if full || self.is_set(index) || self.header().enqueue.load(Ordering::Relaxed) <= index {
                break;
            }
            spin_loop();
            full = self.is_full(index);
        }
        let full = full || !self.poison(index);
        if full {
            // SAFETY: seen FULL by an Acquire operation, and this popper's alone.
            unsafe { self.take_run(index, 1, to) };
        }
        full
    }

    /// Whether slot `index` was filled or given up.
    fn is_set(&self, index: usize) -> bool {
        let place = self.shape.place(index);
        // Relaxed: a hint; `poison` decides.
        (self.word(place).load(Ordering::Relaxed) >> (2 * place.at)) & BOTH != 0
    }

    /// Gives slot `index` up. False: it is FULL, and was not given up before.
    fn poison(&self, index: usize) -> bool {
        let place = self.shape.place(index);
        // (2) Acquire: pairs with (1) if the element has come after all. Nothing is published: who finds the slot given
        // up reads nothing of this thread's.
        let old = self.word(place).fetch_or(POISON << (2 * place.at), Ordering::Acquire);
        (old >> (2 * place.at)) & BOTH != FULL
    }

    /// Gives up the slots from `from` to before `to` that are not filled. The caller need not have their numbers: it
    /// knows that the queue is closed, so that their pushers will not find others.
    pub(super) fn give_up(&self, from: usize, to: usize) {
        for index in from..to {
            let place = self.shape.place(index);
            let word = self.word(place);
            // Relaxed: the exchange decides.
            let mut old = word.load(Ordering::Relaxed);
            // An exchange, because a slot that has just been filled must not be touched. (6) SeqCst: a pusher that fills
            // the slot afterwards does so after this moment. Relaxed on failure: nothing was learned.
            while (old >> (2 * place.at)) & BOTH == 0 {
                let poisoned = old | POISON << (2 * place.at);
                match word.compare_exchange_weak(old, poisoned, Ordering::SeqCst, Ordering::Relaxed) {
                    Ok(_) => break,
                    Err(now) => old = now,
                }
            }
        }
    }

    /// Whether one of the slots from `from` to before `to` is FULL and was not given up.
    pub(super) fn any_full(&self, from: usize, to: usize) -> bool {
        let mut index = from;
        while index < to {
            let place = self.shape.place(index);
            let end = (place.at + to - index).min(self.shape.group());
            // (6) SeqCst: a push that returned before this call began is seen.
            let word = latest(self.word(place));
            // The FULL bits, less those whose POISON bit, one to the left, is set as well.
            if word & !(word >> 1) & range(FULL, place.at, end) != 0 {
                return true;
            }
            index += end - place.at;
        }
        false
    }
}

/// A SeqCst load.
#[inline(always)]
pub(super) fn latest(word: &AtomicUsize) -> usize {
    // (6) loom knows no order between SeqCst accesses of different words, so its loads may be out of date where those
    // of the language may not. A read-modify-write reads the newest value there as well.
    #[cfg(loom)]
    return word.fetch_add(0, Ordering::Acquire);
    // (6) SeqCst: see `look` in `raw`.
    #[cfg(not(loom))]
    word.load(Ordering::SeqCst)
}

/// A SeqCst load of a pointer.
#[inline(always)]
pub(super) fn latest_ptr<T>(ptr: &AtomicPtr<T>) -> *mut T {
    // (6) as in `latest`; an exchange of null for null changes nothing.
    #[cfg(loom)]
    return ptr
        .compare_exchange(ptr::null_mut(), ptr::null_mut(), Ordering::Acquire, Ordering::Acquire)
        .unwrap_or_else(|now| now);
    // (6) SeqCst, and with it Acquire: (4).
    #[cfg(not(loom))]
    ptr.load(Ordering::SeqCst)
}
