//! A queue hands elements over in the order in which they came in, from any number of threads to any number of threads.
//! It grows as needed. All functions but destroy may be called by any number of threads at the same time; each takes
//! effect at one moment during its call, a batch with one moment for each of its elements. There is one order for all
//! of them: what one thread pushes comes out in its order, and an element that was in before another was pushed comes
//! out before it.
//!
//! An element that is pushed moves into the queue, one that is popped moves out: `drop` is never called for it, and no
//! destructor is ever delayed. No thread ever waits for another: one that is stopped inside a push hides its own element
//! only, and one that is stopped anywhere holds back at most a few segments of the queue's memory. Guards do not matter
//! to a queue.

use core::ffi::c_void;

use super::boundary::{answer, not_null, put};
use super::domain::conex_domain;
use super::element::{Element, conex_allocator, conex_element};
use super::handle::{self, Handle};
use super::options::{self, Extensible};
use super::status::conex_status::{
    self, CONEX_CLOSED, CONEX_EMPTY, CONEX_ERR_NO_MEMORY, CONEX_OK, CONEX_TIMEOUT,
};
use crate::mem::{Blob, Typed};
use crate::queue::{Nothing, RawQueue, Refused};

/// A queue; made by `conex_queue_new`.
pub struct conex_queue {
    pub(super) engine: Engine,
    pub(super) element: Element,
}

pub(super) enum Engine {
    Word(RawQueue<Typed<u64>>),
    Blob(RawQueue<Blob>),
}

/// Calls the engine, whichever it is.
macro_rules! engine {
    ($engine:expr, $raw:ident => $call:expr) => {
        match $engine {
            Engine::Word($raw) => $call,
            Engine::Blob($raw) => $call,
        }
    };
}

pub(super) use engine;

impl Handle for conex_queue {
    const TAG: [u8; 8] = *b"cx:queue";
}

impl core::fmt::Debug for conex_queue {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("conex_queue").finish_non_exhaustive()
    }
}

impl Drop for conex_queue {
    fn drop(&mut self) {
        let element = self.element;
        if element.drop.is_some() {
            // SAFETY: what is left in the queue are live elements, and they are ours now.
            engine!(&mut self.engine, raw => raw.drain(|e| unsafe { element.drop(e) }));
        }
    }
}

/// How a queue is made. Initialise it with `CONEX_QUEUE_OPTIONS_INIT`, then change what should differ.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct conex_queue_options {
    /// `sizeof(conex_queue_options)`, as the macro sets it.
    pub struct_size: usize,
    /// Must be 0.
    pub flags: u64,
    /// What the queue holds; 8-byte words by default.
    pub element: conex_element,
    /// The domain whose threads use the queue; NULL for the default one. It must outlive the queue.
    pub domain: *mut conex_domain,
    /// Where the queue's memory comes from.
    pub allocator: conex_allocator,
    /// Memory is allocated in segments of about this many elements. 0: chosen by the queue, which begins with about
    /// 1 KiB and goes up to 16. A hint: a very large number is not followed.
    pub segment: usize,
}

// SAFETY: `repr(C)`, the size first; numbers, pointers and optional function pointers have no invalid bytes in C.
unsafe impl Extensible for conex_queue_options {}

// Out of line, so that words do not pay for the registers that elements of any size need.

/// # Safety
/// As [`RawQueue::push`].
#[inline(never)]
unsafe fn push_blob(raw: &RawQueue<Blob>, element: *const u8) -> Result<(), Refused> {
    // SAFETY: the caller's promise.
    unsafe { raw.push(element) }
}

/// # Safety
/// As [`RawQueue::pop`].
#[inline(never)]
unsafe fn pop_blob(raw: &RawQueue<Blob>, element: *mut u8) -> Result<(), Nothing> {
    // SAFETY: the caller's promise.
    unsafe { raw.pop(element) }
}

/// Makes an empty queue.
///
/// @param options  How; NULL for a queue of 8-byte words in the default domain.
/// @param out      Receives the queue, with `CONEX_OK`. To be destroyed with `conex_queue_destroy`.
///
/// @retval CONEX_OK
/// @retval CONEX_ERR_NULL       `out` is NULL.
/// @retval CONEX_ERR_INVALID    An option is out of range: see `conex_queue_options` and `conex_element`.
/// @retval CONEX_ERR_HANDLE     `options->domain` is not a live domain.
/// @retval CONEX_ERR_NO_MEMORY
///
/// Progress: lock-free if the allocator is.
///
/// # Safety
/// Pointers that are not null are valid; `options` is readable for its `struct_size`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn conex_queue_new(
    options: *const conex_queue_options,
    out: *mut *mut conex_queue,
) -> conex_status {
    answer(|| {
        not_null(out)?;
        let default = conex_queue_options {
            struct_size: size_of::<conex_queue_options>(),
            flags: 0,
            element: conex_element::WORD,
            domain: core::ptr::null_mut(),
            allocator: conex_allocator::PROCESS,
            segment: 0,
        };
        // SAFETY: the caller's promise.
        let options = unsafe { options::read(options, default) }?;
        let element = Element::check(&options.element)?;
        // SAFETY: the caller's promise.
        let common = unsafe { options::common(options.flags, options.domain, &options.allocator) }?;
        let engine = if element.is_word() {
            Engine::Word(RawQueue::new(Typed::new(), &common, options.segment)?)
        } else {
            Engine::Blob(RawQueue::new(Blob::new(element.layout), &common, options.segment)?)
        };
        let queue = handle::make(conex_queue { engine, element })?;
        // SAFETY: the caller's promise.
        unsafe { put(out, queue) };
        Ok(CONEX_OK)
    })
}

/// Destroys a queue: ends the life of the elements it still holds with their `drop`, oldest first, on this thread, and
/// gives back all its memory before it returns.
///
/// @param queue  The queue, which no other thread uses any more; NULL is allowed and does nothing.
///
/// @retval CONEX_OK
/// @retval CONEX_ERR_HANDLE  Not a live queue (recently destroyed ones are recognised).
///
/// Progress: wait-free but for the calls of `drop` and of the allocator.
///
/// # Safety
/// `queue` is null or points to readable memory; nobody else uses it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn conex_queue_destroy(queue: *mut conex_queue) -> conex_status {
    answer(|| {
        if queue.is_null() {
            return Ok(CONEX_OK);
        }
        // SAFETY: the caller's promise.
        drop(unsafe { handle::destroy(queue, |_| Ok(())) }?);
        Ok(CONEX_OK)
    })
}

/// Moves an element to the end of the queue.
///
/// @param queue    The queue.
/// @param element  The element; with `CONEX_OK` it is the queue's.
///
/// @retval CONEX_OK
/// @retval CONEX_CLOSED         The queue is closed. The element is still the caller's.
/// @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
/// @retval CONEX_ERR_NO_MEMORY  The element is still the caller's.
///
/// Progress: lock-free if the allocator is; allocates a segment now and then.
///
/// # Safety
/// Pointers that are not null are valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn conex_queue_push(queue: *mut conex_queue, element: *const c_void) -> conex_status {
    answer(|| {
        // SAFETY: the caller's promise.
        let queue = unsafe { handle::get(queue) }?;
        not_null(element)?;
        let pushed = match &queue.engine {
            // SAFETY: readable for one element by the caller's promise.
            Engine::Word(raw) => unsafe { raw.push(element.cast()) },
            // SAFETY: as above.
            Engine::Blob(raw) => unsafe { push_blob(raw, element.cast()) },
        };
        Ok(match pushed {
            Ok(()) => CONEX_OK,
            Err(why) => refused(why),
        })
    })
}

/// Moves the oldest element out of the queue.
///
/// @param queue    The queue.
/// @param element  Receives the element with `CONEX_OK`; it is the caller's then.
///
/// @retval CONEX_OK
/// @retval CONEX_EMPTY
/// @retval CONEX_CLOSED  The queue is closed, and empty for ever.
/// @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
///
/// Progress: lock-free; does not allocate.
///
/// # Safety
/// Pointers that are not null are valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn conex_queue_pop(queue: *mut conex_queue, element: *mut c_void) -> conex_status {
    answer(|| {
        // SAFETY: the caller's promise.
        let queue = unsafe { handle::get(queue) }?;
        not_null(element)?;
        let popped = match &queue.engine {
            // SAFETY: writable for one element by the caller's promise.
            Engine::Word(raw) => unsafe { raw.pop(element.cast()) },
            // SAFETY: as above.
            Engine::Blob(raw) => unsafe { pop_blob(raw, element.cast()) },
        };
        Ok(popped.map_or_else(nothing, |()| CONEX_OK))
    })
}

/// Closes the queue, for good: pushes that begin afterwards get `CONEX_CLOSED`. Elements that are in can be popped;
/// after the last one, pops get `CONEX_CLOSED`, also those that are waiting. A push that is under way succeeds or gets
/// `CONEX_CLOSED`. To close a closed queue does nothing.
///
/// @param queue  The queue.
///
/// @retval CONEX_OK
/// @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
///
/// Progress: lock-free; does not allocate.
///
/// # Safety
/// Pointers that are not null are valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn conex_queue_close(queue: *mut conex_queue) -> conex_status {
    answer(|| {
        // SAFETY: the caller's promise.
        let queue = unsafe { handle::get(queue) }?;
        engine!(&queue.engine, raw => raw.close());
        Ok(CONEX_OK)
    })
}

/// Tells whether the queue was closed.
///
/// @param queue   The queue.
/// @param closed  Receives the answer with `CONEX_OK`.
///
/// @retval CONEX_OK
/// @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
///
/// Progress: lock-free; does not allocate.
///
/// # Safety
/// Pointers that are not null are valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn conex_queue_is_closed(queue: *const conex_queue, closed: *mut bool) -> conex_status {
    answer(|| {
        // SAFETY: the caller's promise.
        let queue = unsafe { handle::get(queue) }?;
        not_null(closed)?;
        // SAFETY: the caller's promise.
        unsafe { put(closed, engine!(&queue.engine, raw => raw.is_closed())) };
        Ok(CONEX_OK)
    })
}

/// Tells about how many elements the queue holds: exactly, when nobody is pushing or popping.
///
/// @param queue  The queue.
/// @param len    Receives the number with `CONEX_OK`.
///
/// @retval CONEX_OK
/// @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
///
/// Progress: lock-free; does not allocate.
///
/// # Safety
/// Pointers that are not null are valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn conex_queue_len(queue: *const conex_queue, len: *mut usize) -> conex_status {
    answer(|| {
        // SAFETY: the caller's promise.
        let queue = unsafe { handle::get(queue) }?;
        not_null(len)?;
        // SAFETY: the caller's promise.
        unsafe { put(len, engine!(&queue.engine, raw => raw.len())) };
        Ok(CONEX_OK)
    })
}

/// Tells whether the queue was empty at a moment during the call.
///
/// @param queue  The queue.
/// @param empty  Receives the answer with `CONEX_OK`.
///
/// @retval CONEX_OK
/// @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
///
/// Progress: lock-free; does not allocate.
///
/// # Safety
/// Pointers that are not null are valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn conex_queue_is_empty(queue: *const conex_queue, empty: *mut bool) -> conex_status {
    answer(|| {
        // SAFETY: the caller's promise.
        let queue = unsafe { handle::get(queue) }?;
        not_null(empty)?;
        // SAFETY: the caller's promise.
        unsafe { put(empty, engine!(&queue.engine, raw => raw.is_empty())) };
        Ok(CONEX_OK)
    })
}

pub(super) fn refused(why: Refused) -> conex_status {
    match why {
        Refused::NoMemory => CONEX_ERR_NO_MEMORY,
        Refused::Closed => CONEX_CLOSED,
    }
}

pub(super) fn nothing(why: Nothing) -> conex_status {
    match why {
        Nothing::Empty => CONEX_EMPTY,
        Nothing::Closed => CONEX_CLOSED,
        Nothing::TimedOut => CONEX_TIMEOUT,
    }
}
