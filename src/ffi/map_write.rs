//! Each of these functions is one atomic step on one key.

use core::cell::RefCell;
use core::ffi::c_void;

use super::boundary::{answer, not_null, put};
use super::handle;
use super::map::{self, apart, conex_map};
use super::map_elements::{Out, copy};
use super::status::conex_status::{self, *};
use crate::map::{Done, Intent};

/// Inserts a key, if it is not there.
///
/// @param map      The map.
/// @param key      The key.
/// @param key_len  Its length in bytes.
/// @param value    The value; with `CONEX_OK` it is the map's, with every other status it stays the caller's.
/// @param current  Optional. Receives a copy of the present value with `CONEX_EXISTS`.
///
/// @retval CONEX_OK
/// @retval CONEX_EXISTS
/// @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
/// @retval CONEX_ERR_INVALID    `key_len` is not the size of the map's keys, or the value type cannot be copied.
/// @retval CONEX_ERR_NO_MEMORY
/// @retval (a negative status)  What the `clone` of the key or of the value returned.
///
/// Progress: lock-free if the allocator is. Allocates for keys and values that do not lie in the table, and where a bucket is
/// full.
///
/// # Safety
/// Pointers that are not null are valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn conex_map_insert(
    map: *mut conex_map,
    key: *const c_void,
    key_len: usize,
    value: *const c_void,
    current: *mut c_void,
) -> conex_status {
    answer(|| {
        // SAFETY: the caller's promise.
        let map = unsafe { handle::get(map) }?;
        // SAFETY: the caller's promise.
        if let Some((words, key)) = unsafe { map::word(map, key, key_len) }
            && !value.is_null()
        {
            // SAFETY: the caller's promise.
            let value = unsafe { value.cast::<u64>().read_unaligned() };
            let Some(present) = words.insert(key, value)? else { return Ok(CONEX_OK) };
            // SAFETY: the caller's promise.
            unsafe { put(current.cast(), present) };
            return Ok(CONEX_EXISTS);
        }
        apart(|| {
            // SAFETY: the caller's promise.
            let key = unsafe { map::key(map, key, key_len) }?;
            let elements = map.map.elements();
            not_null(value)?;
            let out = RefCell::new(Out::new(&elements.value, current)?);
            map.map.change(
                key,
                |old, target| {
                    if let Some(old) = old {
                        // SAFETY: a value of the map.
                        unsafe { out.borrow_mut().prepare(old) }?;
                        return Ok(Intent::Keep);
                    }
                    // SAFETY: the caller's value, and room for one.
                    unsafe { copy(elements.value.layout, value.cast(), target.value()?) };
                    Ok(Intent::Store)
                },
                |done| match done {
                    Done::Kept(Some(present)) => {
                        // SAFETY: the value that was prepared; the out-parameter by the caller's promise.
                        unsafe { out.borrow_mut().finish(present) };
                        CONEX_EXISTS
                    }
                    _ => CONEX_OK,
                },
            )
        })
    })
}

/// Inserts a key, or replaces its value.
///
/// @param map      The map.
/// @param key      The key.
/// @param key_len  Its length in bytes.
/// @param value    The value; with `CONEX_OK` and `CONEX_EXISTS` it is the map's, with an error it stays the caller's.
/// @param old      Optional. Receives a copy of the replaced value with `CONEX_EXISTS`.
///
/// @retval CONEX_OK             Inserted.
/// @retval CONEX_EXISTS         Replaced.
/// @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
/// @retval CONEX_ERR_INVALID    `key_len` is not the size of the map's keys, or the value type cannot be copied.
/// @retval CONEX_ERR_NO_MEMORY
/// @retval (a negative status)  What the `clone` of the key or of the value returned.
///
/// Progress: lock-free if the allocator is; allocates as `conex_map_insert`.
///
/// # Safety
/// Pointers that are not null are valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn conex_map_upsert(
    map: *mut conex_map,
    key: *const c_void,
    key_len: usize,
    value: *const c_void,
    old: *mut c_void,
) -> conex_status {
    answer(|| {
        // SAFETY: the caller's promise.
        let map = unsafe { handle::get(map) }?;
        // SAFETY: the caller's promise.
        if let Some((words, key)) = unsafe { map::word(map, key, key_len) }
            && !value.is_null()
        {
            // SAFETY: the caller's promise.
            let value = unsafe { value.cast::<u64>().read_unaligned() };
            let Some(replaced) = words.upsert(key, value)? else { return Ok(CONEX_OK) };
            // SAFETY: the caller's promise.
            unsafe { put(old.cast(), replaced) };
            return Ok(CONEX_EXISTS);
        }
        apart(|| {
            // SAFETY: the caller's promise.
            let key = unsafe { map::key(map, key, key_len) }?;
            let elements = map.map.elements();
            not_null(value)?;
            let out = RefCell::new(Out::new(&elements.value, old)?);
            map.map.change(
                key,
                |present, target| {
                    if let Some(present) = present {
                        // SAFETY: a value of the map.
                        unsafe { out.borrow_mut().prepare(present) }?;
                    }
                    // SAFETY: the caller's value, and room for one.
                    unsafe { copy(elements.value.layout, value.cast(), target.value()?) };
                    Ok(Intent::Store)
                },
                |done| match done {
                    Done::Replaced(replaced) => {
                        // SAFETY: the value that was prepared; the out-parameter by the caller's promise.
                        unsafe { out.borrow_mut().finish(replaced) };
                        CONEX_EXISTS
                    }
                    _ => CONEX_OK,
                },
            )
        })
    })
}

/// Replaces the value of a key, if it is there.
///
/// @param map      The map.
/// @param key      The key.
/// @param key_len  Its length in bytes.
/// @param value    The value; with `CONEX_OK` it is the map's, with every other status it stays the caller's.
/// @param old      Optional. Receives a copy of the replaced value with `CONEX_OK`.
///
/// @retval CONEX_OK
/// @retval CONEX_NOT_FOUND
/// @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
/// @retval CONEX_ERR_INVALID    `key_len` is not the size of the map's keys, or the value type cannot be copied.
/// @retval CONEX_ERR_NO_MEMORY
/// @retval (a negative status)  What the `clone` of the value returned.
///
/// Progress: lock-free if the allocator is; allocates as `conex_map_insert`.
///
/// # Safety
/// Pointers that are not null are valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn conex_map_replace(
    map: *mut conex_map,
    key: *const c_void,
    key_len: usize,
    value: *const c_void,
    old: *mut c_void,
) -> conex_status {
    answer(|| {
        // SAFETY: the caller's promise.
        let map = unsafe { handle::get(map) }?;
        // SAFETY: the caller's promise.
        if let Some((words, key)) = unsafe { map::word(map, key, key_len) }
            && !value.is_null()
        {
            // SAFETY: the caller's promise.
            let value = unsafe { value.cast::<u64>().read_unaligned() };
            let Some(replaced) = words.replace(key, value)? else { return Ok(CONEX_NOT_FOUND) };
            // SAFETY: the caller's promise.
            unsafe { put(old.cast(), replaced) };
            return Ok(CONEX_OK);
        }
        apart(|| {
            // SAFETY: the caller's promise.
            let key = unsafe { map::key(map, key, key_len) }?;
            let elements = map.map.elements();
            not_null(value)?;
            let out = RefCell::new(Out::new(&elements.value, old)?);
            map.map.change(
                key,
                |present, target| {
                    let Some(present) = present else { return Ok(Intent::Keep) };
                    // SAFETY: a value of the map.
                    unsafe { out.borrow_mut().prepare(present) }?;
                    // SAFETY: the caller's value, and room for one.
                    unsafe { copy(elements.value.layout, value.cast(), target.value()?) };
                    Ok(Intent::Store)
                },
                |done| match done {
                    Done::Replaced(replaced) => {
                        // SAFETY: the value that was prepared; the out-parameter by the caller's promise.
                        unsafe { out.borrow_mut().finish(replaced) };
                        CONEX_OK
                    }
                    _ => CONEX_NOT_FOUND,
                },
            )
        })
    })
}

/// Removes a key.
///
/// @param map      The map.
/// @param key      The key.
/// @param key_len  Its length in bytes.
/// @param old      Optional. Receives a copy of the removed value with `CONEX_OK`. The value itself is dropped later, when
///                 nobody can be reading it any more.
///
/// @retval CONEX_OK
/// @retval CONEX_NOT_FOUND
/// @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
/// @retval CONEX_ERR_INVALID    `key_len` is not the size of the map's keys, or the value type cannot be copied.
/// @retval CONEX_ERR_NO_MEMORY  Only where more keys than a bucket holds have met in one.
/// @retval (a negative status)  What the `clone` of the value returned.
///
/// Progress: lock-free if the allocator is.
///
/// # Safety
/// Pointers that are not null are valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn conex_map_remove(
    map: *mut conex_map,
    key: *const c_void,
    key_len: usize,
    old: *mut c_void,
) -> conex_status {
    answer(|| {
        // SAFETY: the caller's promise.
        let map = unsafe { handle::get(map) }?;
        // SAFETY: the caller's promise.
        if let Some((words, key)) = unsafe { map::word(map, key, key_len) } {
            let Some(removed) = words.remove(key)? else { return Ok(CONEX_NOT_FOUND) };
            // SAFETY: the caller's promise.
            unsafe { put(old.cast(), removed) };
            return Ok(CONEX_OK);
        }
        apart(|| {
            // SAFETY: the caller's promise.
            let key = unsafe { map::key(map, key, key_len) }?;
            let elements = map.map.elements();
            let out = RefCell::new(Out::new(&elements.value, old)?);
            map.map.change(
                key,
                |present, _| {
                    let Some(present) = present else { return Ok(Intent::Keep) };
                    // SAFETY: a value of the map.
                    unsafe { out.borrow_mut().prepare(present) }?;
                    Ok(Intent::Remove)
                },
                |done| match done {
                    Done::Removed(removed) => {
                        // SAFETY: the value that was prepared; the out-parameter by the caller's promise.
                        unsafe { out.borrow_mut().finish(removed) };
                        CONEX_OK
                    }
                    _ => CONEX_NOT_FOUND,
                },
            )
        })
    })
}

/// Replaces the value of a key, if its bytes are those of another one.
///
/// @param map      The map.
/// @param key      The key.
/// @param key_len  Its length in bytes.
/// @param expected  The value to compare with.
/// @param desired   The value to put in its place; with `CONEX_OK` it is the map's.
/// @param current   Optional. Receives a copy of the present value with `CONEX_MISMATCH`.
///
/// @retval CONEX_OK
/// @retval CONEX_MISMATCH
/// @retval CONEX_NOT_FOUND
/// @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
/// @retval CONEX_ERR_INVALID    `key_len` is not the size of the map's keys, or values have `drop` or `clone`: what is
///                              equal for them the bytes do not tell (use `conex_map_update`).
/// @retval CONEX_ERR_NO_MEMORY
///
/// Progress: lock-free if the allocator is; allocates as `conex_map_insert`.
///
/// # Safety
/// Pointers that are not null are valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn conex_map_compare_exchange(
    map: *mut conex_map,
    key: *const c_void,
    key_len: usize,
    expected: *const c_void,
    desired: *const c_void,
    current: *mut c_void,
) -> conex_status {
    answer(|| {
        // SAFETY: the caller's promise.
        let map = unsafe { handle::get(map) }?;
        // SAFETY: the caller's promise.
        if let Some((words, key)) = unsafe { map::word(map, key, key_len) }
            && !expected.is_null()
            && !desired.is_null()
        {
            // SAFETY: the caller's promise.
            let expected = unsafe { expected.cast::<u64>().read_unaligned() };
            // SAFETY: the caller's promise.
            let desired = unsafe { desired.cast::<u64>().read_unaligned() };
            let Some(present) = words.compare_exchange(key, expected, desired)? else {
                return Ok(CONEX_NOT_FOUND);
            };
            if present == expected {
                return Ok(CONEX_OK);
            }
            // SAFETY: the caller's promise.
            unsafe { put(current.cast(), present) };
            return Ok(CONEX_MISMATCH);
        }
        apart(|| {
            // SAFETY: the caller's promise.
            let key = unsafe { map::key(map, key, key_len) }?;
            let elements = map.map.elements();
            not_null(expected)?;
            not_null(desired)?;
            if !elements.values_are_bytes() {
                return Err(CONEX_ERR_INVALID);
            }
            let layout = elements.value.layout;
            // SAFETY: readable for a value by the caller's promise.
            let expected = unsafe { core::slice::from_raw_parts(expected.cast::<u8>(), layout.size()) };
            map.map.change(
                key,
                |present, target| {
                    let Some(present) = present else { return Ok(Intent::Keep) };
                    // SAFETY: a value of the map.
                    if unsafe { core::slice::from_raw_parts(present, layout.size()) } != expected {
                        return Ok(Intent::Keep);
                    }
                    // SAFETY: the caller's value, and room for one.
                    unsafe { copy(layout, desired.cast(), target.value()?) };
                    Ok(Intent::Store)
                },
                |done| match done {
                    Done::Kept(None) => CONEX_NOT_FOUND,
                    Done::Kept(Some(present)) => {
                        if !current.is_null() {
                            // SAFETY: a value of the map; the out-parameter by the caller's promise.
                            unsafe { copy(layout, present, current.cast()) };
                        }
                        CONEX_MISMATCH
                    }
                    _ => CONEX_OK,
                },
            )
        })
    })
}
