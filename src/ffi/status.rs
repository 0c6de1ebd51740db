//! Every function that can fail or have more than one outcome returns a `conex_status`: 0 is success, a positive
//! status an ordinary outcome (the queue was empty, the key was there already), a negative one an error. After an error
//! nothing has changed: the container is as it was, and an element that was to be moved in is still the caller's.
//!
//! One rule for out-parameters: a function writes an out-parameter exactly when its text says that the status it
//! returns yields a value there; otherwise the variable is left as it was. Counts (`count`, `removed`) are written with
//! every status that is not negative. A parameter called optional may be NULL.

use core::ffi::{CStr, c_char};

use crate::mem::{BadHandle, NoMemory};

/// What a function answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum conex_status {
    /// Done.
    CONEX_OK = 0,
    /// The container was empty at a moment during the call.
    CONEX_EMPTY = 1,
    /// The container was full.
    CONEX_FULL = 2,
    /// The queue was closed.
    CONEX_CLOSED = 3,
    /// Something is still in use.
    CONEX_BUSY = 4,
    /// The time was up.
    CONEX_TIMEOUT = 5,
    /// The map has no such key.
    CONEX_NOT_FOUND = 6,
    /// The map has the key already.
    CONEX_EXISTS = 7,
    /// The value is not the expected one.
    CONEX_MISMATCH = 8,
    /// A pointer that must not be NULL is NULL.
    CONEX_ERR_NULL = -1,
    /// An argument is out of range, or does not fit the container.
    CONEX_ERR_INVALID = -2,
    /// There was no memory.
    CONEX_ERR_NO_MEMORY = -3,
    /// A handle is not a live one of the kind that the function takes.
    CONEX_ERR_HANDLE = -4,
    /// The operation could never end, because the calling thread itself is in its way.
    CONEX_ERR_STALLED = -5,
    /// An error inside the library: please report it.
    CONEX_ERR_PANIC = -6,
}

use conex_status::*;

/// What `status` means, and for an error what is allowed, as a static text. Never NULL; a number that is no status has
/// a text too.
///
/// Progress: wait-free.
#[unsafe(no_mangle)]
pub extern "C" fn conex_status_string(status: i32) -> *const c_char {
    text(status).as_ptr()
}

fn text(status: i32) -> &'static CStr {
    const TEXTS: [(conex_status, &CStr); 15] = [
        (CONEX_OK, c"ok"),
        (CONEX_EMPTY, c"empty: there was no element at a moment during the call"),
        (CONEX_FULL, c"full: there was no room for an element"),
        (CONEX_CLOSED, c"closed: the queue takes no more elements"),
        (CONEX_BUSY, c"busy: still in use; destroy or leave what uses it first"),
        (CONEX_TIMEOUT, c"timeout: the time was up before the work was done"),
        (CONEX_NOT_FOUND, c"not found: the map has no entry with this key"),
        (CONEX_EXISTS, c"exists: the map has an entry with this key"),
        (CONEX_MISMATCH, c"mismatch: the present value is not the expected one"),
        (CONEX_ERR_NULL, c"null: a pointer is NULL that must not be; only parameters called optional may be NULL"),
        (
            CONEX_ERR_INVALID,
            c"invalid: a size, alignment, length, flag, option or callback is outside what the function's text allows",
        ),
        (CONEX_ERR_NO_MEMORY, c"no memory: the allocator had none; nothing was changed"),
        (
            CONEX_ERR_HANDLE,
            c"handle: not a live handle of the kind this function takes; it is of another kind, destroyed, or no handle",
        ),
        (
            CONEX_ERR_STALLED,
            c"stalled: the calling thread holds a guard that this operation would wait for; leave it first",
        ),
        (CONEX_ERR_PANIC, c"panic: an error inside the library; please report it"),
    ];
    let known = TEXTS.iter().find(|(known, _)| *known as i32 == status);
    known.map_or(c"unknown: this number is not a conex_status", |(_, text)| text)
}

impl From<NoMemory> for conex_status {
    fn from(_: NoMemory) -> Self {
        CONEX_ERR_NO_MEMORY
    }
}

impl From<BadHandle> for conex_status {
    fn from(bad: BadHandle) -> Self {
        match bad {
            BadHandle::Null => CONEX_ERR_NULL,
            BadHandle::Foreign => CONEX_ERR_HANDLE,
        }
    }
}
