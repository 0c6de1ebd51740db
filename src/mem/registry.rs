//! A list of records that only grows, and whose records are taken, given back and taken again.
//!
//! It is the registry of hazard pointers and thread records (Michael 2004): a newcomer first looks for a free record,
//! and adds one to the front only when there is none. No record is unlinked before the registry is dropped, so walking
//! it needs no protection, and its length is the largest number of records that were ever taken at once.
//!
//! Ordering pairs:
//! (1) the Release store of `taken = false` synchronises with (2), the Acquire exchange of the next taker, which then
//! sees the record as its last owner left it. (3) the Release exchange of `head` publishes a new record to (4), the
//! Acquire loads of those who walk.
//!
//! Progress: taking a record is lock-free (an exchange at (3) fails only because another record was added), giving it
//! back is wait-free.

use core::alloc::Layout;
use core::ptr;

use super::NoMemory;
use crate::sync::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};

/// One record of a [`Registry`].
pub(crate) struct Record<T> {
    /// What the record is for. Written through interior mutability by its owner, read by everybody.
    pub(crate) value: T,
    /// A small number, reused with the record.
    index: AtomicUsize,
    taken: AtomicBool,
    next: *const Record<T>,
}

impl<T> Record<T> {
    /// A small number that no other record has, reused with the record.
    #[inline(always)]
    pub(crate) fn index(&self) -> usize {
        // Relaxed: it changes only while nobody else is there.
        self.index.load(Ordering::Relaxed)
    }

    /// Whether somebody has the record.
    #[cfg(all(unix, not(any(miri, loom))))]
    pub(crate) fn is_taken(&self) -> bool {
        // Relaxed: for who is alone.
        self.taken.load(Ordering::Relaxed)
    }

    /// Gives the record back. Its owner must not use it any more.
    pub(crate) fn give_back(&self) {
        // (1)
        self.taken.store(false, Ordering::Release);
    }
}

/// See the module's text.
pub(crate) struct Registry<T> {
    head: AtomicPtr<Record<T>>,
    /// How many numbers were given out.
    numbers: AtomicUsize,
}

// SAFETY: the registry owns its records and shares them between threads; `T: Sync` makes that sound, `T: Send` lets any
// thread drop them.
unsafe impl<T: Send + Sync> Send for Registry<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for Registry<T> {}

impl<T> Registry<T> {
    pub(crate) fn new() -> Self {
        Self { head: AtomicPtr::new(ptr::null_mut()), numbers: AtomicUsize::new(0) }
    }

    /// A record that is now the caller's: a free one, or a new one around `fresh()`.
    pub(crate) fn take(&self, fresh: impl FnOnce() -> T) -> &Record<T> {
        let lack = |_| std::alloc::handle_alloc_error(Layout::new::<Record<T>>());
        self.try_take(fresh).unwrap_or_else(lack)
    }

    /// The largest number of records that were ever taken at once; those that are being added may be missing.
    pub(crate) fn len(&self) -> usize {
        // Relaxed: only a count.
        self.numbers.load(Ordering::Relaxed)
    }

    /// Gives a record a number that none has had yet.
    ///
    /// # Safety
    /// There is no other thread.
    #[cfg(all(unix, not(any(miri, loom))))]
    pub(crate) unsafe fn renumber(&self, record: &Record<T>) {
        // Relaxed, both: nobody else is there.
        record.index.store(self.numbers.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
    }

    /// As [`Registry::take`], if there is memory for a new record.
    pub(crate) fn try_take(&self, fresh: impl FnOnce() -> T) -> Result<&Record<T>, NoMemory> {
        for record in self.iter() {
            // Relaxed: a hint; the exchange decides.
            let free = !record.taken.load(Ordering::Relaxed);
            // (2) Acquire on success; Relaxed on failure, for nothing was learned.
            if free
                && record.taken.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_ok()
            {
                return Ok(record);
            }
        }
        // SAFETY: the layout has a size: it holds a flag.
        let new = unsafe { std::alloc::alloc(Layout::new::<Record<T>>()) }.cast::<Record<T>>();
        if new.is_null() {
            return Err(NoMemory);
        }
        // Relaxed: any number that nobody else gets.
        let index = AtomicUsize::new(self.numbers.fetch_add(1, Ordering::Relaxed));
        let record = Record { value: fresh(), index, taken: AtomicBool::new(true), next: ptr::null() };
        // SAFETY: fresh memory of the layout of a record.
        unsafe { new.write(record) };
        // Relaxed: only linked to.
        let mut head = self.head.load(Ordering::Relaxed);
        loop {
            // SAFETY: `new` is not published yet.
            unsafe { (*new).next = head };
            // (3) Release publishes the record's fields. Relaxed on failure: as the load.
            match self.head.compare_exchange_weak(head, new, Ordering::Release, Ordering::Relaxed) {
                // SAFETY: published; lives as long as the registry.
                Ok(_) => return Ok(unsafe { &*new }),
                Err(now) => head = now,
            }
        }
    }

    /// All records, free ones too, newest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Record<T>> {
        // (4) Acquire pairs with (3); later records were published by earlier exchanges that happened before it.
        let mut at = self.head.load(Ordering::Acquire).cast_const();
        core::iter::from_fn(move || {
            // SAFETY: null, or a published record; records live as long as the registry, and so does the iterator.
            let record = unsafe { at.as_ref() }?;
            at = record.next;
            Some(record)
        })
    }
}

impl<T> Drop for Registry<T> {
    fn drop(&mut self) {
        // Relaxed: `&mut self` says that all other threads are done, and whoever arranged that synchronised with them.
        let mut at = self.head.load(Ordering::Relaxed);
        while !at.is_null() {
            // SAFETY: records come from `Box::into_raw` in `take` and are freed only here.
            let record = unsafe { Box::from_raw(at) };
            at = record.next.cast_mut();
        }
    }
}

#[cfg(all(test, loom))]
mod tests {
    use std::sync::Arc;

    use loom::cell::UnsafeCell;
    use loom::thread;

    use super::*;

    /// What only the owner of the record uses. Loom ends a model in which two threads do without an order between them.
    struct Uses(UnsafeCell<u32>);

    // SAFETY: that is what the model is for.
    unsafe impl Send for Uses {}
    // SAFETY: as above.
    unsafe impl Sync for Uses {}

    fn take_and_give_back(registry: &Registry<Uses>) {
        let record = registry.take(|| Uses(UnsafeCell::new(0)));
        // SAFETY: the record is ours; loom sees to it that this is so.
        record.value.0.with_mut(|uses| unsafe { *uses += 1 });
        record.give_back();
    }

    /// Two threads at one free record: one gets it, the other one waits for nobody, and who gets it next sees what was done
    /// with it.
    #[test]
    fn a_record_has_one_owner_at_a_time() {
        loom::model(|| {
            let registry = Arc::new(Registry::new());
            take_and_give_back(&registry);
            let other = {
                let registry = registry.clone();
                thread::spawn(move || take_and_give_back(&registry))
            };
            take_and_give_back(&registry);
            other.join().unwrap();
            assert!(registry.len() <= 2);
            // SAFETY: nobody else is there.
            let uses = registry.iter().map(|record| record.value.0.with(|uses| unsafe { *uses }));
            assert_eq!(uses.sum::<u32>(), 3);
        });
    }
}
