//! A map holds one value for each key. Every operation on one key is one atomic step, and no operation waits for another
//! thread, also not while the map grows or shrinks, which it does by itself.
//!
//! Keys are only read: the map keeps its own copy. They are of a fixed size (8-byte words by default), or byte strings of
//! any length (`options.key = CONEX_KEY_BYTES`); there is no key and no value that is reserved. A function gets a key as a
//! pointer and a length in bytes, which for keys of a fixed size is that size.
//!
//! Values are moved in exactly when the status says so. What comes out (`value`, `old`, `current`) is a copy: of the
//! bytes, or by the value's `clone`. A value type with `drop` and without `clone` cannot be copied: pass NULL for the
//! optional parameter, or use `conex_map_get_ref`, `conex_map_update` or `conex_map_for_each`. A value in the map is never
//! changed in place; an update puts a new one in its place, and the old one is dropped when nobody can be reading it any
//! more: later, on any thread that uses the domain.
//!
//! Values of at most 8 bytes, without `drop` and `clone`, lie in the table itself, and so do keys of a fixed size of at most
//! 8 bytes without callbacks. Other keys lie in one block each. So for counters, whatever their keys, nothing is allocated
//! and nothing retired but when a key comes or goes. Other values lie in one block with their key, and each update makes a
//! new one.
//!
//! Callbacks run on the calling thread, under a guard, and may call every function of the library for every object but
//! the one whose creation or destruction is under way.

use core::ffi::c_void;

use super::boundary::{answer, not_null, put};
use super::domain::conex_domain;
use super::element::{Element, conex_allocator, conex_element};
use super::handle::{self, Handle};
use super::map_elements::{Hasher, KeysAndValues};
use super::options::{self, Extensible};
use super::status::conex_status::{self, CONEX_ERR_INVALID, CONEX_OK};
use crate::map::{BlobMap, WordMap, random_seed};

/// A map; made by `conex_map_new`.
pub struct conex_map {
    pub(super) map: BlobMap<KeysAndValues>,
}

impl Handle for conex_map {
    const TAG: [u8; 8] = *b"cx:map!!";
}

impl core::fmt::Debug for conex_map {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("conex_map").finish_non_exhaustive()
    }
}

/// What the keys of a map are: `CONEX_KEY_FIXED` or `CONEX_KEY_BYTES`.
pub type conex_key_kind = i32;

/// Keys have the size that `key_element` says.
pub const CONEX_KEY_FIXED: conex_key_kind = 0;

/// Keys are byte strings of any length, 0 included.
pub const CONEX_KEY_BYTES: conex_key_kind = 1;

/// The hash of a key: equal keys must have equal hashes, always. Keys with equal hashes are told apart by `equal`, one after
/// the other; the map mixes the bits itself. It must not unwind.
pub type conex_hash_fn = Option<
    unsafe extern "C-unwind" fn(key: *const c_void, key_len: usize, seed: u64, ctx: *mut c_void) -> u64,
>;

/// Whether two keys are equal: an equivalence that never changes. It must not unwind.
pub type conex_equal_fn = Option<
    unsafe extern "C-unwind" fn(
        a: *const c_void,
        a_len: usize,
        b: *const c_void,
        b_len: usize,
        ctx: *mut c_void,
    ) -> bool,
>;

/// How a map is made. Initialise it with `CONEX_MAP_OPTIONS_INIT`, then change what should differ.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct conex_map_options {
    /// `sizeof(conex_map_options)`, as the macro sets it.
    pub struct_size: usize,
    /// Must be 0.
    pub flags: u64,
    /// What keys are.
    pub key: conex_key_kind,
    /// For `CONEX_KEY_FIXED`: size, alignment, and optionally `clone` and `drop` of keys, which come together: without
    /// them the map keeps a copy of the bytes. The map moves its keys, and may read a key at its old and its new place at
    /// the same time: neither may depend on its address. For `CONEX_KEY_BYTES` it must be as the macro sets it.
    pub key_element: conex_element,
    /// What values are; 8-byte words by default.
    pub value: conex_element,
    /// The hash of keys; NULL, together with `equal`, for a seeded hash of the bytes.
    pub hash: conex_hash_fn,
    /// The equality of keys; NULL, together with `hash`, for that of the bytes.
    pub equal: conex_equal_fn,
    /// Passed to `hash` and `equal`. It must stay valid until the map is destroyed.
    pub key_ctx: *mut c_void,
    /// The seed of the hash; 0 for one that is random for each map, so that nobody can choose keys that collide.
    pub seed: u64,
    /// Entries to make room for at once; 0 for a small map.
    pub capacity: usize,
    /// The domain that reclaims the map's memory; NULL for the default one. It must outlive the map.
    pub domain: *mut conex_domain,
    /// Where the map's memory comes from.
    pub allocator: conex_allocator,
}

// SAFETY: `repr(C)`, the size first; numbers, pointers and optional function pointers have no invalid bytes in C.
unsafe impl Extensible for conex_map_options {}

impl conex_map_options {
    pub(super) const DEFAULT: Self = Self {
        struct_size: size_of::<Self>(),
        flags: 0,
        key: CONEX_KEY_FIXED,
        key_element: conex_element::WORD,
        value: conex_element::WORD,
        hash: None,
        equal: None,
        key_ctx: core::ptr::null_mut(),
        seed: 0,
        capacity: 0,
        domain: core::ptr::null_mut(),
        allocator: conex_allocator::PROCESS,
    };

    fn check_keys(&self) -> Result<Option<Element>, conex_status> {
        let element = Element::check(&self.key_element)?;
        match self.key {
            // A copy of a key's bytes must not be dropped like the key, nor a clone not at all.
            CONEX_KEY_FIXED if element.drop.is_some() == element.clone.is_some() => Ok(Some(element)),
            CONEX_KEY_BYTES if element.is_word() && element.drop.is_none() && element.clone.is_none() => {
                Ok(None)
            }
            _ => Err(CONEX_ERR_INVALID),
        }
    }
}

/// Makes an empty map.
///
/// @param options  How; NULL for a map from 8-byte words to 8-byte words in the default domain.
/// @param out      Receives the map, with `CONEX_OK`. To be destroyed with `conex_map_destroy`.
///
/// @retval CONEX_OK
/// @retval CONEX_ERR_NULL       `out` is NULL.
/// @retval CONEX_ERR_INVALID    An option is out of range: see `conex_map_options` and `conex_element`.
/// @retval CONEX_ERR_HANDLE     `options->domain` is not a live domain.
/// @retval CONEX_ERR_NO_MEMORY
///
/// Progress: lock-free if the allocator is.
///
/// # Safety
/// Pointers that are not null are valid; `options` is readable for its `struct_size`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn conex_map_new(
    options: *const conex_map_options,
    out: *mut *mut conex_map,
) -> conex_status {
    answer(|| {
        not_null(out)?;
        // SAFETY: the caller's promise.
        let options = unsafe { options::read(options, conex_map_options::DEFAULT) }?;
        let key = options.check_keys()?;
        let value = Element::check(&options.value)?;
        if options.hash.is_some() != options.equal.is_some() {
            return Err(CONEX_ERR_INVALID);
        }
        // SAFETY: the caller's promise.
        let common = unsafe { options::common(options.flags, options.domain, &options.allocator) }?;
        let seed = if options.seed == 0 { random_seed() } else { options.seed };
        let (hash, equal, ctx) = (options.hash, options.equal, options.key_ctx);
        let hasher = Hasher::new(key.as_ref(), seed);
        let elements = KeysAndValues { key, value, hash, equal, ctx, seed, hasher };
        let map = handle::make(conex_map { map: BlobMap::new(elements, seed, options.capacity, &common)? })?;
        // SAFETY: the caller's promise.
        unsafe { put(out, map) };
        Ok(CONEX_OK)
    })
}

/// Destroys a map: ends the life of all keys and values that it holds or has retired, on this thread, and gives back all
/// its memory before it returns.
///
/// @param map  The map, which no other thread uses any more; NULL is allowed and does nothing.
///
/// @retval CONEX_OK
/// @retval CONEX_ERR_HANDLE  Not a live map (recently destroyed ones are recognised).
///
/// Progress: waits for a thread that is just giving back memory of this map, if there is one.
///
/// # Safety
/// `map` is null or points to readable memory; nobody else uses it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn conex_map_destroy(map: *mut conex_map) -> conex_status {
    answer(|| {
        if map.is_null() {
            return Ok(CONEX_OK);
        }
        // SAFETY: the caller's promise.
        drop(unsafe { handle::destroy(map, |_| Ok(())) }?);
        Ok(CONEX_OK)
    })
}

/// Checks a key, and gives it as a slice.
///
/// # Safety
/// `key` is null or readable for `len` bytes during `'a`.
#[inline(always)]
pub(super) unsafe fn key<'a>(
    map: &conex_map,
    key: *const c_void,
    len: usize,
) -> Result<&'a [u8], conex_status> {
    match map.map.elements().key {
        Some(element) => {
            not_null(key)?;
            if len != element.layout.size() {
                return Err(CONEX_ERR_INVALID);
            }
        }
        // An empty string may come without an address.
        None if len == 0 => return Ok(&[]),
        None => {
            not_null(key)?;
            if isize::try_from(len).is_err() {
                return Err(CONEX_ERR_INVALID);
            }
        }
    }
    // SAFETY: the caller's promise.
    Ok(unsafe { core::slice::from_raw_parts(key.cast(), len) })
}

/// The common case, first: a map from words to words, and a key that is one.
///
/// # Safety
/// `key` is null or readable for `len` bytes.
#[inline(always)]
pub(super) unsafe fn word(map: &conex_map, key: *const c_void, len: usize) -> Option<(&WordMap, u64)> {
    let words = map.map.words()?;
    if key.is_null() || len != 8 {
        return None;
    }
    // SAFETY: the caller's promise.
    Some((words, unsafe { key.cast::<u64>().read_unaligned() }))
}

/// Calls `body`, and keeps it out of the caller's code, so that the common case needs few registers.
#[inline(never)]
pub(super) fn apart<R>(body: impl FnOnce() -> R) -> R {
    body()
}
