//! A domain also reclaims for structures of your own: unlink, then `conex_domain_retire`; read under a `conex_guard`.

use core::ffi::c_void;

use super::boundary::{answer, not_null};
use super::domain::{conex_domain, domain_or_default};
use super::status::conex_status::{self, CONEX_ERR_INVALID, CONEX_OK};
use crate::Node;

/// Called once for a retired pointer, inside a later call that uses the domain, by any thread. It may call every function
/// of the library, and retire more; `conex_domain_barrier` for its own domain answers `CONEX_ERR_STALLED` there. It must
/// leave the guards of its thread as it found them, and it must not unwind.
pub type conex_retire_fn = Option<unsafe extern "C-unwind" fn(ptr: *mut c_void, ctx: *mut c_void)>;

/// Calls `call(ptr, ctx)` once, later, when every guard of the domain that is held now has been left or refreshed and
/// every operation that is under way has ended. Unlink `ptr` before, so that no thread can find it any more.
///
/// @param domain  The domain; NULL for the default one.
/// @param ptr     Passed to `call`; not used otherwise.
/// @param bytes   How much memory it stands for: feeds the statistics, and the decision when to free.
/// @param call    Called on any thread that uses the domain, inside one of its calls, or in the domain's destruction.
/// @param ctx     Passed to `call`.
///
/// @retval CONEX_OK
/// @retval CONEX_ERR_NULL       `call` is NULL.
/// @retval CONEX_ERR_HANDLE
/// @retval CONEX_ERR_NO_MEMORY  `call` will not be called; `ptr` is still the caller's.
///
/// Progress: lock-free if the process allocator is; allocates one small block.
///
/// # Safety
/// Pointers that are not null are valid, and `call(ptr, ctx)` is sound at any later time on any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn conex_domain_retire(
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
        unsafe { domain.retire(ptr, bytes, call, ctx) }?;
        Ok(CONEX_OK)
    })
}

/// Room for one retirement inside an object, so that retiring it needs no memory. What it holds before does not matter,
/// from the retirement until the object's end it is the library's. Its layout is final.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct conex_retire_node {
    /// The library's.
    pub opaque: [u64; 6],
}

const _: () = assert!(
    size_of::<conex_retire_node>() == size_of::<Node>()
        && align_of::<conex_retire_node>() >= align_of::<Node>()
);

/// As `conex_domain_retire`, in room that the object brings along: needs no memory.
///
/// @param domain  The domain; NULL for the default one.
/// @param node    The room, most often a part of what `ptr` points to. Must stay until `call` is called, which may free
///                it.
/// @param ptr     Passed to `call`; not used otherwise.
/// @param bytes   How much memory it stands for.
/// @param call    Called once, as by `conex_domain_retire`.
/// @param ctx     Passed to `call`.
///
/// @retval CONEX_OK
/// @retval CONEX_ERR_NULL     `node` or `call` is NULL.
/// @retval CONEX_ERR_INVALID  `node` is not aligned.
/// @retval CONEX_ERR_HANDLE
/// @retval CONEX_ERR_NO_MEMORY  For the default domain, at its first use.
///
/// Progress: lock-free; does not allocate.
///
/// # Safety
/// As `conex_domain_retire`; and `node` is writable, and the library's until `call` is called.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn conex_domain_retire_node(
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
        unsafe { domain.retire_in(node, ptr, bytes, call, ctx) };
        Ok(CONEX_OK)
    })
}

/// The core's name for the room of a retirement.
pub(super) fn retire_node(node: *mut conex_retire_node) -> Result<*mut Node, conex_status> {
    not_null(node)?;
    if node.is_aligned() { Ok(node.cast()) } else { Err(CONEX_ERR_INVALID) }
}
