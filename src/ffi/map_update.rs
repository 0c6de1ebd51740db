//! These functions compute the new value from the present one, in one atomic step.

use core::cell::RefCell;
use core::ffi::c_void;

use super::boundary::{answer, put};
use super::handle;
use super::map::{self, apart, conex_map};
use super::map_elements::{Out, Temp, copy, from_callback};
use super::status::conex_status::{self, *};
use crate::map::{Done, Intent};

/// What a `conex_update_fn` decides: `CONEX_KEEP`, `CONEX_STORE` or `CONEX_REMOVE`.
pub type conex_decision = i32;

/// Leave the entry, or its absence, as it is.
pub const CONEX_KEEP: conex_decision = 0;

/// Insert the value that was constructed, or replace the present one by it.
pub const CONEX_STORE: conex_decision = 1;

/// Remove the entry, if there is one.
pub const CONEX_REMOVE: conex_decision = 2;

/// Decides about an entry. `old` is its value, NULL if there is none; `value` is room for a new one, uninitialised.
/// Returns a `conex_decision`, for `CONEX_STORE` after having constructed `*value`; or a negative `conex_status`, which the
/// operation then returns with nothing changed. It must not unwind.
pub type conex_update_fn = Option<
    unsafe extern "C-unwind" fn(
        key: *const c_void,
        key_len: usize,
        old: *const c_void,
        value: *mut c_void,
        ctx: *mut c_void,
    ) -> i32,
>;

/// What `conex_map_update` did: `CONEX_UNCHANGED`, `CONEX_INSERTED`, `CONEX_REPLACED` or `CONEX_REMOVED`.
pub type conex_change = i32;

/// Nothing.
pub const CONEX_UNCHANGED: conex_change = 0;

/// The key was not there, and is now.
pub const CONEX_INSERTED: conex_change = 1;

/// The value was replaced.
pub const CONEX_REPLACED: conex_change = 2;

/// The key was there, and is not any more.
pub const CONEX_REMOVED: conex_change = 3;

/// Inserts, replaces, removes or leaves an entry, as a callback decides from its present value, in one atomic step.
///
/// @param map      The map.
/// @param key      The key.
/// @param key_len  Its length in bytes.
/// @param update   Decides. It may be called more than once, whenever the entry was changed before the decision could be
///                 carried out; a value that it constructed and that is not stored in the end is dropped.
/// @param ctx      Passed to `update`.
/// @param change   Optional. Receives what was done, with `CONEX_OK`.
///
/// @retval CONEX_OK
/// @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
/// @retval CONEX_ERR_INVALID    `key_len` is not the size of the map's keys, or `update` returned no decision and no
///                              status.
/// @retval CONEX_ERR_NO_MEMORY  Nothing was changed; what `update` constructed was dropped.
/// @retval (a negative status)  What `update`, or the key's `clone`, returned.
///
/// Progress: lock-free if `update` and the allocator are; allocates as `conex_map_insert`.
///
/// # Safety
/// Pointers that are not null are valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn conex_map_update(
    map: *mut conex_map,
    key: *const c_void,
    key_len: usize,
    update: conex_update_fn,
    ctx: *mut c_void,
    change: *mut conex_change,
) -> conex_status {
    answer(|| {
        // SAFETY: the caller's promise.
        let map = unsafe { handle::get(map) }?;
        // SAFETY: the caller's promise.
        let key = unsafe { map::key(map, key, key_len) }?;
        let update = update.ok_or(CONEX_ERR_NULL)?;
        let done = map.map.change(
            key,
            |old, target| {
                let old = old.map_or(core::ptr::null(), <*const u8>::cast);
                let value = target.value()?.cast();
                // SAFETY: the header's contract for the callback.
                match unsafe { update(key.as_ptr().cast(), key.len(), old, value, ctx) } {
                    CONEX_KEEP => Ok(Intent::Keep),
                    CONEX_REMOVE => Ok(Intent::Remove),
                    CONEX_STORE => {
                        // SAFETY: constructed by the callback.
                        unsafe { target.own_value() };
                        Ok(Intent::Store)
                    }
                    status if status < 0 => Err(from_callback(status).err().unwrap_or(CONEX_ERR_INVALID)),
                    _ => Err(CONEX_ERR_INVALID),
                }
            },
            |done| match done {
                Done::Kept(_) => CONEX_UNCHANGED,
                Done::Inserted => CONEX_INSERTED,
                Done::Replaced(_) => CONEX_REPLACED,
                Done::Removed(_) => CONEX_REMOVED,
            },
        )?;
        // SAFETY: the caller's promise.
        unsafe { put(change, done) };
        Ok(CONEX_OK)
    })
}

/// Constructs a value in `*value`, which is uninitialised. Returns 0, or a negative `conex_status`, which the operation
/// then returns with nothing changed. It must not unwind.
pub type conex_make_fn = Option<unsafe extern "C-unwind" fn(value: *mut c_void, ctx: *mut c_void) -> i32>;

/// Gets the value of a key, which is inserted if it is not there.
///
/// @param map      The map.
/// @param key      The key.
/// @param key_len  Its length in bytes.
/// @param make     Constructs the value to be inserted; called once at most, and not at all if the key is there. A value
///                 that it constructed and that is not inserted, because another thread came first, is dropped.
/// @param ctx      Passed to `make`.
/// @param value    Optional. Receives a copy of the value that is there now, with `CONEX_OK` and `CONEX_EXISTS`.
///
/// @retval CONEX_OK             Inserted.
/// @retval CONEX_EXISTS         It was there.
/// @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
/// @retval CONEX_ERR_INVALID    `key_len` is not the size of the map's keys, or the value type cannot be copied.
/// @retval CONEX_ERR_NO_MEMORY
/// @retval (a negative status)  What `make`, or the `clone` of the key or of the value, returned.
///
/// Progress: lock-free if `make` and the allocator are; allocates as `conex_map_insert`.
///
/// # Safety
/// Pointers that are not null are valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn conex_map_get_or_insert(
    map: *mut conex_map,
    key: *const c_void,
    key_len: usize,
    make: conex_make_fn,
    ctx: *mut c_void,
    value: *mut c_void,
) -> conex_status {
    answer(|| {
        // SAFETY: the caller's promise.
        let map = unsafe { handle::get(map) }?;
        // SAFETY: the caller's promise.
        let key = unsafe { map::key(map, key, key_len) }?;
        let elements = map.map.elements();
        let make = make.ok_or(CONEX_ERR_NULL)?;
        let out = RefCell::new(Out::new(&elements.value, value)?);
        let made = RefCell::new(Temp::new(&elements.value));
        map.map.change(
            key,
            |present, target| {
                if let Some(present) = present {
                    // SAFETY: a value of the map.
                    unsafe { out.borrow_mut().prepare(present) }?;
                    return Ok(Intent::Keep);
                }
                let mut made = made.borrow_mut();
                let from = made.at()?;
                // What is there is kept, and that is the end of it: nothing is made twice.
                // SAFETY: the header's contract for the callback; room for a value.
                from_callback(unsafe { make(from.cast(), ctx) })?;
                // SAFETY: constructed just now.
                unsafe { made.set_made(true) };
                // SAFETY: the value that is to be the map's.
                unsafe { out.borrow_mut().prepare(from) }?;
                // The bytes only: the value stays `made`'s until it is the map's.
                // SAFETY: a value, and room for one.
                unsafe { copy(elements.value.layout, from, target.value()?) };
                Ok(Intent::Store)
            },
            |done| {
                let mut made = made.borrow_mut();
                let (status, from) = match done {
                    Done::Kept(Some(present)) => (CONEX_EXISTS, present),
                    _ => {
                        // SAFETY: its bytes are the map's now.
                        unsafe { made.set_made(false) };
                        (CONEX_OK, made.at()?.cast_const())
                    }
                };
                // SAFETY: the value that was prepared; the out-parameter by the caller's promise.
                unsafe { out.borrow_mut().finish(from) };
                Ok(status)
            },
        )?
    })
}

/// Adds to a value that is a number of 8 bytes, wrapping around; a key that is not there counts as 0 and is inserted.
///
/// @param map      The map.
/// @param key      The key.
/// @param key_len  Its length in bytes.
/// @param delta     What to add.
/// @param previous  Optional. Receives the number before, with `CONEX_OK`.
///
/// @retval CONEX_OK
/// @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
/// @retval CONEX_ERR_INVALID    `key_len` is not the size of the map's keys, or values are not 8 bytes without `drop` and
///                              `clone`.
/// @retval CONEX_ERR_NO_MEMORY
/// @retval (a negative status)  What the key's `clone` returned.
///
/// Progress: lock-free if the allocator is; allocates as `conex_map_insert`.
///
/// # Safety
/// Pointers that are not null are valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn conex_map_fetch_add(
    map: *mut conex_map,
    key: *const c_void,
    key_len: usize,
    delta: u64,
    previous: *mut u64,
) -> conex_status {
    answer(|| {
        // SAFETY: the caller's promise.
        let map = unsafe { handle::get(map) }?;
        // SAFETY: the caller's promise.
        if let Some((words, key)) = unsafe { map::word(map, key, key_len) } {
            let before = words.fetch_add(key, delta)?;
            // SAFETY: the caller's promise.
            unsafe { put(previous, before) };
            return Ok(CONEX_OK);
        }
        apart(|| {
            // SAFETY: the caller's promise.
            let key = unsafe { map::key(map, key, key_len) }?;
            let elements = map.map.elements();
            if elements.value.layout.size() != 8 || !elements.values_are_bytes() {
                return Err(CONEX_ERR_INVALID);
            }
            // SAFETY: a value of the map, of eight bytes.
            let number = |at: *const u8| unsafe { at.cast::<u64>().read_unaligned() };
            let before = map.map.change(
                key,
                |present, target| {
                    let sum = present.map_or(0, number).wrapping_add(delta);
                    // SAFETY: room for a value, of eight bytes.
                    unsafe { target.value()?.cast::<u64>().write_unaligned(sum) };
                    Ok(Intent::Store)
                },
                |done| match done {
                    Done::Replaced(old) => number(old),
                    _ => 0,
                },
            )?;
            // SAFETY: the caller's promise.
            unsafe { put(previous, before) };
            Ok(CONEX_OK)
        })
    })
}
