//! A guard is a session of one thread over many operations. Every operation on a container protects what it reads
//! from being freed under it, which costs one locked instruction; under a guard that is paid once. And pointers into a
//! map (`conex_map_get_ref`) are valid as long as the guard they were obtained under.
//!
//! In exchange, memory that is retired in the guard's domain, by any thread, is not freed while the guard is held. Hold
//! one over a batch of work, never over a wait, and refresh it between batches.
//!
//! A guard belongs to the thread that entered it and is refreshed and left there. Guards nest, and may be left in any
//! order. A thread that ends without having left its guard stalls the domain for ever.

use core::fmt;

use super::boundary::{answer, not_null, put};
use super::domain::{conex_domain, domain_behind, domain_or_default};
use super::handle::{self, Handle};
use super::status::conex_status::{self, CONEX_ERR_INVALID, CONEX_OK};
use crate::reclaim::Owner;
use crate::{Domain, Guard};

/// A session; made by `conex_guard_enter`.
pub struct conex_guard {
    /// Beside the cell: it is asked by threads that may not look into that.
    owner: Owner,
    guard: core::cell::RefCell<Guard>,
}

impl Handle for conex_guard {
    const TAG: [u8; 8] = *b"cx:guard";
}

impl fmt::Debug for conex_guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("conex_guard").finish_non_exhaustive()
    }
}

impl conex_guard {
    /// `CONEX_ERR_INVALID` on a thread that did not enter the guard.
    pub(super) fn check_thread(&self) -> Result<(), conex_status> {
        if self.owner.is_this_thread() { Ok(()) } else { Err(CONEX_ERR_INVALID) }
    }

    /// Whether it is a session in `domain`. Only for the thread that entered it.
    pub(super) fn is_of(&self, domain: &Domain) -> bool {
        self.guard.borrow().domain().is_same(domain)
    }
}

/// Enters a session on the calling thread.
///
/// @param domain  The domain of the containers that it is for; NULL for the default one.
/// @param out     Receives the guard with `CONEX_OK`. To be left with `conex_guard_leave`, on this thread.
///
/// @retval CONEX_OK
/// @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
/// @retval CONEX_ERR_NO_MEMORY
///
/// Progress: lock-free if the process allocator is; allocates one small block, and more on the thread's first use of
/// the domain.
///
/// # Safety
/// Pointers that are not null are valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn conex_guard_enter(
    domain: *mut conex_domain,
    out: *mut *mut conex_guard,
) -> conex_status {
    answer(|| {
        // SAFETY: the caller's promise.
        let domain = unsafe { domain_or_default(domain) }?;
        not_null(out)?;
        let guard = domain.enter();
        let guard = handle::make(conex_guard { owner: guard.owner(), guard: guard.into() })?;
        // SAFETY: the caller's promise.
        unsafe { put(out, guard) };
        Ok(CONEX_OK)
    })
}

/// Begins a session of the calling thread without a guard: cheaper than `conex_guard_enter`, for short reads of your own
/// structures. It protects as a guard does; `conex_map_get_ref` wants a guard. Sessions nest, with guards too.
///
/// @param domain  The domain; NULL for the default one. Until the session has ended `conex_domain_destroy` answers
///                `CONEX_BUSY`.
///
/// @retval CONEX_OK
/// @retval CONEX_ERR_HANDLE
/// @retval CONEX_ERR_NO_MEMORY  For the default domain, at its first use.
///
/// Progress: lock-free; does not allocate, but on the thread's first use of the domain.
///
/// # Safety
/// `domain` is null or points to readable memory, and is not destroyed before the session has ended.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn conex_domain_lock(domain: *mut conex_domain) -> conex_status {
    answer(|| {
        // SAFETY: the caller's promise.
        let domain = unsafe { domain_behind(domain) }?;
        // SAFETY: the caller's promise.
        unsafe { domain.lock() };
        Ok(CONEX_OK)
    })
}

/// Ends a session that the calling thread began by `conex_domain_lock`. Not to be called where that may have been long
/// ago: in a thread's very last destructors.
///
/// @param domain  The domain; NULL for the default one.
///
/// @retval CONEX_OK
/// @retval CONEX_ERR_HANDLE
/// @retval CONEX_ERR_INVALID    This thread has begun no such session in the domain.
/// @retval CONEX_ERR_NO_MEMORY  For the default domain, at its first use.
///
/// Progress: lock-free; does not allocate. May call drop and retire functions on this thread.
///
/// # Safety
/// `domain` is null or points to readable memory.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn conex_domain_unlock(domain: *mut conex_domain) -> conex_status {
    answer(|| {
        // SAFETY: the caller's promise.
        let domain = unsafe { domain_behind(domain) }?;
        if domain.unlock() { Ok(CONEX_OK) } else { Err(CONEX_ERR_INVALID) }
    })
}

/// Ends the session and begins a new one with the same guard: pointers obtained under it are not valid any more, and
/// memory that it held back can be freed. While another guard of this thread and domain is held, it does nothing.
///
/// @param guard  The guard.
///
/// @retval CONEX_OK
/// @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
/// @retval CONEX_ERR_INVALID  The guard was entered on another thread, or is just being refreshed: this is a drop or
///                            retire function that its refresh runs.
///
/// Progress: lock-free. May call drop and retire functions on this thread.
///
/// # Safety
/// `guard` is null or points to readable memory.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn conex_guard_refresh(guard: *mut conex_guard) -> conex_status {
    answer(|| {
        // SAFETY: the caller's promise.
        let guard = unsafe { handle::get(guard) }?;
        guard.check_thread()?;
        guard.guard.try_borrow_mut().map_err(|_| CONEX_ERR_INVALID)?.refresh();
        Ok(CONEX_OK)
    })
}

/// Leaves a session and frees its guard.
///
/// @param guard  The guard; NULL is allowed and does nothing.
///
/// @retval CONEX_OK
/// @retval CONEX_ERR_HANDLE   Not a live guard (recently left ones are recognised).
/// @retval CONEX_ERR_INVALID  The guard was entered on another thread, or is just being refreshed: this is a drop or
///                            retire function that its refresh runs.
///
/// Progress: wait-free, if the process allocator is.
///
/// # Safety
/// `guard` is null or points to readable memory.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn conex_guard_leave(guard: *mut conex_guard) -> conex_status {
    answer(|| {
        if guard.is_null() {
            return Ok(CONEX_OK);
        }
        let ready = |guard: &conex_guard| {
            guard.check_thread()?;
            guard.guard.try_borrow_mut().map(drop).map_err(|_| CONEX_ERR_INVALID)
        };
        // SAFETY: the caller's promise.
        drop(unsafe { handle::destroy(guard, ready) }?);
        Ok(CONEX_OK)
    })
}
