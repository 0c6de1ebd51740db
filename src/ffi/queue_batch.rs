//! Many elements in one call, and calls that wait for an element. Each element of a batch has a moment of its own; those
//! of one thread come out in the order in which they went in, whether single or in batches.

use core::ffi::c_void;
use core::time::Duration;

use super::boundary::{Answer, answer, array_bytes, not_null, put};
use super::handle;
use super::queue::{Engine, conex_queue, engine, nothing, refused};
use super::status::conex_status::{self, CONEX_OK};

/// Moves `n` elements to the end of the queue, in the order of the array. The order is kept in any case; elements that
/// other threads push meanwhile may come between them. It costs much less than `n` single pushes.
///
/// @param queue     The queue.
/// @param elements  An array of `n` elements; the first `*count` are the queue's afterwards. May be NULL if `n` is 0.
/// @param n         How many.
/// @param count     Optional. Receives `n` with `CONEX_OK`; with `CONEX_CLOSED` and `CONEX_ERR_NO_MEMORY`, how many are in
///                  the queue.
///
/// @retval CONEX_OK
/// @retval CONEX_CLOSED         The queue is closed. The elements from `*count` on are still the caller's.
/// @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
/// @retval CONEX_ERR_INVALID    No array can have `n` elements.
/// @retval CONEX_ERR_NO_MEMORY  The elements from `*count` on are still the caller's. (Who passes no `count` cannot tell
///                              which: pass one if elements need to be dropped.)
///
/// Progress: lock-free if the allocator is; allocates segments as needed.
///
/// # Safety
/// Pointers that are not null are valid, `elements` for `n` elements.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn conex_queue_push_n(
    queue: *mut conex_queue,
    elements: *const c_void,
    n: usize,
    count: *mut usize,
) -> conex_status {
    answer(|| {
        // SAFETY: the caller's promise.
        let queue = unsafe { handle::get(queue) }?;
        batch(queue, elements, n)?;
        // SAFETY: readable for `n` elements by the caller's promise.
        let pushed = engine!(&queue.engine, raw => unsafe { raw.push_n(elements.cast(), n) });
        let (done, status) = match pushed {
            Ok(()) => (n, CONEX_OK),
            Err((done, why)) => (done, refused(why)),
        };
        // SAFETY: the caller's promise.
        unsafe { put(count, done) };
        Ok(status)
    })
}

/// Moves up to `n` elements out of the queue, the oldest first, each at a moment of its own. It takes what is there and
/// does not wait for more; while other threads push and pop, it may take fewer than there are.
///
/// @param queue     The queue.
/// @param elements  Room for `n` elements; the first `*count` are written. May be NULL if `n` is 0.
/// @param n         How many at most.
/// @param count     Receives how many were popped.
///
/// @retval CONEX_OK      At least one was popped, or `n` is 0.
/// @retval CONEX_EMPTY   `*count` is 0.
/// @retval CONEX_CLOSED  The queue is closed, and empty for ever; `*count` is 0.
/// @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
/// @retval CONEX_ERR_INVALID  No array can have `n` elements.
///
/// Progress: lock-free; does not allocate.
///
/// # Safety
/// Pointers that are not null are valid, `elements` for `n` elements.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn conex_queue_pop_n(
    queue: *mut conex_queue,
    elements: *mut c_void,
    n: usize,
    count: *mut usize,
) -> conex_status {
    answer(|| {
        // SAFETY: the caller's promise.
        let queue = unsafe { handle::get(queue) }?;
        batch(queue, elements, n)?;
        not_null(count)?;
        // SAFETY: writable for `n` elements by the caller's promise.
        let popped = engine!(&queue.engine, raw => unsafe { raw.pop_n(elements.cast(), n) });
        // SAFETY: the caller's promise.
        unsafe { put(count, popped.unwrap_or(0)) };
        Ok(popped.map_or_else(nothing, |_| CONEX_OK))
    })
}

/// Moves the oldest element out of the queue, and waits for one if there is none.
///
/// @param queue       The queue.
/// @param element     Receives the element with `CONEX_OK`; it is the caller's then.
/// @param timeout_ns  How many nanoseconds to wait at most, on a clock that only moves forward; `UINT64_MAX` for ever.
///
/// @retval CONEX_OK
/// @retval CONEX_TIMEOUT  The time was up, and the queue empty.
/// @retval CONEX_CLOSED   The queue is closed, and empty for ever.
/// @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
///
/// Progress: may block. Who waits sleeps, without using the processor. Does not allocate.
///
/// # Safety
/// Pointers that are not null are valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn conex_queue_pop_wait(
    queue: *mut conex_queue,
    element: *mut c_void,
    timeout_ns: u64,
) -> conex_status {
    answer(|| {
        // SAFETY: the caller's promise.
        let queue = unsafe { handle::get(queue) }?;
        not_null(element)?;
        let timeout = Duration::from_nanos(timeout_ns);
        // SAFETY: writable for one element by the caller's promise.
        let popped = engine!(&queue.engine, raw => unsafe { raw.pop_wait(element.cast(), timeout) });
        Ok(popped.map_or_else(nothing, |()| CONEX_OK))
    })
}

/// Moves up to `n` elements out of the queue as `conex_queue_pop_n` does, and waits for the first one if there is none;
/// it does not wait for the others.
///
/// @param queue       The queue.
/// @param elements    Room for `n` elements; the first `*count` are written. May be NULL if `n` is 0.
/// @param n           How many at most.
/// @param count       Receives how many were popped.
/// @param timeout_ns  How many nanoseconds to wait at most, on a clock that only moves forward; `UINT64_MAX` for ever.
///
/// @retval CONEX_OK       At least one was popped, or `n` is 0.
/// @retval CONEX_TIMEOUT  The time was up, and the queue empty; `*count` is 0.
/// @retval CONEX_CLOSED   The queue is closed, and empty for ever; `*count` is 0.
/// @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
/// @retval CONEX_ERR_INVALID  No array can have `n` elements.
///
/// Progress: may block. Who waits sleeps, without using the processor. Does not allocate.
///
/// # Safety
/// Pointers that are not null are valid, `elements` for `n` elements.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn conex_queue_pop_n_wait(
    queue: *mut conex_queue,
    elements: *mut c_void,
    n: usize,
    count: *mut usize,
    timeout_ns: u64,
) -> conex_status {
    answer(|| {
        // SAFETY: the caller's promise.
        let queue = unsafe { handle::get(queue) }?;
        batch(queue, elements, n)?;
        not_null(count)?;
        let timeout = Duration::from_nanos(timeout_ns);
        // SAFETY: writable for `n` elements by the caller's promise.
        let popped = engine!(&queue.engine, raw => unsafe { raw.pop_n_wait(elements.cast(), n, timeout) });
        // SAFETY: the caller's promise.
        unsafe { put(count, popped.unwrap_or(0)) };
        Ok(popped.map_or_else(nothing, |_| CONEX_OK))
    })
}

/// Checks the array of a batch.
fn batch(queue: &conex_queue, elements: *const c_void, n: usize) -> Answer {
    array_bytes(n, queue.element.layout.size())?;
    if n > 0 {
        not_null(elements)?;
    }
    Ok(CONEX_OK)
}
