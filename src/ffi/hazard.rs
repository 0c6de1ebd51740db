//! A hazard pointer protects one object of a structure of your own: while it does, the object is not freed, however long
//! that takes, and nothing else is held back. A guard costs less for many short reads; a hazard pointer is for a reader
//! that may take long or stop for ever.
//!
//! ```text
//!     conex_hazard *hazard;                                   // one a thread, made once
//!     conex_hazard_new(NULL, &hazard);
//!     ...
//!     conex_hazard_protect(hazard, &current, (void **)&seen); // current: _Atomic(struct config *)
//!     use(seen);                                              // not freed before the hazard says so
//!     conex_hazard_reset(hazard, NULL);
//!     ...
//!     old = atomic_exchange(&current, next);                  // unlink, then
//!     conex_hazard_retire(NULL, old, sizeof *old, free_config, NULL);
//! ```
//!
//! What is protected by hazard pointers is retired by `conex_hazard_retire`, in the same domain; `conex_domain_retire` looks
//! at guards only, and `conex_hazard_retire` at hazard pointers only.
//!
//! With H hazard pointers in the domain (the largest number that there ever was at once), T threads that retire, and F
//! threads that stand still inside a call that retires, at most (1 + F) * (64 + 2 H + T) retired objects wait at any time,
//! H of them because they are protected. Every 64 + 2 H retirements one of them looks at all hazard pointers and calls
//! what is due; `conex_domain_flush` and `conex_domain_barrier` do so at once.

use core::ffi::c_void;
use core::fmt;

use super::boundary::{answer, not_null, put};
use super::domain::{conex_domain, domain_or_default};
use super::domain_retire::{conex_retire_fn, conex_retire_node, retire_node};
use super::handle::{self, Handle};
use super::status::conex_status::{self, CONEX_ERR_INVALID, CONEX_MISMATCH, CONEX_OK};
use crate::HazardPointer;

/// A hazard pointer; made by `conex_hazard_new`. Used by one thread at a time, but not always by the same.
pub struct conex_hazard {
    pointer: HazardPointer,
}

impl Handle for conex_hazard {
    const TAG: [u8; 8] = *b"cx:hazrd";
}

impl fmt::Debug for conex_hazard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("conex_hazard").finish_non_exhaustive()
    }
}

/// Makes a hazard pointer, which protects nothing yet.
///
/// @param domain  The domain to which the objects are retired; NULL for the default one.
/// @param out     Receives the hazard pointer with `CONEX_OK`. To be destroyed with `conex_hazard_destroy`.
///
/// @retval CONEX_OK
/// @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE, CONEX_ERR_NO_MEMORY
///
/// Progress: lock-free if the process allocator is; takes time in the number of hazard pointers of the domain.
///
/// # Safety
/// Pointers that are not null are valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn conex_hazard_new(
    domain: *mut conex_domain,
    out: *mut *mut conex_hazard,
) -> conex_status {
    answer(|| {
        // SAFETY: the caller's promise.
        let domain = unsafe { domain_or_default(domain) }?;
        not_null(out)?;
        let hazard = handle::make(conex_hazard { pointer: domain.hazard_pointer()? })?;
        // SAFETY: the caller's promise.
        unsafe { put(out, hazard) };
        Ok(CONEX_OK)
    })
}

/// Destroys a hazard pointer, which protects nothing then.
///
/// @param hazard  The hazard pointer; NULL is allowed and does nothing.
///
/// @retval CONEX_OK
/// @retval CONEX_ERR_HANDLE  Not a live hazard pointer (recently destroyed ones are recognised).
///
/// Progress: wait-free, if the process allocator is.
///
/// # Safety
/// `hazard` is null or points to readable memory; nobody else uses it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn conex_hazard_destroy(hazard: *mut conex_hazard) -> conex_status {
    answer(|| {
        if !hazard.is_null() {
            // SAFETY: the caller's promise.
            drop(unsafe { handle::destroy(hazard, |_| Ok(())) }?);
        }
        Ok(CONEX_OK)
    })
}

/// Loads a pointer and protects what it points to, in place of what was protected before.
///
/// @param hazard  The hazard pointer.
/// @param source  The address of an atomic pointer to an object: `_Atomic(T *)` in C, `std::atomic<T *>` in C++. Objects
///                are unlinked from it before they are retired.
/// @param out     Receives the pointer with `CONEX_OK`. If it is not NULL, the object is not freed before the hazard
///                pointer protects something else, is reset or destroyed.
///
/// @retval CONEX_OK
/// @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
/// @retval CONEX_ERR_INVALID  `source` is not aligned.
///
/// Progress: lock-free: repeats only when `source` has changed; does not allocate. Costs a load and a comparison if the
/// object is the one that is protected already.
///
/// # Safety
/// Pointers that are not null are valid, `source` an atomic pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn conex_hazard_protect(
    hazard: *mut conex_hazard,
    source: *const c_void,
    out: *mut *mut c_void,
) -> conex_status {
    answer(|| {
        // SAFETY: the caller's promise.
        let hazard = unsafe { handle::get(hazard) }?;
        let source = checked(source)?;
        not_null(out)?;
        // SAFETY: aligned, and the caller's promise.
        let found = unsafe { hazard.pointer.protect_at(source) };
        // SAFETY: the caller's promise.
        unsafe { put(out, found) };
        Ok(CONEX_OK)
    })
}

/// Protects an object if a pointer still leads to it, in place of what was protected before.
///
/// @param hazard  The hazard pointer.
/// @param ptr     In: what `source` was seen to hold. Out, with `CONEX_OK` the same, with `CONEX_MISMATCH` what it holds
///                now.
/// @param source  As for `conex_hazard_protect`.
///
/// @retval CONEX_OK        `*ptr` is protected, if it is not NULL.
/// @retval CONEX_MISMATCH  `source` holds another pointer. The hazard pointer protects nothing.
/// @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
/// @retval CONEX_ERR_INVALID  `source` is not aligned.
///
/// Progress: wait-free; does not allocate.
///
/// # Safety
/// Pointers that are not null are valid, `source` an atomic pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn conex_hazard_try_protect(
    hazard: *mut conex_hazard,
    ptr: *mut *mut c_void,
    source: *const c_void,
) -> conex_status {
    answer(|| {
        // SAFETY: the caller's promise.
        let hazard = unsafe { handle::get(hazard) }?;
        not_null(ptr)?;
        let source = checked(source)?;
        // SAFETY: the caller's promise.
        let wanted = unsafe { ptr.read_unaligned() };
        // SAFETY: aligned, and the caller's promise.
        match unsafe { hazard.pointer.try_protect_at(wanted, source) } {
            Ok(()) => Ok(CONEX_OK),
            Err(found) => {
                // SAFETY: the caller's promise.
                unsafe { put(ptr, found) };
                Ok(CONEX_MISMATCH)
            }
        }
    })
}

/// Ends the protection, and protects `ptr` instead, if it is not NULL.
///
/// @param hazard  The hazard pointer.
/// @param ptr     NULL, or an object that cannot be retired before the call returns, such as one that is not shared yet.
///                For all others there is `conex_hazard_protect`.
///
/// @retval CONEX_OK
/// @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE  `hazard`.
///
/// Progress: wait-free; does not allocate.
///
/// # Safety
/// `hazard` is null or points to readable memory.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn conex_hazard_reset(hazard: *mut conex_hazard, ptr: *const c_void) -> conex_status {
    answer(|| {
        // SAFETY: the caller's promise.
        unsafe { handle::get(hazard) }?.pointer.reset_at(ptr);
        Ok(CONEX_OK)
    })
}

/// Calls `call(ptr, ctx)` once, later, when no hazard pointer of the domain protects `ptr`. Unlink it before, from every
/// pointer that it can be protected through. Guards do not matter to it.
///
/// @param domain  The domain of the hazard pointers; NULL for the default one.
/// @param ptr     What hazard pointers protect, and `call` gets.
/// @param bytes   How much memory it stands for: feeds the statistics.
/// @param call    Called on any thread that uses the domain, inside one of its calls, or in the domain's destruction.
/// @param ctx     Passed to `call`.
///
/// @retval CONEX_OK
/// @retval CONEX_ERR_NULL       `call` is NULL.
/// @retval CONEX_ERR_HANDLE
/// @retval CONEX_ERR_NO_MEMORY  `call` will not be called; `ptr` is still the caller's.
///
/// Progress: lock-free if the process allocator is; allocates one small block. May call drop and retire functions on this
/// thread.
///
/// # Safety
/// Pointers that are not null are valid, and `call(ptr, ctx)` is sound at any later time on any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn conex_hazard_retire(
    domain: *mut conex_domain,
    ptr: *mut c_void,
    bytes: usize,
    call: conex_retire_fn,
    ctx: *mut c_void,
) -> conex_status {
    answer(|| {
        // SAFETY: the caller's promise.
        let domain = unsafe { domain_or_default(domain) }?;
        let call = call.ok_or(conex_status::CONEX_ERR_NULL)?;
        // SAFETY: the caller's promise.
        unsafe { domain.retire_hazardous(ptr, bytes, call, ctx) }?;
        Ok(CONEX_OK)
    })
}

/// As `conex_hazard_retire`, in room that the object brings along: needs no memory.
///
/// @param domain  The domain of the hazard pointers; NULL for the default one.
/// @param node    The room, most often a part of what `ptr` points to. Must stay until `call` is called, which may free
///                it.
/// @param ptr     What hazard pointers protect, and `call` gets.
/// @param bytes   How much memory it stands for.
/// @param call    Called once, as by `conex_hazard_retire`.
/// @param ctx     Passed to `call`.
///
/// @retval CONEX_OK
/// @retval CONEX_ERR_NULL     `node` or `call` is NULL.
/// @retval CONEX_ERR_INVALID  `node` is not aligned.
/// @retval CONEX_ERR_HANDLE
/// @retval CONEX_ERR_NO_MEMORY  For the default domain, at its first use.
///
/// Progress: lock-free; does not allocate. May call drop and retire functions on this thread.
///
/// # Safety
/// As `conex_hazard_retire`; and `node` is writable, and the library's until `call` is called.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn conex_hazard_retire_node(
    domain: *mut conex_domain,
    node: *mut conex_retire_node,
    ptr: *mut c_void,
    bytes: usize,
    call: conex_retire_fn,
    ctx: *mut c_void,
) -> conex_status {
    answer(|| {
        // SAFETY: the caller's promise.
        let domain = unsafe { domain_or_default(domain) }?;
        let node = retire_node(node)?;
        let call = call.ok_or(conex_status::CONEX_ERR_NULL)?;
        // SAFETY: the caller's promise.
        unsafe { domain.retire_hazardous_in(node, ptr, bytes, call, ctx) };
        Ok(CONEX_OK)
    })
}

/// The address of an atomic pointer.
fn checked(source: *const c_void) -> Result<*const *mut c_void, conex_status> {
    not_null(source)?;
    let source = source.cast::<*mut c_void>();
    if source.is_aligned() { Ok(source) } else { Err(CONEX_ERR_INVALID) }
}
