//! Handles: what C holds is a pointer to a [`Tagged`] block, whose first word says what it is.

use super::status::conex_status;
use crate::mem::{NoMemory, Tagged};

/// A type of the C layer that lives behind a handle.
pub(super) trait Handle: Sized {
    /// Eight letters that tell this kind from all others, and from most of what memory holds by chance.
    const TAG: [u8; 8];
}

/// Puts a value behind a new handle.
pub(super) fn make<T: Handle>(value: T) -> Result<*mut T, NoMemory> {
    Ok(Tagged::new(u64::from_ne_bytes(T::TAG), value)?.cast())
}

/// The value behind a handle.
///
/// # Safety
/// `handle` is null or points to readable memory, and nobody destroys it during `'a`.
#[inline(always)]
pub(super) unsafe fn get<'a, T: Handle>(handle: *const T) -> Result<&'a T, conex_status> {
    // SAFETY: the caller's promise.
    unsafe { Tagged::get(handle.cast(), u64::from_ne_bytes(T::TAG)) }.map_err(conex_status::from)
}

/// Takes the value out from behind its handle, which is dead then, if `ready` allows it.
///
/// # Safety
/// As [`get`]; and nobody else uses the handle.
pub(super) unsafe fn destroy<T: Handle>(
    handle: *mut T,
    ready: impl FnOnce(&T) -> Result<(), conex_status>,
) -> Result<T, conex_status> {
    // SAFETY: the caller's promise.
    unsafe { Tagged::destroy(handle.cast(), u64::from_ne_bytes(T::TAG), ready) }
}
