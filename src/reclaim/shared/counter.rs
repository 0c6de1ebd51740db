//! The protocol, over blocks whose values are bytes.

use core::alloc::Layout;
use core::mem::ManuallyDrop;
use core::ptr::{self, NonNull};

use crate::mem::{Allocator, NoMemory};
use crate::reclaim::domain::Domain;
use crate::reclaim::limbo::Link;
use crate::sync::{AtomicPtr, AtomicUsize, Ordering};

/// What stands before every counted value.
#[repr(C)]
pub(crate) struct Counter {
    link: Link,
    count: AtomicUsize,
    /// Taken out when the count is 0.
    domain: ManuallyDrop<Domain>,
    /// Of the whole block, which may begin before the counter.
    layout: Layout,
}

impl Counter {
    /// A block with a value of layout `value`, which is still to be written: see [`Counter::value`]. Its count is 1.
    pub(crate) fn new(domain: &Domain, value: Layout) -> Result<NonNull<Self>, NoMemory> {
        // The value follows the counter at once, so that each is found from the other.
        let before = Self::before(value.align());
        let layout = before.extend(value).map_err(|_| NoMemory)?.0;
        let block = Allocator::process().allocate(layout)?;
        // SAFETY: within the block: `before` is at least as long as a counter, and the value begins at its end.
        let counter = unsafe { block.byte_add(before.size() - size_of::<Self>()) }.cast::<Self>();
        let new = Self {
            link: Link::new(),
            count: AtomicUsize::new(1),
            domain: ManuallyDrop::new(domain.clone()),
            layout,
        };
        // SAFETY: fresh memory, aligned: the value is aligned at least as a counter is, whose size is a multiple of that.
        unsafe { counter.write(new) };
        Ok(counter)
    }

    /// The part of a block before a value of alignment `align`.
    fn before(align: usize) -> Layout {
        let counter = Layout::new::<Self>();
        let aligned = counter.align_to(align).expect("a value's alignment is one");
        aligned.pad_to_align()
    }

    /// Where the value is.
    pub(crate) fn value(counter: NonNull<Self>) -> NonNull<u8> {
        // SAFETY: the value begins at the counter's end, in the same block.
        unsafe { counter.add(1) }.cast()
    }

    /// The counter of a value.
    ///
    /// # Safety
    /// `value` is what [`Counter::value`] gave for a live block.
    pub(crate) unsafe fn of(value: NonNull<u8>) -> NonNull<Self> {
        // SAFETY: the caller's promise.
        unsafe { value.cast::<Self>().sub(1) }
    }

    /// The domain of the value and of the places that it can be put into.
    pub(crate) fn domain(&self) -> &Domain {
        &self.domain
    }

    /// How many references and places hold the value; an estimate while other threads are at work.
    pub(crate) fn count(&self) -> usize {
        // Relaxed: an estimate.
        self.count.load(Ordering::Relaxed)
    }

    /// One more reference, for who has one.
    pub(crate) fn retain(&self) {
        // Relaxed: the reference that the caller has keeps the value alive.
        if self.count.fetch_add(1, Ordering::Relaxed) > usize::MAX / 2 {
            // References that were forgotten until the count nearly came round.
            std::process::abort();
        }
    }

    /// A reference for who read the pointer from a place, under a pin of the place's domain. False if it is too late.
    fn try_retain(&self) -> bool {
        // (5) Acquire, if it is 0.
        let mut count = self.count.load(Ordering::Acquire);
        while count != 0 {
            if count > usize::MAX / 2 {
                // As in `retain`.
                std::process::abort();
            }
            // Relaxed on success: the pointer was acquired from its place. (5) Acquire on failure.
            match self.count.compare_exchange_weak(count, count + 1, Ordering::Relaxed, Ordering::Acquire) {
                Ok(_) => return true,
                Err(now) => count = now,
            }
        }
        false
    }

    /// Gives up a reference. True if it was the last one: then the caller ends the value, and after that calls
    /// [`Counter::bury`].
    ///
    /// # Safety
    /// The caller has a reference, and does not use it after this.
    pub(crate) unsafe fn release(counter: NonNull<Self>) -> bool {
        // SAFETY: alive, for the caller has a reference.
        let counter = unsafe { counter.as_ref() };
        // (3) Release.
        if counter.count.fetch_sub(1, Ordering::Release) != 1 {
            return false;
        }
        // (4) Acquire: 0 is final, so this reads what the subtraction left, which continues the release sequences of all of them.
        // A fence would do as well, but ThreadSanitizer does not see fences.
        let left = counter.count.load(Ordering::Acquire);
        debug_assert!(left == 0, "0 is final");
        true
    }

    /// Retires the memory of a block whose value has ended.
    ///
    /// # Safety
    /// [`Counter::release`] has answered true, and this is the only call for it.
    pub(crate) unsafe fn bury(mut counter: NonNull<Self>) {
        // SAFETY: invariant 2: the caller is alone with it, but for those who find a count of 0.
        let block = unsafe { counter.as_mut() };
        let bytes = block.layout.size();
        // SAFETY: not used after this: those who find a count of 0 do not look at it.
        let domain = unsafe { ManuallyDrop::take(&mut block.domain) };
        // SAFETY: invariant 3.
        unsafe { domain.retire_counted(counter.as_ptr().cast(), bytes) };
    }

    /// Frees a block that was retired.
    ///
    /// # Safety
    /// Retired by [`Counter::bury`], its grace period over, and this is the only call for it.
    pub(in crate::reclaim) unsafe fn free(block: *mut Link) {
        let counter = block.cast::<Self>();
        // SAFETY: still intact.
        let layout = unsafe { (*counter).layout };
        // The alignment of the block is that of the value, or of the counter if that is larger.
        let before = Self::before(layout.align()).size() - size_of::<Self>();
        // SAFETY: as in `new`.
        let memory = unsafe { counter.byte_sub(before) }.cast::<u8>();
        // SAFETY: never null.
        let memory = unsafe { NonNull::new_unchecked(memory) };
        // SAFETY: allocated in `new` with this layout; nobody can reach it any more.
        unsafe { Allocator::process().release(memory, layout) };
    }
}

/// A place that holds a pointer to a block, or null, and one reference with it.
///
/// It does not know how to end a value: its owner empties it by [`Place::exchange`] before it is dropped.
pub(crate) struct Place {
    held: AtomicPtr<Counter>,
    domain: Domain,
}

impl Place {
    /// `first` is null or a reference, which is the place's then; its block is of `domain`, like all others that are put
    /// into the place.
    pub(crate) fn new(domain: &Domain, first: *mut Counter) -> Self {
        Self { held: AtomicPtr::new(first), domain: domain.clone() }
    }

    pub(crate) fn domain(&self) -> &Domain {
        &self.domain
    }

    /// A reference to what the place holds.
    pub(crate) fn load(&self) -> Option<NonNull<Counter>> {
        let _pinned = self.domain.pin();
        loop {
            // (2)
            let held = self.held.load(Ordering::Acquire);
            let held = NonNull::new(held)?;
            // SAFETY: read under a pin, so its memory is not freed before the pin ends.
            if unsafe { held.as_ref() }.try_retain() {
                return Some(held);
            }
        }
    }

    /// Puts `next`, null or a reference, into the place; what was there is the caller's, and the reference with it.
    pub(crate) fn exchange(&self, next: *mut Counter) -> *mut Counter {
        // (1) Release; (2) Acquire.
        self.held.swap(next, Ordering::AcqRel)
    }

    /// The same, if the place holds `expected`, to which the caller has a reference (or it is null). Else nothing is
    /// changed, `next` is still the caller's, and the answer is a reference to what the place holds.
    pub(crate) fn compare_exchange(
        &self,
        expected: *mut Counter,
        next: *mut Counter,
    ) -> Result<(), Option<NonNull<Counter>>> {
        let _pinned = self.domain.pin();
        loop {
            // (1) Release; (2) Acquire, on failure too.
            let Err(held) = self.held.compare_exchange(expected, next, Ordering::AcqRel, Ordering::Acquire)
            else {
                return Ok(());
            };
            let Some(held) = NonNull::new(held) else { return Err(None) };
            // SAFETY: as in `load`.
            if unsafe { held.as_ref() }.try_retain() {
                return Err(Some(held));
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Relaxed: `&mut self`.
        debug_assert!(ptr::eq(self.held.load(Ordering::Relaxed), ptr::null()), "emptied before");
    }
}
