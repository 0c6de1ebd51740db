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
use super::map_elements::from_callback;
use super::status::conex_status::{self, CONEX_ERR_INVALID, CONEX_ERR_NULL, CONEX_OK};
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
    pub(super) unsafe fn get_or_null(reference: *const Self) -> Result<*mut Counter, conex_status> {
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
    pub(super) unsafe fn get_for(
        reference: *const Self,
        place: &Place,
    ) -> Result<*mut Counter, conex_status> {
        // SAFETY: the caller's promise.
        let counter = unsafe { Self::get_or_null(reference) }?;
        // SAFETY: null or live.
        let fits = unsafe { counter.as_ref() }.is_none_or(|counter| counter.domain().is_same(place.domain()));
        if fits { Ok(counter) } else { Err(CONEX_ERR_INVALID) }
    }

    /// The handle of a counter; null for null.
    pub(super) fn of(counter: *mut Counter) -> *mut Self {
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
    pub(super) unsafe fn release(counter: *mut Counter) {
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
