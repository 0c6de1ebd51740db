//! A domain is a clock for reclamation and those who go by it. What a container unlinks is freed when every operation
//! and guard that was under way in the domain at that time has ended. Containers of one domain share the clock; a guard
//! in one domain does not hold back the memory of another. Most programs use the default domain, which is what NULL
//! means in every place for a domain.

use core::ffi::c_void;
use core::fmt;
use std::time::Duration;

use super::boundary::{answer, not_null, put};
use super::handle::{self, Handle};
use super::options::{self, Extensible};
use super::status::conex_status::{
    self, CONEX_BUSY, CONEX_ERR_INVALID, CONEX_ERR_NO_MEMORY, CONEX_ERR_STALLED, CONEX_OK, CONEX_TIMEOUT,
};
use crate::mem::Once;
use crate::{BarrierError, Domain};

/// A domain; made by `conex_domain_new`.
pub struct conex_domain {
    domain: Domain,
    is_default: bool,
}

impl Handle for conex_domain {
    const TAG: [u8; 8] = *b"cx:domai";
}

impl fmt::Debug for conex_domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("conex_domain").finish_non_exhaustive()
    }
}

/// How a domain is made. Initialise it with `CONEX_DOMAIN_OPTIONS_INIT`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct conex_domain_options {
    /// `sizeof(conex_domain_options)`, as the macro sets it.
    pub struct_size: usize,
    /// Must be 0.
    pub flags: u64,
    /// A soft limit: `on_limit` is called when so many bytes wait to be freed. 0: no limit.
    pub limit_bytes: usize,
    /// NULL if and only if there is no limit.
    pub on_limit: conex_limit_fn,
    /// Passed to `on_limit`. It must stay valid until the domain is destroyed.
    pub limit_ctx: *mut c_void,
}

/// Called when at least `limit_bytes` wait in a domain, and again each time that twice as much waits as at the last call;
/// when less than half of the limit waits, it begins anew. `pending_bytes` wait now, and the domain's oldest guard has been
/// held for `oldest_guard_ns` nanoseconds without a refresh (0: none is held).
///
/// The thread calls it whose retirement completed a batch (64 of them, or 32 KiB), inside that call, after what could be
/// freed has been; several threads may do so at the same time. It may call every function of the library, but
/// `conex_domain_barrier` for the domain answers `CONEX_ERR_STALLED`; it must leave the guards of its thread as it found
/// them, and it must not unwind.
pub type conex_limit_fn =
    Option<unsafe extern "C-unwind" fn(pending_bytes: usize, oldest_guard_ns: u64, ctx: *mut c_void)>;

// SAFETY: `repr(C)`, the size first; any bytes are numbers.
unsafe impl Extensible for conex_domain_options {}

/// What waits in a domain. Initialise it with `CONEX_DOMAIN_STATS_INIT`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct conex_domain_stats {
    /// `sizeof(conex_domain_stats)`, as the macro sets it.
    pub struct_size: usize,
    /// Blocks and pointers that were retired and not freed yet.
    pub pending_objects: usize,
    /// Their bytes, each rounded up to a multiple of 16.
    pub pending_bytes: usize,
    /// Guards that are held.
    pub guards: usize,
    /// For how many nanoseconds the oldest of them has been held without a refresh.
    pub oldest_guard_ns: u64,
}

// SAFETY: `repr(C)`, the size first; any bytes are numbers.
unsafe impl Extensible for conex_domain_stats {}

/// Makes a domain.
///
/// @param options  How; NULL for the defaults.
/// @param out      Receives the domain with `CONEX_OK`. To be destroyed with `conex_domain_destroy`.
///
/// @retval CONEX_OK
/// @retval CONEX_ERR_NULL, CONEX_ERR_NO_MEMORY
/// @retval CONEX_ERR_INVALID  The options cannot be, or a limit without a function, or the other way round.
///
/// Progress: lock-free if the process allocator is.
///
/// # Safety
/// Pointers that are not null are valid; `options` is readable for its `struct_size`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn conex_domain_new(
    options: *const conex_domain_options,
    out: *mut *mut conex_domain,
) -> conex_status {
    answer(|| {
        not_null(out)?;
        let default = conex_domain_options {
            struct_size: size_of::<conex_domain_options>(),
            flags: 0,
            limit_bytes: 0,
            on_limit: None,
            limit_ctx: core::ptr::null_mut(),
        };
        // SAFETY: the caller's promise.
        let options = unsafe { options::read(options, default) }?;
        if options.flags != 0 {
            return Err(CONEX_ERR_INVALID);
        }
        let domain = match (options.limit_bytes, options.on_limit) {
            (0, None) => Domain::new()?,
            // SAFETY: the header's contract for the function.
            (1.., Some(call)) => unsafe { Domain::with_limit(options.limit_bytes, call, options.limit_ctx) }?,
            _ => return Err(CONEX_ERR_INVALID),
        };
        let domain = handle::make(conex_domain { domain, is_default: false })?;
        // SAFETY: the caller's promise.
        unsafe { put(out, domain) };
        Ok(CONEX_OK)
    })
}

/// Destroys a domain and frees all that waits in it, calling the functions of `conex_domain_retire` on this thread.
///
/// @param domain  The domain, which no other thread uses any more; NULL is allowed and does nothing (the default domain
///                is not destroyed).
///
/// @retval CONEX_OK
/// @retval CONEX_BUSY         A container or a guard still uses it, or a call on it is under way, as it is in the domain's
///                            retire functions; nothing was changed. A container may itself wait in the domain, to be
///                            destroyed by a retire function: `conex_domain_barrier` first.
/// @retval CONEX_ERR_HANDLE   Not a live domain (recently destroyed ones are recognised).
/// @retval CONEX_ERR_INVALID  It is the default domain, which lives as long as the process.
///
/// Progress: may block: waits for a thread that is just freeing memory of this domain, if there is one.
///
/// # Safety
/// `domain` is null or points to readable memory; nobody else uses it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn conex_domain_destroy(domain: *mut conex_domain) -> conex_status {
    answer(|| {
        if domain.is_null() {
            return Ok(CONEX_OK);
        }
        let ready = |domain: &conex_domain| {
            if domain.is_default {
                Err(CONEX_ERR_INVALID)
            } else if domain.domain.is_unused() {
                Ok(())
            } else {
                Err(CONEX_BUSY)
            }
        };
        // SAFETY: the caller's promise.
        drop(unsafe { handle::destroy(domain, ready) }?);
        Ok(CONEX_OK)
    })
}

static DEFAULT: Once<conex_domain> = Once::new();

/// The domain that is used where NULL is given for one. It lives as long as the process.
///
/// @return The domain; NULL only if there is no memory for it at its first use.
///
/// Progress: lock-free if the process allocator is, at the first use; wait-free then.
#[unsafe(no_mangle)]
pub extern "C" fn conex_domain_default() -> *mut conex_domain {
    let mut domain = core::ptr::null_mut();
    answer(|| {
        let make = || handle::make(conex_domain { domain: Domain::try_default()?, is_default: true });
        // SAFETY: just made, and nobody else has seen it.
        let unmake = |mine| drop(unsafe { handle::destroy::<conex_domain>(mine, |_| Ok(())) });
        domain = DEFAULT.get(make, unmake)?;
        Ok(CONEX_OK)
    });
    domain
}

/// Moves the domain's clock on if it can be moved, and frees what is due. One step, which never waits; what was retired
/// just now needs at least two.
///
/// @param domain  The domain; NULL for the default one.
///
/// @retval CONEX_OK
/// @retval CONEX_ERR_HANDLE
/// @retval CONEX_ERR_NO_MEMORY  For the default domain, at its first use.
///
/// Progress: lock-free. May call drop and retire functions on this thread. In one of these it does nothing.
///
/// # Safety
/// `domain` is null or points to readable memory.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn conex_domain_flush(domain: *mut conex_domain) -> conex_status {
    answer(|| {
        // SAFETY: the caller's promise.
        unsafe { domain_or_default(domain) }?.flush();
        Ok(CONEX_OK)
    })
}

/// Waits until all that was retired in the domain before the call, by any thread and any container, has been freed.
///
/// @param domain      The domain; NULL for the default one.
/// @param timeout_ns  How many nanoseconds to wait at most, on a clock that only moves forward; `UINT64_MAX` for ever. 0
///                    tries once, which succeeds only if nothing is pending.
///
/// @retval CONEX_OK
/// @retval CONEX_TIMEOUT      Something holds memory back, most often a guard on another thread.
/// @retval CONEX_ERR_STALLED  This thread holds a guard of the domain itself, or is in a drop or retire function that a
///                            call on the domain runs.
/// @retval CONEX_ERR_HANDLE
/// @retval CONEX_ERR_NO_MEMORY  For the default domain, at its first use.
///
/// Progress: may block. May call drop and retire functions on this thread.
///
/// # Safety
/// `domain` is null or points to readable memory.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn conex_domain_barrier(domain: *mut conex_domain, timeout_ns: u64) -> conex_status {
    answer(|| {
        // SAFETY: the caller's promise.
        let domain = unsafe { domain_or_default(domain) }?;
        Ok(match domain.barrier(Duration::from_nanos(timeout_ns)) {
            Ok(()) => CONEX_OK,
            Err(BarrierError::TimedOut) => CONEX_TIMEOUT,
            Err(BarrierError::Guarded) => CONEX_ERR_STALLED,
        })
    })
}

/// Tells what waits in the domain, and for whom. The numbers are estimates while other threads are at work.
///
/// @param domain  The domain; NULL for the default one.
/// @param stats   Made by `CONEX_DOMAIN_STATS_INIT`; its other fields receive the numbers with `CONEX_OK`.
///
/// @retval CONEX_OK
/// @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
/// @retval CONEX_ERR_NO_MEMORY  For the default domain, at its first use.
/// @retval CONEX_ERR_INVALID  `stats->struct_size` is not that of a `conex_domain_stats`.
///
/// Progress: wait-free, in the number of threads that ever used the domain at once; does not allocate.
///
/// # Safety
/// Pointers that are not null are valid, `stats` for its `struct_size`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn conex_domain_stats_get(
    domain: *mut conex_domain,
    stats: *mut conex_domain_stats,
) -> conex_status {
    answer(|| {
        // SAFETY: the caller's promise.
        let domain = unsafe { domain_or_default(domain) }?;
        not_null(stats)?;
        // SAFETY: the caller's promise.
        let size = unsafe { options::written_size(stats) }?;
        let now = domain.stats();
        let filled = conex_domain_stats {
            struct_size: size,
            pending_objects: now.pending_objects,
            pending_bytes: now.pending_bytes,
            guards: now.guards,
            oldest_guard_ns: u64::try_from(now.oldest_guard.as_nanos()).unwrap_or(u64::MAX),
        };
        // SAFETY: writable for at least the size of the struct, as `written_size` checked.
        unsafe { put(stats, filled) };
        Ok(CONEX_OK)
    })
}

/// The domain behind a handle, without a reference of one's own: the caller of the function vouches for it.
///
/// # Safety
/// `domain` is null or points to readable memory, and is not destroyed during `'a`.
pub(super) unsafe fn domain_behind<'a>(domain: *mut conex_domain) -> Result<&'a Domain, conex_status> {
    let domain = if domain.is_null() { conex_domain_default() } else { domain };
    if domain.is_null() {
        return Err(CONEX_ERR_NO_MEMORY);
    }
    // SAFETY: the caller's promise; the default one lives as long as the process.
    Ok(&unsafe { handle::get(domain) }?.domain)
}

/// The domain behind a handle, or the default one behind NULL.
///
/// # Safety
/// `domain` is null or points to readable memory.
pub(super) unsafe fn domain_or_default(domain: *mut conex_domain) -> Result<Domain, conex_status> {
    if domain.is_null() {
        return Ok(Domain::try_default()?);
    }
    // SAFETY: the caller's promise.
    Ok(unsafe { handle::get(domain) }?.domain.clone())
}
