//! Options from C: structs that say their own size, so that they can grow.

use core::mem::MaybeUninit;

use super::domain::{conex_domain, domain_or_default};
use super::element::conex_allocator;
use super::status::conex_status::{self, CONEX_ERR_INVALID};
use crate::Options;

/// An options struct: `repr(C)`, its first field `struct_size: usize`.
///
/// # Safety
/// The type is as said, and any bytes that C puts into its fields are valid for them.
pub(super) unsafe trait Extensible: Copy {}

/// No options of this library will ever be larger than this.
const MAX_SIZE: usize = 4096;

/// The options at `from`, or `default` if it is null.
///
/// A struct of the size that this library knows is taken as it is. One from a newer header is taken if what this
/// library does not know of it is all zero, which every later option will mean "as before" by. Anything else is
/// `CONEX_ERR_INVALID`.
///
/// # Safety
/// `from` is null, or readable for as many bytes as its first word says.
pub(super) unsafe fn read<T: Extensible>(from: *const T, default: T) -> Result<T, conex_status> {
    if from.is_null() {
        return Ok(default);
    }
    // SAFETY: the first word is the size, and readable.
    let size = unsafe { from.cast::<usize>().read_unaligned() };
    let known = size_of::<T>();
    if size < known || size > MAX_SIZE {
        return Err(CONEX_ERR_INVALID);
    }
    for i in known..size {
        // SAFETY: within the size that the caller vouches for.
        let byte = unsafe { from.cast::<u8>().add(i) };
        // SAFETY: as above.
        if unsafe { byte.read() } != 0 {
            return Err(CONEX_ERR_INVALID);
        }
    }
    let mut options = MaybeUninit::<T>::uninit();
    // SAFETY: readable for `known` bytes; the destination is as long.
    unsafe { core::ptr::copy_nonoverlapping(from.cast::<u8>(), options.as_mut_ptr().cast(), known) };
    // SAFETY: `Extensible` says that any bytes of C are valid.
    Ok(unsafe { options.assume_init() })
}

/// The size that the caller says its struct has, if this library's version of it fits in.
///
/// # Safety
/// `to` points to a readable word.
pub(super) unsafe fn written_size<T: Extensible>(to: *const T) -> Result<usize, conex_status> {
    // SAFETY: the first word is the size, and readable.
    let size = unsafe { to.cast::<usize>().read_unaligned() };
    if (size_of::<T>()..=MAX_SIZE).contains(&size) { Ok(size) } else { Err(CONEX_ERR_INVALID) }
}

/// The part of the options that all containers have.
///
/// # Safety
/// `domain` is null or points to readable memory.
pub(super) unsafe fn common(
    flags: u64,
    domain: *mut conex_domain,
    allocator: &conex_allocator,
) -> Result<Options, conex_status> {
    if flags != 0 {
        return Err(CONEX_ERR_INVALID);
    }
    // SAFETY: the caller's promise.
    let domain = unsafe { domain_or_default(domain) }?;
    Ok(Options::new().domain(&domain).allocator(allocator.check()?))
}
