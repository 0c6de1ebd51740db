//! A reference-counted box whose allocation can fail without ending the process.

use core::alloc::Layout;
use core::ops::Deref;
use core::ptr::NonNull;

use super::NoMemory;
use crate::sync::{AtomicUsize, Ordering, fence};

struct Inner<T> {
    refs: AtomicUsize,
    value: T,
}

/// Like [`std::sync::Arc`], but [`Counted::new`] answers [`NoMemory`] where `Arc::new` would end the process.
///
/// Ordering pairs:
/// (1) the Release decrement of a dropped reference synchronises with (2), the Acquire fence of the last one, so that
/// whatever was done through any reference happens before the value is dropped.
pub(crate) struct Counted<T> {
    inner: NonNull<Inner<T>>,
}

// SAFETY: a `Counted` shares a `T` between threads and lets any of them drop it, as `Arc` does.
unsafe impl<T: Send + Sync> Send for Counted<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for Counted<T> {}

impl<T> Counted<T> {
    /// The first reference to `value`.
    pub(crate) fn new(value: T) -> Result<Self, NoMemory> {
        // SAFETY: the layout has a size: it holds a counter.
        let raw = unsafe { std::alloc::alloc(Layout::new::<Inner<T>>()) };
        let inner = NonNull::new(raw.cast::<Inner<T>>()).ok_or(NoMemory)?;
        // SAFETY: fresh memory of the layout of `Inner<T>`.
        unsafe { inner.write(Inner { refs: AtomicUsize::new(1), value }) };
        Ok(Self { inner })
    }

    fn inner(&self) -> &Inner<T> {
        // SAFETY: `self` is a reference, so the count is at least one and the block is alive.
        unsafe { self.inner.as_ref() }
    }

    /// Whether this is the only reference. Exact if no other thread can be cloning or dropping one.
    pub(crate) fn is_unique(&self) -> bool {
        // Acquire: pairs with (1), so that what the dropped references did is visible to a caller that goes on to
        // destroy.
        self.inner().refs.load(Ordering::Acquire) == 1
    }

    /// A pointer to the value that may be used like one from [`Counted::into_raw`], as long as there is a reference.
    pub(crate) fn as_raw(this: &Self) -> *const T {
        // SAFETY: in bounds of the live block.
        unsafe { &raw const (*this.inner.as_ptr()).value }
    }

    /// Turns the reference into a pointer without giving it up.
    pub(crate) fn into_raw(this: Self) -> *const T {
        let value = Self::as_raw(&this);
        core::mem::forget(this);
        value
    }

    /// The reference that [`Counted::into_raw`] turned into a pointer.
    ///
    /// # Safety
    /// `value` came from `into_raw`, and each pointer is turned back at most once.
    pub(crate) unsafe fn from_raw(value: *const T) -> Self {
        let offset = core::mem::offset_of!(Inner<T>, value);
        // SAFETY: `into_raw` returned the address of the field in a live block.
        let inner = unsafe { value.byte_sub(offset) }.cast::<Inner<T>>().cast_mut();
        // SAFETY: an address inside a live block is not null.
        Self { inner: unsafe { NonNull::new_unchecked(inner) } }
    }
}

impl<T> Clone for Counted<T> {
    fn clone(&self) -> Self {
        // Relaxed: whoever clones holds a reference already, and hands the new one over by other means.
        let before = self.inner().refs.fetch_add(1, Ordering::Relaxed);
        if before > usize::MAX / 2 {
            // References that were forgotten, one by one, until the count nearly came round: as `Arc` does.
            std::process::abort();
        }
        Self { inner: self.inner }
    }
}

impl<T> Drop for Counted<T> {
    fn drop(&mut self) {
        // (1) Release: what this reference was used for happens before the drop by the last one.
        if self.inner().refs.fetch_sub(1, Ordering::Release) != 1 {
            return;
        }
        // (2) Acquire: pairs with (1) of every other reference.
        fence(Ordering::Acquire);
        // SAFETY: that was the last reference, so the block is ours alone.
        unsafe { core::ptr::drop_in_place(self.inner.as_ptr()) };
        // SAFETY: it was allocated in `new` with this layout.
        unsafe { std::alloc::dealloc(self.inner.as_ptr().cast(), Layout::new::<Inner<T>>()) };
    }
}

impl<T> Deref for Counted<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.inner().value
    }
}
