//! A stack gives back last what came in first, to any number of threads. It grows as needed. All functions but destroy
//! may be called by any number of threads at the same time; each takes effect at one moment during its call.
//!
//! An element that is pushed moves into the stack, one that is popped moves out: `drop` is never called for it, and no
//! destructor is ever delayed. A batch is one atomic step.

use core::ffi::c_void;

use super::boundary::{Answer, answer, array_bytes, not_null, put};
use super::domain::conex_domain;
use super::element::{Element, conex_allocator, conex_element};
use super::handle::{self, Handle};
use super::options::{self, Extensible};
use super::status::conex_status::{self, CONEX_EMPTY, CONEX_OK};
use crate::mem::{Blob, Typed};
use crate::stack::RawStack;

/// A stack; made by `conex_stack_new`.
pub struct conex_stack {
    engine: Engine,
    element: Element,
}

enum Engine {
    Word(RawStack<Typed<u64>>),
    Blob(RawStack<Blob>),
}

/// Calls the engine, whichever it is.
macro_rules! engine {
    ($stack:expr, $raw:ident => $call:expr) => {
        match &$stack.engine {
            Engine::Word($raw) => $call,
            Engine::Blob($raw) => $call,
        }
    };
}

impl Handle for conex_stack {
    const TAG: [u8; 8] = *b"cx:stack";
}

impl core::fmt::Debug for conex_stack {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("conex_stack").finish_non_exhaustive()
    }
}

impl Drop for conex_stack {
    fn drop(&mut self) {
        if self.element.drop.is_some() {
            // SAFETY: what is left in the stack are live elements, and they are ours now.
            engine!(self, raw => raw.pop_all(|e| unsafe { self.element.drop(e) }, |_| ()));
        }
    }
}

/// How a stack is made. Initialise it with `CONEX_STACK_OPTIONS_INIT`, then change what should differ.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct conex_stack_options {
    /// `sizeof(conex_stack_options)`, as the macro sets it.
    pub struct_size: usize,
    /// Must be 0.
    pub flags: u64,
    /// What the stack holds; 8-byte words by default.
    pub element: conex_element,
    /// The domain that reclaims the stack's memory; NULL for the default one. It must outlive the stack.
    pub domain: *mut conex_domain,
    /// Where the stack's memory comes from.
    pub allocator: conex_allocator,
}

// SAFETY: `repr(C)`, the size first; numbers, pointers and optional function pointers have no invalid bytes in C.
unsafe impl Extensible for conex_stack_options {}

/// Called with an element that is the callback's own from then on: it moves it out, or ends its life.
pub type conex_take_fn = Option<unsafe extern "C-unwind" fn(element: *mut c_void, ctx: *mut c_void)>;

/// Makes an empty stack.
///
/// @param options  How; NULL for a stack of 8-byte words in the default domain.
/// @param out      Receives the stack, with `CONEX_OK`. To be destroyed with `conex_stack_destroy`.
///
/// @retval CONEX_OK
/// @retval CONEX_ERR_NULL       `out` is NULL.
/// @retval CONEX_ERR_INVALID    An option is out of range: see `conex_stack_options` and `conex_element`.
/// @retval CONEX_ERR_HANDLE     `options->domain` is not a live domain.
/// @retval CONEX_ERR_NO_MEMORY
///
/// Progress: lock-free if the allocator is.
///
/// # Safety
/// Pointers that are not null are valid; `options` is readable for its `struct_size`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn conex_stack_new(
    options: *const conex_stack_options,
    out: *mut *mut conex_stack,
) -> conex_status {
    answer(|| {
        not_null(out)?;
        let default = conex_stack_options {
            struct_size: size_of::<conex_stack_options>(),
            flags: 0,
            element: conex_element::WORD,
            domain: core::ptr::null_mut(),
            allocator: conex_allocator::PROCESS,
        };
        // SAFETY: the caller's promise.
        let options = unsafe { options::read(options, default) }?;
        let element = Element::check(&options.element)?;
        // SAFETY: the caller's promise.
        let common = unsafe { options::common(options.flags, options.domain, &options.allocator) }?;
        let engine = if element.is_word() {
            Engine::Word(RawStack::new(Typed::new(), &common)?)
        } else {
            Engine::Blob(RawStack::new(Blob::new(element.layout), &common)?)
        };
        let stack = handle::make(conex_stack { engine, element })?;
        // SAFETY: the caller's promise.
        unsafe { put(out, stack) };
        Ok(CONEX_OK)
    })
}

/// Destroys a stack: ends the life of the elements it still holds with their `drop`, on this thread, and gives back all
/// its memory before it returns.
///
/// @param stack  The stack, which no other thread uses any more; NULL is allowed and does nothing.
///
/// @retval CONEX_OK
/// @retval CONEX_ERR_HANDLE  Not a live stack (recently destroyed ones are recognised).
///
/// Progress: may block: waits for a thread that is just giving back memory of this stack, if there is one.
///
/// # Safety
/// `stack` is null or points to readable memory; nobody else uses it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn conex_stack_destroy(stack: *mut conex_stack) -> conex_status {
    answer(|| {
        if stack.is_null() {
            return Ok(CONEX_OK);
        }
        // SAFETY: the caller's promise.
        drop(unsafe { handle::destroy(stack, |_| Ok(())) }?);
        Ok(CONEX_OK)
    })
}

/// Moves an element onto the top of the stack.
///
/// @param stack    The stack.
/// @param element  The element; with `CONEX_OK` it is the stack's.
///
/// @retval CONEX_OK
/// @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
/// @retval CONEX_ERR_NO_MEMORY  The element is still the caller's.
///
/// Progress: lock-free if the allocator is; allocates memory for many nodes now and then.
///
/// # Safety
/// Pointers that are not null are valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn conex_stack_push(stack: *mut conex_stack, element: *const c_void) -> conex_status {
    answer(|| {
        // SAFETY: the caller's promise.
        let stack = unsafe { handle::get(stack) }?;
        not_null(element)?;
        // SAFETY: readable for one element by the caller's promise.
        engine!(stack, raw => unsafe { raw.push(element.cast()) })?;
        Ok(CONEX_OK)
    })
}

/// Moves `n` elements onto the stack in one atomic step; the last of the array ends on top.
///
/// @param stack     The stack.
/// @param elements  An array of `n` elements; with `CONEX_OK` all are the stack's. May be NULL if `n` is 0.
/// @param n         How many.
/// @param count     Optional. Receives `n` with `CONEX_OK`, 0 with `CONEX_ERR_NO_MEMORY`.
///
/// @retval CONEX_OK
/// @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
/// @retval CONEX_ERR_INVALID    No array can have `n` elements.
/// @retval CONEX_ERR_NO_MEMORY  All elements are still the caller's.
///
/// Progress: lock-free if the allocator is; allocates memory for many nodes now and then.
///
/// # Safety
/// Pointers that are not null are valid, `elements` for `n` elements.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn conex_stack_push_n(
    stack: *mut conex_stack,
    elements: *const c_void,
    n: usize,
    count: *mut usize,
) -> conex_status {
    answer(|| {
        // SAFETY: the caller's promise.
        let stack = unsafe { handle::get(stack) }?;
        batch(stack, elements, n)?;
        // SAFETY: readable for `n` elements by the caller's promise.
        let pushed = engine!(stack, raw => unsafe { raw.push_n(elements.cast(), n) });
        // SAFETY: the caller's promise.
        unsafe { put(count, if pushed.is_ok() { n } else { 0 }) };
        pushed?;
        Ok(CONEX_OK)
    })
}

/// Moves the top element out of the stack.
///
/// @param stack    The stack.
/// @param element  Receives the element with `CONEX_OK`; it is the caller's then.
///
/// @retval CONEX_OK
/// @retval CONEX_EMPTY
/// @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
///
/// Progress: lock-free; allocates nothing but the thread's own bookkeeping, at its first use of
/// the stack, and does without if there is no memory for it.
///
/// # Safety
/// Pointers that are not null are valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn conex_stack_pop(stack: *mut conex_stack, element: *mut c_void) -> conex_status {
    answer(|| {
        // SAFETY: the caller's promise.
        let stack = unsafe { handle::get(stack) }?;
        not_null(element)?;
        // SAFETY: writable for one element by the caller's promise.
        let popped = engine!(stack, raw => unsafe { raw.pop(element.cast()) });
        Ok(if popped { CONEX_OK } else { CONEX_EMPTY })
    })
}

/// Moves up to `n` elements out of the stack in one atomic step, the top one first.
///
/// @param stack     The stack.
/// @param elements  Room for `n` elements; the first `*count` are written. May be NULL if `n` is 0.
/// @param n         How many at most.
/// @param count     Receives how many were popped.
///
/// @retval CONEX_OK     At least one was popped, or `n` is 0.
/// @retval CONEX_EMPTY  `*count` is 0.
/// @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
/// @retval CONEX_ERR_INVALID  No array can have `n` elements.
///
/// Progress: lock-free; allocates nothing but the thread's own bookkeeping, at its first use of
/// the stack, and does without if there is no memory for it.
///
/// # Safety
/// Pointers that are not null are valid, `elements` for `n` elements.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn conex_stack_pop_n(
    stack: *mut conex_stack,
    elements: *mut c_void,
    n: usize,
    count: *mut usize,
) -> conex_status {
    answer(|| {
        // SAFETY: the caller's promise.
        let stack = unsafe { handle::get(stack) }?;
        batch(stack, elements, n)?;
        not_null(count)?;
        // SAFETY: writable for `n` elements by the caller's promise.
        let popped = engine!(stack, raw => unsafe { raw.pop_n(n, |_| elements.cast()) });
        // SAFETY: the caller's promise.
        unsafe { put(count, popped) };
        Ok(if popped == 0 && n > 0 { CONEX_EMPTY } else { CONEX_OK })
    })
}

/// Takes all elements out of the stack in one atomic step, then hands them to `take`, from the top down.
///
/// @param stack  The stack.
/// @param take   Called once for each element, on this thread, under no guard; it may call every function of the
///               library, for this stack too, but not destroy it. NULL: the elements' lives are ended with their
///               `drop`.
/// @param ctx    Passed to `take`.
/// @param count  Optional. Receives how many there were.
///
/// @retval CONEX_OK     At least one was taken.
/// @retval CONEX_EMPTY
/// @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
///
/// Progress: lock-free, with one call an element after the step; allocates as `conex_stack_pop`.
///
/// # Safety
/// Pointers that are not null are valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn conex_stack_pop_all(
    stack: *mut conex_stack,
    take: conex_take_fn,
    ctx: *mut c_void,
    count: *mut usize,
) -> conex_status {
    answer(|| {
        // SAFETY: the caller's promise.
        let stack = unsafe { handle::get(stack) }?;
        let end = |element: *mut u8| match take {
            // SAFETY: the header's contract for `take`; the element is handed over.
            Some(take) => unsafe { take(element.cast(), ctx) },
            // SAFETY: a live element that is ours.
            None => unsafe { stack.element.drop(element) },
        };
        let taken = engine!(stack, raw => raw.pop_all(end, |_| ()));
        // SAFETY: the caller's promise.
        unsafe { put(count, taken) };
        Ok(if taken == 0 { CONEX_EMPTY } else { CONEX_OK })
    })
}

/// Tells how many elements the stack holds: an estimate while other threads push and pop, exact when they are done.
///
/// @param stack  The stack.
/// @param len    Receives the number with `CONEX_OK`.
///
/// @retval CONEX_OK
/// @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
///
/// Progress: wait-free, in the number of threads that ever used the domain at once; does not allocate.
///
/// # Safety
/// Pointers that are not null are valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn conex_stack_len(stack: *const conex_stack, len: *mut usize) -> conex_status {
    answer(|| {
        // SAFETY: the caller's promise.
        let stack = unsafe { handle::get(stack) }?;
        not_null(len)?;
        // SAFETY: the caller's promise.
        unsafe { put(len, engine!(stack, raw => raw.len())) };
        Ok(CONEX_OK)
    })
}

/// Tells whether the stack was empty at a moment during the call.
///
/// @param stack  The stack.
/// @param empty  Receives the answer with `CONEX_OK`.
///
/// @retval CONEX_OK
/// @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
///
/// Progress: wait-free; does not allocate.
///
/// # Safety
/// Pointers that are not null are valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn conex_stack_is_empty(stack: *const conex_stack, empty: *mut bool) -> conex_status {
    answer(|| {
        // SAFETY: the caller's promise.
        let stack = unsafe { handle::get(stack) }?;
        not_null(empty)?;
        // SAFETY: the caller's promise.
        unsafe { put(empty, engine!(stack, raw => raw.is_empty())) };
        Ok(CONEX_OK)
    })
}

/// Checks the array of a batch.
fn batch(stack: &conex_stack, elements: *const c_void, n: usize) -> Answer {
    array_bytes(n, stack.element.layout.size())?;
    if n > 0 {
        not_null(elements)?;
    }
    Ok(CONEX_OK)
}
