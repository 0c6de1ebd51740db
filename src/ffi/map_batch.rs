//! A batch is many operations in one call: each key is an atomic step of its own, in the order of the array. It is faster
//! than single calls, because the memory for the next keys is fetched while one is being worked on.
//!
//! For keys of a fixed size, `keys` is an array of `n` keys; for byte strings, of `n` `conex_bytes`. Values stand one after
//! the other, and `statuses[i]` says how the operation on key `i` ended. If one ends with an error, the call ends there,
//! and this and all later keys have that error as their status; nothing was done for them.

use core::ffi::c_void;

use super::boundary::{answer, array_bytes, not_null, put};
use super::handle;
use super::map::conex_map;
use super::map_elements::{Out, copy};
use super::status::conex_status::{self, *};
use crate::map::{Done, Intent, Word, WordBatch, WordMap};

/// A byte string: `len` bytes at `data`, which may be NULL if `len` is 0.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct conex_bytes {
    /// Where it begins.
    pub data: *const c_void,
    /// Its length in bytes.
    pub len: usize,
}

/// Copies out the values of many keys.
///
/// @param map       The map.
/// @param keys      The keys.
/// @param n         How many.
/// @param values    Room for `n` values; those with status `CONEX_OK` are written.
/// @param statuses  Room for `n` statuses: `CONEX_OK` or `CONEX_NOT_FOUND`, or the error that ended the call.
/// @param count     Optional. Receives how many statuses are `CONEX_OK`, also with an error of `clone`.
///
/// @retval CONEX_OK
/// @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
/// @retval CONEX_ERR_INVALID    No array can have `n` elements, a string is too long, or the value type cannot be copied.
/// @retval (a negative status)  What the value's `clone` returned.
///
/// Progress: lock-free, apart from `clone`; allocates only for values that are cloned.
///
/// # Safety
/// Pointers that are not null are valid, arrays for `n` elements.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn conex_map_get_n(
    map: *const conex_map,
    keys: *const c_void,
    n: usize,
    values: *mut c_void,
    statuses: *mut conex_status,
    count: *mut usize,
) -> conex_status {
    answer(|| {
        // SAFETY: the caller's promise.
        let map = unsafe { handle::get(map) }?;
        let element = &map.map.elements().value;
        // SAFETY: the caller's promise.
        let batch = unsafe { Batch::new(map, keys, n, statuses, count) }?;
        batch.check_array(values, element.layout.size())?;
        Out::new(element, values)?;
        if let Some(words) = map.map.words() {
            let values = values.cast::<u64>();
            return batch.run_words(words, |batch, i, word| {
                let Some(value) = batch.get(word) else { return Ok(CONEX_NOT_FOUND) };
                // SAFETY: room for `n` values by the caller's promise.
                let to = unsafe { values.add(i) };
                // SAFETY: as above.
                unsafe { to.write_unaligned(value) };
                Ok(CONEX_OK)
            });
        }
        batch.run(|i, key| {
            // SAFETY: room for `n` values by the caller's promise.
            let to = unsafe { values.cast::<u8>().add(i * element.layout.size()) };
            let mut out = Out::new(element, to.cast())?;
            let found = map.map.read(key, |from| {
                // SAFETY: a value of the map.
                unsafe { out.prepare(from) }?;
                // SAFETY: the same value, and room for it.
                unsafe { out.finish(from) };
                Ok(CONEX_OK)
            });
            found.unwrap_or(Ok(CONEX_NOT_FOUND))
        })
    })
}

/// Inserts many keys, each if it is not there.
///
/// @param map       The map.
/// @param keys      The keys.
/// @param values    Their values; those with status `CONEX_OK` are the map's, all others stay the caller's.
/// @param n         How many.
/// @param statuses  Room for `n` statuses: `CONEX_OK` or `CONEX_EXISTS`, or the error that ended the call.
/// @param count     Optional. Receives how many statuses are `CONEX_OK`, also with an error that ended the call.
///
/// @retval CONEX_OK
/// @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
/// @retval CONEX_ERR_INVALID    No array can have `n` elements, or a string is too long.
/// @retval CONEX_ERR_NO_MEMORY
/// @retval (a negative status)  What the key's `clone` returned.
///
/// Progress: lock-free if the allocator is; allocates as `conex_map_insert`.
///
/// # Safety
/// Pointers that are not null are valid, arrays for `n` elements.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn conex_map_insert_n(
    map: *mut conex_map,
    keys: *const c_void,
    values: *const c_void,
    n: usize,
    statuses: *mut conex_status,
    count: *mut usize,
) -> conex_status {
    answer(|| {
        // SAFETY: the caller's promise.
        let map = unsafe { handle::get(map) }?;
        let layout = map.map.elements().value.layout;
        // SAFETY: the caller's promise.
        let batch = unsafe { Batch::new(map, keys, n, statuses, count) }?;
        batch.check_array(values, layout.size())?;
        if let Some(words) = map.map.words() {
            let values = values.cast::<u64>();
            return batch.run_words(words, |batch, i, word| {
                // SAFETY: within the caller's `n` values.
                let from = unsafe { values.add(i) };
                // SAFETY: readable by the caller's promise.
                let value = unsafe { from.read_unaligned() };
                Ok(if batch.insert(word, value)? { CONEX_OK } else { CONEX_EXISTS })
            });
        }
        batch.run(|i, key| {
            // SAFETY: within the caller's `n` values.
            let value = unsafe { values.cast::<u8>().add(i * layout.size()) };
            map.map.change(
                key,
                |old, target| {
                    if old.is_some() {
                        return Ok(Intent::Keep);
                    }
                    // SAFETY: the caller's value, and room for one.
                    unsafe { copy(layout, value, target.value()?) };
                    Ok(Intent::Store)
                },
                |done| if matches!(done, Done::Inserted) { CONEX_OK } else { CONEX_EXISTS },
            )
        })
    })
}

/// Removes many keys.
///
/// @param map       The map.
/// @param keys      The keys.
/// @param n         How many.
/// @param statuses  Room for `n` statuses: `CONEX_OK` or `CONEX_NOT_FOUND`, or the error that ended the call.
/// @param count     Optional. Receives how many statuses are `CONEX_OK`, also with an error that ended the call.
///
/// @retval CONEX_OK
/// @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
/// @retval CONEX_ERR_INVALID    No array can have `n` elements, or a string is too long.
/// @retval CONEX_ERR_NO_MEMORY  As for `conex_map_remove`.
///
/// Progress: lock-free if the allocator is.
///
/// # Safety
/// Pointers that are not null are valid, arrays for `n` elements.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn conex_map_remove_n(
    map: *mut conex_map,
    keys: *const c_void,
    n: usize,
    statuses: *mut conex_status,
    count: *mut usize,
) -> conex_status {
    answer(|| {
        // SAFETY: the caller's promise.
        let map = unsafe { handle::get(map) }?;
        // SAFETY: the caller's promise.
        let batch = unsafe { Batch::new(map, keys, n, statuses, count) }?;
        if let Some(words) = map.map.words() {
            return batch.run_words(words, |batch, _, word| {
                Ok(if batch.remove(word)? { CONEX_OK } else { CONEX_NOT_FOUND })
            });
        }
        batch.run(|_, key| {
            map.map.change(
                key,
                |_, _| Ok(Intent::Remove),
                |done| if matches!(done, Done::Removed(_)) { CONEX_OK } else { CONEX_NOT_FOUND },
            )
        })
    })
}

/// How many keys are looked up between two renewals of the pin, and fetched ahead.
const WINDOW: usize = 32;

/// The arrays of a batch, checked.
struct Batch<'a> {
    map: &'a conex_map,
    keys: *const c_void,
    n: usize,
    statuses: *mut conex_status,
    count: *mut usize,
}

impl<'a> Batch<'a> {
    /// # Safety
    /// `keys` and `statuses` are valid for `n` elements, or null; so are the strings, and `count`.
    unsafe fn new(
        map: &'a conex_map,
        keys: *const c_void,
        n: usize,
        statuses: *mut conex_status,
        count: *mut usize,
    ) -> Result<Self, conex_status> {
        let this = Self { map, keys, n, statuses, count };
        this.check_array(keys, this.stride())?;
        this.check_array(statuses, size_of::<conex_status>())?;
        if map.map.elements().key.is_none() {
            // All before any: nothing happens if one is wrong.
            for i in 0..n {
                let bytes = this.string(i);
                if bytes.len > 0 {
                    not_null(bytes.data)?;
                }
                array_bytes(bytes.len, 1)?;
            }
        }
        Ok(this)
    }

    fn check_array<T>(&self, array: *const T, size: usize) -> Result<(), conex_status> {
        array_bytes(self.n, size)?;
        if self.n > 0 { not_null(array) } else { Ok(()) }
    }

    fn stride(&self) -> usize {
        self.map.map.elements().key.map_or(size_of::<conex_bytes>(), |key| key.layout.size())
    }

    fn string(&self, i: usize) -> conex_bytes {
        // SAFETY: within the array, by the promise of `new`.
        let at = unsafe { self.keys.cast::<u8>().add(i * size_of::<conex_bytes>()) };
        // SAFETY: readable, by the promise of `new`.
        unsafe { at.cast::<conex_bytes>().read_unaligned() }
    }

    fn key(&self, i: usize) -> &'a [u8] {
        let (data, len) = match self.map.map.elements().key {
            Some(key) => {
                let len = key.layout.size();
                // SAFETY: within the array, by the promise of `new`.
                (unsafe { self.keys.cast::<u8>().add(i * len) }, len)
            }
            None => match self.string(i) {
                conex_bytes { len: 0, .. } => return &[],
                bytes => (bytes.data.cast(), bytes.len),
            },
        };
        // SAFETY: readable, by the promise of `new`.
        unsafe { core::slice::from_raw_parts(data, len) }
    }

    /// As [`Batch::run`], for a map from words to words.
    #[inline(always)]
    fn run_words(
        &self,
        words: &WordMap,
        mut one: impl FnMut(&WordBatch<'_>, usize, Word) -> Result<conex_status, conex_status>,
    ) -> Result<conex_status, conex_status> {
        let keys = self.keys.cast::<u64>();
        let key = |i| {
            // SAFETY: within the array, by the promise of `new`.
            let at = unsafe { keys.add(i) };
            // SAFETY: readable, by the promise of `new`.
            unsafe { at.read_unaligned() }
        };
        let write = |i, status| {
            // SAFETY: within the array, by the promise of `new`.
            let to = unsafe { self.statuses.add(i) };
            // SAFETY: writable, by the promise of `new`.
            unsafe { to.write_unaligned(status) };
        };
        let (mut done, mut ok) = (0, 0);
        let result = WordBatch::new(words).run(self.n, key, |batch, i, word| {
            let status = one(batch, i, word)?;
            ok += usize::from(status == CONEX_OK);
            write(i, status);
            done = i + 1;
            Ok(())
        });
        if let Err(error) = result {
            (done..self.n).for_each(|i| write(i, error));
        }
        // SAFETY: by the promise of `new`.
        unsafe { put(self.count, ok) };
        Ok(result.err().unwrap_or(CONEX_OK))
    }

    /// Calls `one` for each key, and writes the statuses and the count.
    fn run(
        &self,
        mut one: impl FnMut(usize, &'a [u8]) -> Result<conex_status, conex_status>,
    ) -> Result<conex_status, conex_status> {
        let mut ok = 0;
        let mut result = CONEX_OK;
        // That of the last key; once it is an error, also that of those behind it.
        let mut status = CONEX_OK;
        for begin in (0..self.n).step_by(WINDOW) {
            let end = self.n.min(begin + WINDOW);
            let session = self.map.map.pin();
            (begin..end).for_each(|i| self.map.map.prefetch(self.key(i)));
            (begin..end).for_each(|i| self.map.map.prefetch_entry(&session, self.key(i)));
            for i in begin..end {
                if result == CONEX_OK {
                    status = match one(i, self.key(i)) {
                        Ok(status) => status,
                        Err(error) => {
                            result = error;
                            error
                        }
                    };
                }
                ok += usize::from(status == CONEX_OK);
                // SAFETY: within the array, by the promise of `new`.
                let to = unsafe { self.statuses.add(i) };
                // SAFETY: writable, by the promise of `new`.
                unsafe { to.write_unaligned(status) };
            }
        }
        // SAFETY: by the promise of `new`.
        unsafe { put(self.count, ok) };
        Ok(result)
    }
}
