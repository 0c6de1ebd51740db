//! The safe types.

use core::alloc::Layout;
use core::fmt;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ops::Deref;
use core::ptr::{self, NonNull};

use super::counter::{Counter, Place};
use crate::mem::NoMemory;
use crate::reclaim::domain::Domain;

/// A counted reference to a value, like [`std::sync::Arc`], that can be put into an [`AtomicRef`].
///
/// The value ends with its last reference, at once and on the thread that gives it up. Its memory is freed a little later,
/// by the domain; the domain lives as long as its references.
pub struct Ref<T> {
    counter: NonNull<Counter>,
    value: PhantomData<T>,
}

// SAFETY: shares a `T` between threads and lets any of them drop it, as `Arc` does; a `Domain` is Send and Sync.
unsafe impl<T: Send + Sync> Send for Ref<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for Ref<T> {}

impl<T> Ref<T> {
    /// The first reference to `value`, in the given domain.
    ///
    /// Progress: lock-free if the process allocator is; allocates one block.
    ///
    /// # Errors
    /// [`NoMemory`]; `value` was dropped.
    pub fn new_in(domain: &Domain, value: T) -> Result<Self, NoMemory> {
        let counter = Counter::new(domain, Layout::new::<T>())?;
        // SAFETY: fresh memory of the layout of `T`.
        unsafe { Counter::value(counter).cast::<T>().write(value) };
        Ok(Self { counter, value: PhantomData })
    }

    /// The first reference to `value`, in the default domain.
    ///
    /// # Panics
    /// If there is no memory.
    #[cfg(not(loom))]
    #[must_use]
    pub fn new(value: T) -> Self {
        Self::new_in(&Domain::default(), value).expect("no memory for a value")
    }

    /// Whether the two are references to one value.
    #[must_use]
    pub fn ptr_eq(one: &Self, other: &Self) -> bool {
        one.counter == other.counter
    }

    /// How many references there are, an [`AtomicRef`] that holds one included. An estimate while others are at work.
    #[must_use]
    pub fn count(this: &Self) -> usize {
        this.counter().count()
    }

    fn counter(&self) -> &Counter {
        // SAFETY: alive as long as this reference.
        unsafe { self.counter.as_ref() }
    }

    /// The reference as a pointer.
    fn into_raw(this: Option<Self>) -> *mut Counter {
        this.map_or(ptr::null_mut(), |this| ManuallyDrop::new(this).counter.as_ptr())
    }

    /// # Safety
    /// `counter` is null, or a reference from [`Ref::into_raw`] of this type, turned back once.
    unsafe fn from_raw(counter: *mut Counter) -> Option<Self> {
        NonNull::new(counter).map(|counter| Self { counter, value: PhantomData })
    }
}

impl<T> Deref for Ref<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: a live value: this is a reference to it.
        unsafe { Counter::value(self.counter).cast::<T>().as_ref() }
    }
}

impl<T> Clone for Ref<T> {
    fn clone(&self) -> Self {
        self.counter().retain();
        Self { counter: self.counter, value: PhantomData }
    }
}

impl<T> Drop for Ref<T> {
    fn drop(&mut self) {
        /// Also when the value's destructor panics.
        struct Bury(NonNull<Counter>);
        impl Drop for Bury {
            fn drop(&mut self) {
                // SAFETY: see below.
                unsafe { Counter::bury(self.0) };
            }
        }
        // SAFETY: this is the reference, not used after this.
        if unsafe { Counter::release(self.counter) } {
            let _bury = Bury(self.counter);
            // SAFETY: that was the last one, so the value is this thread's alone.
            unsafe { Counter::value(self.counter).cast::<T>().drop_in_place() };
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Ref<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// A place that holds a [`Ref`], or none, and that any thread may read and write at any time.
///
/// What [`AtomicRef::load`] gives is a reference of its own: it may be kept for ever, and holds back nothing else.
///
/// ```
/// use conex::{AtomicRef, Ref};
///
/// let current = AtomicRef::new(Some(Ref::new("first")));
/// let seen = current.load().unwrap();
/// current.store(Some(Ref::new("second")));
/// assert_eq!(*seen, "first");
/// ```
pub struct AtomicRef<T> {
    place: Place,
    value: PhantomData<Ref<T>>,
}

// SAFETY: hands `Ref<T>` from thread to thread.
unsafe impl<T: Send + Sync> Send for AtomicRef<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for AtomicRef<T> {}

impl<T> AtomicRef<T> {
    /// A place for references of `domain`, which holds `first`.
    ///
    /// # Panics
    /// If `first` is of another domain; so do all functions that take a reference.
    #[must_use]
    pub fn new_in(domain: &Domain, first: Option<Ref<T>>) -> Self {
        let new = Self { place: Place::new(domain, ptr::null_mut()), value: PhantomData };
        new.store(first);
        new
    }

    /// A place for references of the default domain, which holds `first`.
    ///
    /// # Panics
    /// If `first` is of another domain.
    #[cfg(not(loom))]
    #[must_use]
    pub fn new(first: Option<Ref<T>>) -> Self {
        Self::new_in(&Domain::default(), first)
    }

    /// A reference to what the place holds.
    ///
    /// Progress: lock-free; does not allocate, but on the thread's first use of the domain.
    #[must_use]
    pub fn load(&self) -> Option<Ref<T>> {
        let counter = self.place.load()?;
        Some(Ref { counter, value: PhantomData })
    }

    /// Puts `next` into the place. What was there is given up, which ends it if that was its last reference.
    ///
    /// Progress: wait-free but for the end of the value.
    pub fn store(&self, next: Option<Ref<T>>) {
        drop(self.exchange(next));
    }

    /// Puts `next` into the place, and answers what was there.
    ///
    /// Progress: wait-free.
    pub fn exchange(&self, next: Option<Ref<T>>) -> Option<Ref<T>> {
        self.check(next.as_ref());
        let old = self.place.exchange(Ref::into_raw(next));
        // SAFETY: only such references are put in.
        unsafe { Ref::from_raw(old) }
    }

    /// Puts `next` into the place if that holds `expected`, the same reference and not an equal value.
    ///
    /// Progress: lock-free.
    ///
    /// # Errors
    /// What the place holds instead, and `next`.
    #[expect(clippy::type_complexity, reason = "two references, one held and one handed back")]
    pub fn compare_exchange(
        &self,
        expected: Option<&Ref<T>>,
        next: Option<Ref<T>>,
    ) -> Result<(), (Option<Ref<T>>, Option<Ref<T>>)> {
        self.check(next.as_ref());
        let expected = expected.map_or(ptr::null_mut(), |expected| expected.counter.as_ptr());
        let next = Ref::into_raw(next);
        match self.place.compare_exchange(expected, next) {
            Ok(()) => {
                // The place's reference, which is this thread's now.
                // SAFETY: only references of this type are put in.
                drop(unsafe { Ref::<T>::from_raw(expected) });
                Ok(())
            }
            Err(held) => {
                let held = held.map(|counter| Ref { counter, value: PhantomData });
                // SAFETY: turned into a pointer above, and not taken.
                Err((held, unsafe { Ref::from_raw(next) }))
            }
        }
    }

    fn check(&self, next: Option<&Ref<T>>) {
        let fits = next.is_none_or(|next| next.counter().domain().is_same(self.place.domain()));
        assert!(fits, "the reference is of another domain than the place");
    }
}

impl<T> Drop for AtomicRef<T> {
    fn drop(&mut self) {
        self.store(None);
    }
}

impl<T> fmt::Debug for AtomicRef<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AtomicRef").finish_non_exhaustive()
    }
}
