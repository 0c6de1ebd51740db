//! A list of what there is, for somebody who may have to go over all of it while nobody else is there.
//!
//! What comes takes an entry, what goes leaves it to the next one; entries are not freed before the roll is. Free ones
//! are in a list that is pushed to one by one and taken as a whole, of which all but the first are put back: so no entry
//! is looked at that another thread may have taken. A thread that is suspended in between has all free entries in its
//! hands, and the others make new ones.
//!
//! Ordering pairs:
//! (1) the Release exchange that puts entries on the free list → (2) the Acquire swap that takes them: their links.
//!
//! Progress: lock-free: an exchange fails only because another thread's succeeded.

use core::alloc::Layout;
use core::ptr;

use super::NoMemory;
use crate::sync::{AtomicPtr, Ordering};

/// One entry of a [`Roll`].
pub(crate) struct Entry<T> {
    value: AtomicPtr<T>,
    /// Of all entries. Written before the entry is published.
    next: *const Entry<T>,
    /// Of the free ones.
    free: AtomicPtr<Entry<T>>,
}

/// See the module's text.
pub(crate) struct Roll<T> {
    all: AtomicPtr<Entry<T>>,
    free: AtomicPtr<Entry<T>>,
}

// SAFETY: the roll holds addresses and does nothing with them.
unsafe impl<T> Send for Roll<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for Roll<T> {}

impl<T> Roll<T> {
    pub(crate) const fn new() -> Self {
        Self { all: AtomicPtr::new(ptr::null_mut()), free: AtomicPtr::new(ptr::null_mut()) }
    }

    /// Enters `value`, until [`Roll::strike`].
    pub(crate) fn enlist(&self, value: *const T) -> Result<*const Entry<T>, NoMemory> {
        // (2)
        let first = self.free.swap(ptr::null_mut(), Ordering::Acquire);
        // SAFETY: null, or an entry that the swap made ours.
        if let Some(entry) = unsafe { first.as_ref() } {
            // Relaxed: acquired with the list.
            self.put_back(entry.free.load(Ordering::Relaxed));
            // Relaxed: read by who is alone.
            entry.value.store(value.cast_mut(), Ordering::Relaxed);
            return Ok(first);
        }
        // SAFETY: the layout has a size.
        let new = unsafe { std::alloc::alloc(Layout::new::<Entry<T>>()) }.cast::<Entry<T>>();
        if new.is_null() {
            return Err(NoMemory);
        }
        // Relaxed: only linked to.
        let mut all = self.all.load(Ordering::Relaxed);
        loop {
            let entry = Entry {
                value: AtomicPtr::new(value.cast_mut()),
                next: all,
                free: AtomicPtr::new(ptr::null_mut()),
            };
            // SAFETY: fresh memory of the layout of an entry, not published yet.
            unsafe { new.write(entry) };
            // Release: publishes the entry. Relaxed on failure: as the load.
            match self.all.compare_exchange_weak(all, new, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return Ok(new),
                Err(now) => all = now,
            }
        }
    }

    /// Ends what `enlist` began.
    ///
    /// # Safety
    /// `entry` came from this roll's `enlist`, and each is struck once.
    pub(crate) unsafe fn strike(&self, entry: *const Entry<T>) {
        // SAFETY: entries live as long as the roll.
        let this = unsafe { &*entry };
        // Relaxed: as in `enlist`.
        this.value.store(ptr::null_mut(), Ordering::Relaxed);
        this.free.store(ptr::null_mut(), Ordering::Relaxed);
        self.put_back(entry.cast_mut());
    }

    /// Puts a list of free entries, which is the caller's, on the free list.
    fn put_back(&self, mut first: *mut Entry<T>) {
        if first.is_null() {
            return;
        }
        // (1) Relaxed on failure: nothing was learned.
        while self
            .free
            .compare_exchange(ptr::null_mut(), first, Ordering::Release, Ordering::Relaxed)
            .is_err()
        {
            // What came meanwhile goes on top: it is few, and the list may be long.
            // (2)
            let newer = self.free.swap(ptr::null_mut(), Ordering::Acquire);
            let mut at = newer;
            // SAFETY: null, or an entry that the swap made ours.
            while let Some(entry) = unsafe { at.as_ref() } {
                // Relaxed, both: acquired with the list, and published by (1).
                at = entry.free.load(Ordering::Relaxed);
                if at.is_null() {
                    entry.free.store(first, Ordering::Relaxed);
                    first = newer;
                }
            }
        }
    }

    /// Gives what is entered to `each`.
    ///
    /// # Safety
    /// There is no other thread, and what is entered is alive.
    pub(crate) unsafe fn each<'a>(&self, mut each: impl FnMut(&'a T))
    where
        T: 'a,
    {
        // Relaxed, here and below: nobody else is there.
        let mut at = self.all.load(Ordering::Relaxed).cast_const();
        // SAFETY: null, or an entry; they live as long as the roll.
        while let Some(entry) = unsafe { at.as_ref() } {
            at = entry.next;
            let value = entry.value.load(Ordering::Relaxed);
            // SAFETY: null, or alive by the caller's promise.
            if let Some(value) = unsafe { value.as_ref() } {
                each(value);
            }
        }
    }
}

impl<T> Drop for Roll<T> {
    fn drop(&mut self) {
        // Relaxed: `&mut self`.
        let mut at = self.all.load(Ordering::Relaxed);
        while !at.is_null() {
            // SAFETY: an entry, allocated with the layout of one in `enlist`, freed only here.
            let entry = unsafe { Box::from_raw(at) };
            at = entry.next.cast_mut();
        }
    }
}
