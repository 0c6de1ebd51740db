//! The line between C and Rust: no panic crosses it, and pointers from C are checked on it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::status::conex_status::{self, CONEX_ERR_INVALID, CONEX_ERR_NULL, CONEX_ERR_PANIC};

/// What the body of a C function returns; `?` leaves it with the status to answer.
pub(super) type Answer = Result<conex_status, conex_status>;

/// Runs the body of a C function.
#[inline(always)]
pub(super) fn answer(body: impl FnOnce() -> Answer) -> conex_status {
    // A panic leaves the containers valid (their operations publish by one exchange), so going on after it is sound.
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(status) | Err(status)) => status,
        Err(_) => CONEX_ERR_PANIC,
    }
}

/// `CONEX_ERR_NULL` for a null pointer.
#[inline(always)]
pub(super) fn not_null<T: ?Sized>(ptr: *const T) -> Result<(), conex_status> {
    if ptr.is_null() { Err(CONEX_ERR_NULL) } else { Ok(()) }
}

/// Writes to an out-parameter, if there is one.
///
/// # Safety
/// `out` is null or writable. It need not be aligned.
#[inline(always)]
pub(super) unsafe fn put<T>(out: *mut T, value: T) {
    if !out.is_null() {
        // SAFETY: the caller's promise.
        unsafe { out.write_unaligned(value) };
    }
}

/// The number of bytes of `n` elements of `size` bytes; `CONEX_ERR_INVALID` if no array can be that large.
pub(super) fn array_bytes(n: usize, size: usize) -> Result<usize, conex_status> {
    n.checked_mul(size).filter(|bytes| isize::try_from(*bytes).is_ok()).ok_or(CONEX_ERR_INVALID)
}
