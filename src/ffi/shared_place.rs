//! A place for a reference. Its functions may be called by any number of threads at the same time, but destroy; each takes
//! effect at one moment during its call.

use core::fmt;
use core::ptr::{self, NonNull};

use super::boundary::{answer, not_null, put};
use super::domain::{conex_domain, domain_or_default};
use super::handle::{self, Handle};
use super::shared::conex_ref;
use super::status::conex_status::{self, CONEX_MISMATCH, CONEX_OK};
use crate::reclaim::Place;

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
