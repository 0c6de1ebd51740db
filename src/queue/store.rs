//! Where segments come from and go to: the allocator, a small pool, and the list of those that somebody may still use.

use core::ptr::{self, NonNull};

use super::segment::{Header, SEAL, Segment};
use super::shape::{Capacities, Shape};
use crate::mem::{Allocator, NoMemory, Slot};
use crate::reclaim::{Hazards, Lane, Waiting, Waits};
use crate::sync::{AtomicPtr, Ordering};

/// Free segments that are kept for the next ones. One serves a queue whose threads keep step, the second one a pusher
/// and a popper that change segments at the same time.
const POOL: usize = 2;

pub(super) struct Store<S> {
    pub(super) shape: Shape<S>,
    pub(super) capacities: Capacities,
    allocator: Allocator,
    hazards: Hazards,
    /// Each cell owns a segment, or is null.
    pool: [AtomicPtr<Header>; POOL],
    /// Segments that were unlinked and seen named by a slot.
    waiting: Waiting<Header>,
}

impl Waits for Header {
    fn below(&self) -> &AtomicPtr<Self> {
        &self.below
    }
}

fn cells<const N: usize>() -> [AtomicPtr<Header>; N] {
    core::array::from_fn(|_| AtomicPtr::new(ptr::null_mut()))
}

impl<S: Slot> Store<S> {
    pub(super) fn new(
        shape: Shape<S>,
        capacities: Capacities,
        allocator: Allocator,
        hazards: Hazards,
    ) -> Self {
        Self { shape, capacities, allocator, hazards, pool: cells(), waiting: Waiting::new() }
    }

    #[inline]
    pub(super) fn lane(&self) -> Lane<'_> {
        self.hazards.lane()
    }

    #[inline(always)]
    pub(super) fn segment(&self, header: *mut Header) -> Segment<S> {
        Segment { header, shape: self.shape }
    }

    /// An empty segment of `capacity` slots or more. May run the allocator's hook: see [`crate::reclaim::Hazards`] on
    /// re-entrance.
    pub(super) fn obtain(&self, capacity: usize) -> Result<Segment<S>, NoMemory> {
        for cell in &self.pool {
            // Acquire: pairs with (9) in `discard`.
            let pooled = cell.swap(ptr::null_mut(), Ordering::Acquire);
            if !pooled.is_null() {
                // SAFETY: still as it was left, and this thread's by the swap.
                unsafe { &*pooled }.ends();
                // SAFETY: a segment of the largest capacity, which the swap made this thread's.
                return Ok(unsafe { Segment::prepare(pooled, self.shape, self.capacities.largest) });
            }
        }
        let memory = self.allocator.allocate(self.shape.segment(capacity)?)?;
        // SAFETY: fresh memory of that layout.
        Ok(unsafe { Segment::prepare(memory.as_ptr().cast(), self.shape, capacity) })
    }

    /// Pools or frees a segment.
    ///
    /// # Safety
    /// Nobody else can reach it.
    pub(super) unsafe fn discard(&self, segment: *mut Header) {
        // SAFETY: ours alone.
        let header = unsafe { &*segment };
        header.ends();
        if header.capacity == self.capacities.largest {
            for cell in &self.pool {
                // (9) Release: what was done with the segment, by this thread and those it acquired it from, happens
                // before its next use. Relaxed on failure: nothing was learned.
                let put =
                    cell.compare_exchange(ptr::null_mut(), segment, Ordering::Release, Ordering::Relaxed);
                if put.is_ok() {
                    return;
                }
            }
        }
        // SAFETY: the caller's promise.
        unsafe { self.free(segment) };
    }

    /// # Safety
    /// Nobody else can reach the segment, and it is not used again.
    unsafe fn free(&self, segment: *mut Header) {
        // SAFETY: ours alone.
        let capacity = unsafe { (*segment).capacity };
        // SAFETY: not null.
        let memory = unsafe { NonNull::new_unchecked(segment.cast::<u8>()) };
        let layout = self.shape.segment(capacity).expect("the layout it was allocated with");
        // SAFETY: allocated by `obtain` with this layout.
        unsafe { self.allocator.release(memory, layout) };
    }

    /// Frees a segment as soon as nobody uses it, and earlier ones that waited for that.
    ///
    /// # Safety
    /// The calling thread unlinked the segment: neither end of the queue points at it any more, nor will again.
    #[cold]
    pub(super) unsafe fn retire(&self, segment: *mut Header) {
        // SAFETY: unlinked and not named: nobody can reach it.
        let discard = |segment| unsafe { self.discard(segment) };
        // SAFETY: the caller's promise.
        unsafe { self.waiting.retire(&self.hazards, segment, discard) };
    }

    /// Frees a chain of segments and all that are kept.
    ///
    /// # Safety
    /// Nobody uses the queue any more, and this is the last call.
    pub(super) unsafe fn free_all(&self, first: *mut Header) {
        let mut at = first;
        while !at.is_null() && at != SEAL {
            let this = at;
            // SAFETY: not freed yet.
            let header = unsafe { &*this };
            // Relaxed: whoever ended the use of the queue synchronised with all threads.
            at = header.next.load(Ordering::Relaxed);
            // SAFETY: nobody uses the queue any more.
            unsafe { self.free(this) };
        }
        // SAFETY: nobody uses the queue any more.
        let free = |segment| unsafe { self.free(segment) };
        // SAFETY: the caller's promise.
        unsafe { self.waiting.drain(free) };
        for cell in &self.pool {
            // Relaxed: as above.
            let pooled = cell.load(Ordering::Relaxed);
            if !pooled.is_null() {
                // SAFETY: as above.
                unsafe { self.free(pooled) };
            }
        }
    }
}

/// An empty segment that a push has got and not used yet. Dropped, it is discarded.
pub(super) struct Spare<'a, S: Slot> {
    store: &'a Store<S>,
    segment: *mut Header,
}

impl<'a, S: Slot> Spare<'a, S> {
    pub(super) fn none(store: &'a Store<S>) -> Self {
        Self { store, segment: ptr::null_mut() }
    }

    pub(super) fn put(&mut self, segment: Segment<S>) {
        debug_assert!(self.segment.is_null());
        self.segment = segment.header;
    }

    pub(super) fn take(&mut self) -> Option<Segment<S>> {
        let segment = core::mem::replace(&mut self.segment, ptr::null_mut());
        (!segment.is_null()).then(|| self.store.segment(segment))
    }
}

impl<S: Slot> Drop for Spare<'_, S> {
    fn drop(&mut self) {
        if !self.segment.is_null() {
            // SAFETY: never published.
            unsafe { self.store.discard(self.segment) };
        }
    }
}
