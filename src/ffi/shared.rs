//! A value that is shared by counting its references, and a place that holds such a reference and may be read and written
//! by any thread at any time. What a load gives is a reference of its own: it may be kept for as long as one likes, without
//! a guard, and holds back nothing else.
//!
//! ```text
//!     conex_ref *first, *seen;
//!     conex_shared *current;
//!     conex_ref_new(NULL, &element, &config, &first);   // moves the config into a counted block
//!     conex_shared_new(NULL, first, &current);          // the place owns that reference now
//!     ...
//!     conex_shared_load(current, &seen);                // another thread's own reference
//!     use(conex_ref_value(seen));
//!     conex_ref_release(seen);                          // the last one ends the value, here and now
//! ```
//!
//! The value ends with its last reference, on the thread that gives it up. Its memory is freed a little later, by the
//! domain, which cannot be destroyed before the references and places that belong to it.
//!
//! There are no weak references, and none to a part of a value. A cycle of references is never freed.

use core::alloc::Layout;
use core::ffi::c_void;
use core::fmt;
use core::ptr::{self, NonNull};

use super::boundary::{answer, not_null, put};
use super::domain::{conex_domain, domain_or_default};
use super::element::{Element, conex_element};
use super::handle::{self, Handle};
use super::map_elements::from_callback;
use super::status::conex_status::{self, CONEX_ERR_INVALID, CONEX_ERR_NULL, CONEX_MISMATCH, CONEX_OK};
use crate::Domain;
use crate::mem::Mark;
use crate::reclaim::{Counter, Place};

/// A reference to a shared value; made by `conex_ref_new`, and by loads.
pub struct conex_ref {
    head: Head,
}

/// What stands between a value and its counter, and is what C holds a pointer to.
#[repr(C)]
struct Head {
    mark: Mark,
    element: Element,
    value: *mut u8,
}

impl fmt::Debug for conex_ref {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("conex_ref").finish_non_exhaustive()
    }
}

/// A place for a reference; made by `conex_shared_new`.
pub struct conex_shared {
    place: Place,
}

impl Handle for conex_shared {
    const TAG: [u8; 8] = *b"cx:share";
}

impl fmt::Debug for conex_shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("conex_shared").finish_non_exhaustive()
    }
}

impl Drop for conex_shared {
    fn drop(&mut self) {
        // SAFETY: the place's own reference.
        unsafe { conex_ref::release(self.place.exchange(ptr::null_mut())) };
    }
}

/// Makes `*to`, which is uninitialised. Returns 0, or a negative `conex_status` that the operation then returns, with
/// nothing changed. It must not unwind. It runs on the thread that called the operation, and may call every function of
/// the library.
pub type conex_ref_make_fn = Option<unsafe extern "C-unwind" fn(to: *mut c_void, ctx: *mut c_void) -> i32>;

impl conex_ref {
    const TAG: u64 = u64::from_ne_bytes(*b"cx:ref..");

    /// The counter of a live reference.
    ///
    /// # Safety
    /// `reference` is null or points to readable memory, and is not released during the caller's use of it.
    unsafe fn get(reference: *const Self) -> Result<NonNull<Counter>, conex_status> {
        // SAFETY: the caller's promise; the mark comes first.
        unsafe { Mark::check(reference.cast(), Self::TAG) }?;
        // SAFETY: live, so not null.
        let value = unsafe { NonNull::new_unchecked(reference.cast_mut()) };
        // SAFETY: live, so it is what `make` made.
        Ok(unsafe { Counter::of(value.cast()) })
    }

    /// The same, where NULL is allowed and stands for no reference.
    ///
    /// # Safety
    /// As [`conex_ref::get`].
    unsafe fn get_or_null(reference: *const Self) -> Result<*mut Counter, conex_status> {
        if reference.is_null() {
            return Ok(ptr::null_mut());
        }
        // SAFETY: the caller's promise.
        Ok(unsafe { Self::get(reference) }?.as_ptr())
    }

    /// A reference that can be put into `place`.
    ///
    /// # Safety
    /// As [`conex_ref::get`].
    unsafe fn get_for(reference: *const Self, place: &Place) -> Result<*mut Counter, conex_status> {
        // SAFETY: the caller's promise.
        let counter = unsafe { Self::get_or_null(reference) }?;
        // SAFETY: null or live.
        let fits = unsafe { counter.as_ref() }.is_none_or(|counter| counter.domain().is_same(place.domain()));
        if fits { Ok(counter) } else { Err(CONEX_ERR_INVALID) }
    }

    /// The handle of a counter; null for null.
    fn of(counter: *mut Counter) -> *mut Self {
        NonNull::new(counter).map_or(ptr::null_mut(), |counter| Counter::value(counter).as_ptr().cast())
    }

    /// A reference to a value that is still to be written.
    fn make(domain: &Domain, element: Element) -> Result<NonNull<Counter>, conex_status> {
        let (layout, offset) = Layout::new::<Head>().extend(element.layout).map_err(|_| CONEX_ERR_INVALID)?;
        let counter = Counter::new(domain, layout)?;
        let place = Counter::value(counter);
        // SAFETY: within the block.
        let value = unsafe { place.add(offset) }.as_ptr();
        // SAFETY: fresh memory, long and aligned enough.
        unsafe { place.cast().write(Head { mark: Mark::new(Self::TAG), element, value }) };
        Ok(counter)
    }

    /// Frees a block whose value was not written.
    ///
    /// # Safety
    /// From `make`, and not given out.
    unsafe fn unmake(counter: NonNull<Counter>) {
        // SAFETY: live, and the only reference.
        unsafe { Counter::value(counter).cast::<Head>().as_ref() }.mark.end();
        // SAFETY: as above.
        if unsafe { Counter::release(counter) } {
            // SAFETY: that was it.
            unsafe { Counter::bury(counter) };
        }
    }

    /// Gives up a reference, or null.
    ///
    /// # Safety
    /// It is the caller's, and not used after this.
    unsafe fn release(counter: *mut Counter) {
        let Some(counter) = NonNull::new(counter) else { return };
        // SAFETY: the caller's promise.
        if unsafe { Counter::release(counter) } {
            // SAFETY: the last one: the value is this thread's alone.
            let this = unsafe { Counter::value(counter).cast::<Head>().as_ref() };
            this.mark.end();
            // SAFETY: a live element.
            unsafe { this.element.drop(this.value) };
            // SAFETY: once, after the last release.
            unsafe { Counter::bury(counter) };
        }
    }
}

/// Moves a value into a new counted block.
///
/// @param domain   The domain of the places that it can be put into; NULL for the default one.
/// @param element  The layout of the value, and what ends it: `drop` is called on the thread that releases the last
///                 reference, inside that call. NULL: an 8-byte word. `clone` is not used.
/// @param value    The value, `element->size` bytes, which need not be aligned. It is the block's with `CONEX_OK`.
/// @param out      Receives the first reference with `CONEX_OK`. To be given up by `conex_ref_release`, or put into a place.
///
/// @retval CONEX_OK
/// @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE, CONEX_ERR_NO_MEMORY
/// @retval CONEX_ERR_INVALID  The element cannot be.
///
/// Progress: lock-free if the process allocator is; allocates one block: the value and some 100 bytes.
///
/// # Safety
/// Pointers that are not null are valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn conex_ref_new(
    domain: *mut conex_domain,
    element: *const conex_element,
    value: *const c_void,
    out: *mut *mut conex_ref,
) -> conex_status {
    answer(|| {
        // SAFETY: the caller's promise.
        let (domain, element) = unsafe { checked(domain, element) }?;
        not_null(value)?;
        not_null(out)?;
        let counter = conex_ref::make(&domain, element)?;
        let this = conex_ref::of(counter.as_ptr());
        // SAFETY: just made.
        let to = unsafe { (*this).head.value };
        // SAFETY: readable by the caller's promise; the block is new.
        unsafe { ptr::copy_nonoverlapping(value.cast::<u8>(), to, element.layout.size()) };
        // SAFETY: the caller's promise.
        unsafe { put(out, this) };
        Ok(CONEX_OK)
    })
}

/// Makes a value where it will be: for those that cannot be moved.
///
/// @param domain   The domain of the places that it can be put into; NULL for the default one.
/// @param element  As for `conex_ref_new`.
/// @param make     Called once, with the value's place, aligned as the element says, and `ctx`.
/// @param ctx      Passed to `make`.
/// @param out      Receives the first reference with `CONEX_OK`.
///
/// @retval CONEX_OK
/// @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE, CONEX_ERR_NO_MEMORY
/// @retval CONEX_ERR_INVALID  The element cannot be.
/// @return Or what `make` returned, if that is not 0.
///
/// Progress: lock-free if the process allocator and `make` are; allocates one block.
///
/// # Safety
/// Pointers that are not null are valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn conex_ref_make(
    domain: *mut conex_domain,
    element: *const conex_element,
    make: conex_ref_make_fn,
    ctx: *mut c_void,
    out: *mut *mut conex_ref,
) -> conex_status {
    answer(|| {
        // SAFETY: the caller's promise.
        let (domain, element) = unsafe { checked(domain, element) }?;
        let make = make.ok_or(CONEX_ERR_NULL)?;
        not_null(out)?;
        let counter = conex_ref::make(&domain, element)?;
        let this = conex_ref::of(counter.as_ptr());
        // SAFETY: just made.
        let to = unsafe { (*this).head.value };
        // SAFETY: the header's contract for `make`.
        let made = from_callback(unsafe { make(to.cast(), ctx) });
        if let Err(made) = made {
            // SAFETY: just made, and nobody has seen it.
            unsafe { conex_ref::unmake(counter) };
            return Err(made);
        }
        // SAFETY: the caller's promise.
        unsafe { put(out, this) };
        Ok(CONEX_OK)
    })
}

/// The value of a reference.
///
/// @param ref  The reference.
///
/// @return The value, aligned as its element says, valid as long as the reference; NULL if `ref` is NULL or no live
///         reference.
///
/// Progress: wait-free; does not allocate.
///
/// # Safety
/// `ref` is null or points to readable memory.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn conex_ref_value(r#ref: *const conex_ref) -> *mut c_void {
    let mut value = ptr::null_mut();
    answer(|| {
        // SAFETY: the caller's promise.
        unsafe { conex_ref::get(r#ref) }?;
        // SAFETY: live.
        value = unsafe { (*r#ref).head.value }.cast();
        Ok(CONEX_OK)
    });
    value
}

/// One more reference to a value, for which the same pointer stands: each is released on its own.
///
/// @param ref  The reference.
///
/// @retval CONEX_OK
/// @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
///
/// Progress: wait-free; does not allocate.
///
/// # Safety
/// `ref` is null or points to readable memory.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn conex_ref_retain(r#ref: *mut conex_ref) -> conex_status {
    answer(|| {
        // SAFETY: the caller's promise.
        let counter = unsafe { conex_ref::get(r#ref) }?;
        // SAFETY: live.
        unsafe { counter.as_ref() }.retain();
        Ok(CONEX_OK)
    })
}

/// Gives up a reference. With the last one the value ends: its `drop` is called, on this thread.
///
/// @param ref  The reference, which is not used after this; NULL is allowed and does nothing.
///
/// @retval CONEX_OK
/// @retval CONEX_ERR_HANDLE  Not a live reference (one whose value has just ended is recognised, in most cases).
///
/// Progress: wait-free, but for `drop` and, with the last reference, for the process allocator.
///
/// # Safety
/// `ref` is null or points to readable memory.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn conex_ref_release(r#ref: *mut conex_ref) -> conex_status {
    answer(|| {
        // SAFETY: the caller's promise.
        let counter = unsafe { conex_ref::get_or_null(r#ref) }?;
        // SAFETY: the caller's reference.
        unsafe { conex_ref::release(counter) };
        Ok(CONEX_OK)
    })
}

/// How many references to a value there are, those of places included. An estimate while other threads are at work.
///
/// @param ref    The reference.
/// @param count  Receives the number with `CONEX_OK`.
///
/// @retval CONEX_OK
/// @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
///
/// Progress: wait-free; does not allocate.
///
/// # Safety
/// Pointers that are not null are valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn conex_ref_count(r#ref: *const conex_ref, count: *mut usize) -> conex_status {
    answer(|| {
        // SAFETY: the caller's promise.
        let counter = unsafe { conex_ref::get(r#ref) }?;
        not_null(count)?;
        // SAFETY: live.
        let now = unsafe { counter.as_ref() }.count();
        // SAFETY: the caller's promise.
        unsafe { put(count, now) };
        Ok(CONEX_OK)
    })
}

/// Makes a place.
///
/// @param domain  The domain of the references that are put into it; NULL for the default one.
/// @param first   A reference that the place holds at first, and owns with `CONEX_OK`; NULL for none.
/// @param out     Receives the place with `CONEX_OK`. To be destroyed with `conex_shared_destroy`.
///
/// @retval CONEX_OK
/// @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE, CONEX_ERR_NO_MEMORY
/// @retval CONEX_ERR_INVALID  `first` is of another domain.
///
/// Progress: lock-free if the process allocator is; allocates.
///
/// # Safety
/// Pointers that are not null are valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn conex_shared_new(
    domain: *mut conex_domain,
    first: *mut conex_ref,
    out: *mut *mut conex_shared,
) -> conex_status {
    answer(|| {
        // SAFETY: the caller's promise.
        let domain = unsafe { domain_or_default(domain) }?;
        let place = Place::new(&domain, ptr::null_mut());
        // SAFETY: the caller's promise.
        let first = unsafe { conex_ref::get_for(first, &place) }?;
        not_null(out)?;
        let shared = handle::make(conex_shared { place })?;
        // SAFETY: just made.
        let place = &unsafe { handle::get(shared) }?.place;
        place.exchange(first);
        // SAFETY: the caller's promise.
        unsafe { put(out, shared) };
        Ok(CONEX_OK)
    })
}

/// Destroys a place, and releases what it holds.
///
/// @param shared  The place, which no other thread uses any more; NULL is allowed and does nothing.
///
/// @retval CONEX_OK
/// @retval CONEX_ERR_HANDLE  Not a live place (recently destroyed ones are recognised).
///
/// Progress: as `conex_ref_release`.
///
/// # Safety
/// `shared` is null or points to readable memory; nobody else uses it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn conex_shared_destroy(shared: *mut conex_shared) -> conex_status {
    answer(|| {
        if !shared.is_null() {
            // SAFETY: the caller's promise.
            drop(unsafe { handle::destroy(shared, |_| Ok(())) }?);
        }
        Ok(CONEX_OK)
    })
}

/// A reference to what the place holds.
///
/// @param shared  The place.
/// @param out     Receives the reference with `CONEX_OK`, NULL if the place holds none. To be released.
///
/// @retval CONEX_OK
/// @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
///
/// Progress: lock-free: repeats when the place has changed, or another thread counted at the same moment; does not
/// allocate. May call drop and retire functions of the domain on this thread.
///
/// # Safety
/// Pointers that are not null are valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn conex_shared_load(
    shared: *const conex_shared,
    out: *mut *mut conex_ref,
) -> conex_status {
    answer(|| {
        // SAFETY: the caller's promise.
        let place = &unsafe { handle::get(shared) }?.place;
        not_null(out)?;
        let held = place.load().map_or(ptr::null_mut(), NonNull::as_ptr);
        // SAFETY: the caller's promise.
        unsafe { put(out, conex_ref::of(held)) };
        Ok(CONEX_OK)
    })
}

/// Puts a reference into the place, and releases what was there.
///
/// @param shared  The place.
/// @param next    The reference, which is the place's with `CONEX_OK`; NULL for none.
///
/// @retval CONEX_OK
/// @retval CONEX_ERR_NULL     `shared` is NULL.
/// @retval CONEX_ERR_HANDLE
/// @retval CONEX_ERR_INVALID  `next` is of another domain than the place.
///
/// Progress: as `conex_ref_release`.
///
/// # Safety
/// Pointers that are not null are valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn conex_shared_store(
    shared: *const conex_shared,
    next: *mut conex_ref,
) -> conex_status {
    answer(|| {
        // SAFETY: the caller's promise.
        let place = &unsafe { handle::get(shared) }?.place;
        // SAFETY: the caller's promise.
        let next = unsafe { conex_ref::get_for(next, place) }?;
        // SAFETY: the place's reference, which is this thread's now.
        unsafe { conex_ref::release(place.exchange(next)) };
        Ok(CONEX_OK)
    })
}

/// Puts a reference into the place, and gives out what was there.
///
/// @param shared  The place.
/// @param next    The reference, which is the place's with `CONEX_OK`; NULL for none.
/// @param old     Receives what was there, or NULL, with `CONEX_OK`. To be released.
///
/// @retval CONEX_OK
/// @retval CONEX_ERR_NULL     `shared` or `old` is NULL.
/// @retval CONEX_ERR_HANDLE
/// @retval CONEX_ERR_INVALID  `next` is of another domain than the place.
///
/// Progress: wait-free; does not allocate.
///
/// # Safety
/// Pointers that are not null are valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn conex_shared_exchange(
    shared: *const conex_shared,
    next: *mut conex_ref,
    old: *mut *mut conex_ref,
) -> conex_status {
    answer(|| {
        // SAFETY: the caller's promise.
        let place = &unsafe { handle::get(shared) }?.place;
        // SAFETY: the caller's promise.
        let next = unsafe { conex_ref::get_for(next, place) }?;
        not_null(old)?;
        let held = place.exchange(next);
        // SAFETY: the caller's promise.
        unsafe { put(old, conex_ref::of(held)) };
        Ok(CONEX_OK)
    })
}

/// Puts a reference into the place if that holds `expected`: the same value, not an equal one.
///
/// @param shared    The place.
/// @param expected  A reference of the caller's, which stays the caller's; NULL for "none".
/// @param next      The reference to put in, which is the place's with `CONEX_OK`, and still the caller's else; NULL for
///                  none.
/// @param actual    Optional: receives a reference to what the place holds, or NULL, with `CONEX_MISMATCH`. To be released.
///
/// @retval CONEX_OK        The place's reference to `expected` was released.
/// @retval CONEX_MISMATCH  The place holds something else.
/// @retval CONEX_ERR_NULL     `shared` is NULL.
/// @retval CONEX_ERR_HANDLE
/// @retval CONEX_ERR_INVALID  `next` is of another domain than the place.
///
/// Progress: lock-free, as `conex_shared_load`; does not allocate.
///
/// # Safety
/// Pointers that are not null are valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn conex_shared_compare_exchange(
    shared: *const conex_shared,
    expected: *const conex_ref,
    next: *mut conex_ref,
    actual: *mut *mut conex_ref,
) -> conex_status {
    answer(|| {
        // SAFETY: the caller's promise.
        let place = &unsafe { handle::get(shared) }?.place;
        // SAFETY: the caller's promise.
        let expected = unsafe { conex_ref::get_or_null(expected) }?;
        // SAFETY: the caller's promise.
        let next = unsafe { conex_ref::get_for(next, place) }?;
        match place.compare_exchange(expected, next) {
            Ok(()) => {
                // SAFETY: the place's reference, which is this thread's now.
                unsafe { conex_ref::release(expected) };
                Ok(CONEX_OK)
            }
            Err(held) => {
                let held = held.map_or(ptr::null_mut(), NonNull::as_ptr);
                if actual.is_null() {
                    // SAFETY: given out to this thread.
                    unsafe { conex_ref::release(held) };
                } else {
                    // SAFETY: the caller's promise.
                    unsafe { put(actual, conex_ref::of(held)) };
                }
                Ok(CONEX_MISMATCH)
            }
        }
    })
}

/// # Safety
/// Pointers that are not null are valid.
unsafe fn checked(
    domain: *mut conex_domain,
    element: *const conex_element,
) -> Result<(Domain, Element), conex_status> {
    // SAFETY: the caller's promise.
    let domain = unsafe { domain_or_default(domain) }?;
    let element = if element.is_null() {
        conex_element::WORD
    } else {
        // SAFETY: the caller's promise.
        unsafe { element.read_unaligned() }
    };
    Ok((domain, Element::check(&element)?))
}
