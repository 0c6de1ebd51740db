//! Each of these functions reads one entry.

use core::ffi::c_void;

use super::boundary::{answer, not_null, put};
use super::guard::conex_guard;
use super::handle;
use super::map::{self, apart, conex_map};
use super::map_elements::Out;
use super::status::conex_status::{self, *};

/// Copies out the value of a key.
///
/// @param map      The map.
/// @param key      The key.
/// @param key_len  Its length in bytes.
/// @param value    Receives the value with `CONEX_OK`.
///
/// @retval CONEX_OK
/// @retval CONEX_NOT_FOUND
/// @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
/// @retval CONEX_ERR_INVALID    `key_len` is not the size of the map's keys, or the value type cannot be copied.
/// @retval (a negative status)  What the value's `clone` returned.
///
/// Progress: lock-free, apart from `clone`; allocates only for values that are cloned.
///
/// # Safety
/// Pointers that are not null are valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn conex_map_get(
    map: *const conex_map,
    key: *const c_void,
    key_len: usize,
    value: *mut c_void,
) -> conex_status {
    answer(|| {
        // SAFETY: the caller's promise.
        let map = unsafe { handle::get(map) }?;
        // SAFETY: the caller's promise.
        if let Some((words, key)) = unsafe { map::word(map, key, key_len) }
            && !value.is_null()
        {
            let Some(found) = words.get(key) else { return Ok(CONEX_NOT_FOUND) };
            // SAFETY: the caller's promise.
            unsafe { put(value.cast(), found) };
            return Ok(CONEX_OK);
        }
        apart(|| {
            // SAFETY: the caller's promise.
            let key = unsafe { map::key(map, key, key_len) }?;
            let elements = map.map.elements();
            not_null(value)?;
            let mut out = Out::new(&elements.value, value)?;
            let found = map.map.read(key, |from| {
                // SAFETY: a value of the map.
                unsafe { out.prepare(from) }?;
                // SAFETY: the same value; the out-parameter is writable by the caller's promise.
                unsafe { out.finish(from) };
                Ok(CONEX_OK)
            });
            found.unwrap_or(Ok(CONEX_NOT_FOUND))
        })
    })
}

/// Tells whether a key is there.
///
/// @param map      The map.
/// @param key      The key.
/// @param key_len  Its length in bytes.
/// @param found    Receives the answer with `CONEX_OK`.
///
/// @retval CONEX_OK
/// @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
/// @retval CONEX_ERR_INVALID  `key_len` is not the size of the map's keys.
///
/// Progress: lock-free; does not allocate.
///
/// # Safety
/// Pointers that are not null are valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn conex_map_contains(
    map: *const conex_map,
    key: *const c_void,
    key_len: usize,
    found: *mut bool,
) -> conex_status {
    answer(|| {
        // SAFETY: the caller's promise.
        let map = unsafe { handle::get(map) }?;
        // SAFETY: the caller's promise.
        if let Some((words, key)) = unsafe { map::word(map, key, key_len) }
            && !found.is_null()
        {
            // SAFETY: the caller's promise.
            unsafe { put(found, words.get(key).is_some()) };
            return Ok(CONEX_OK);
        }
        apart(|| {
            // SAFETY: the caller's promise.
            let key = unsafe { map::key(map, key, key_len) }?;
            not_null(found)?;
            let is_there = map.map.read(key, |_| ()).is_some();
            // SAFETY: the caller's promise.
            unsafe { put(found, is_there) };
            Ok(CONEX_OK)
        })
    })
}

/// Gives a pointer to the value of a key, which stays readable and unchanged, also when the entry is replaced or removed,
/// until the guard is refreshed or left, or the map destroyed.
///
/// @param map      The map.
/// @param guard    A guard of the map's domain, entered by the calling thread.
/// @param key      The key.
/// @param key_len  Its length in bytes.
/// @param value    Receives the pointer with `CONEX_OK`.
///
/// @retval CONEX_OK
/// @retval CONEX_NOT_FOUND
/// @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
/// @retval CONEX_ERR_INVALID    `key_len` is not the size of the map's keys; or the guard is of another domain or thread.
/// @retval CONEX_ERR_NO_MEMORY
///
/// Progress: lock-free. Allocates, for a copy, if values have at most 8 bytes and no callbacks.
///
/// # Safety
/// Pointers that are not null are valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn conex_map_get_ref(
    map: *const conex_map,
    guard: *mut conex_guard,
    key: *const c_void,
    key_len: usize,
    value: *mut *const c_void,
) -> conex_status {
    answer(|| {
        // SAFETY: the caller's promise.
        let map = unsafe { handle::get(map) }?;
        // SAFETY: the caller's promise.
        let guard = unsafe { handle::get(guard) }?;
        // SAFETY: the caller's promise.
        let key = unsafe { map::key(map, key, key_len) }?;
        guard.check_thread()?;
        if !guard.is_of(map.map.domain()) {
            return Err(CONEX_ERR_INVALID);
        }
        not_null(value)?;
        let Some(found) = map.map.lend(key)? else { return Ok(CONEX_NOT_FOUND) };
        // SAFETY: the caller's promise.
        unsafe { put(value, found.cast()) };
        Ok(CONEX_OK)
    })
}
