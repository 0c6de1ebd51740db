//! These functions work on all entries of a map, bucket by bucket, while others go on.

use core::ffi::c_void;
use core::ops::ControlFlow;

use super::boundary::{answer, not_null, put};
use super::handle;
use super::map::conex_map;
use super::map_elements::from_callback;
use super::options::{self, Extensible};
use super::status::conex_status::{self, *};
use crate::map::Stats;

/// Called with an entry: key and value are aligned, and valid for the call. Returns 0 to go on, 1 to stop, or a negative
/// `conex_status` to stop and have it returned. It must not unwind.
pub type conex_visit_fn = Option<
    unsafe extern "C-unwind" fn(
        key: *const c_void,
        key_len: usize,
        value: *const c_void,
        ctx: *mut c_void,
    ) -> i32,
>;

/// Why a visit ended early: `None` because it was told to stop.
type Stopped = Option<conex_status>;

/// Visits the entries of one region; returns where the next one begins, and how many there were.
fn visit_region(
    map: &conex_map,
    first: u64,
    visit: unsafe extern "C-unwind" fn(*const c_void, usize, *const c_void, *mut c_void) -> i32,
    ctx: *mut c_void,
) -> ControlFlow<Stopped, (Option<u64>, usize)> {
    map.map.visit_region(first, |key, value| call(visit, key, value, ctx))
}

/// Calls the callback with one entry.
#[inline(always)]
fn call(
    visit: unsafe extern "C-unwind" fn(*const c_void, usize, *const c_void, *mut c_void) -> i32,
    key: &[u8],
    value: *const u8,
    ctx: *mut c_void,
) -> ControlFlow<Stopped> {
    // SAFETY: the header's contract for the callback.
    match unsafe { visit(key.as_ptr().cast(), key.len(), value.cast(), ctx) } {
        0 => ControlFlow::Continue(()),
        1 => ControlFlow::Break(None),
        status => ControlFlow::Break(from_callback(status).err()),
    }
}

/// Calls a callback with every entry. An entry that is there throughout is visited once, also when the map grows or
/// shrinks meanwhile; one that comes or goes meanwhile, once or not at all.
///
/// @param map    The map.
/// @param visit  Called with each entry. It may change the map.
/// @param ctx    Passed to `visit`.
///
/// @retval CONEX_OK             All were visited, or `visit` returned 1.
/// @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
/// @retval CONEX_ERR_INVALID    `visit` returned a number that it must not return.
/// @retval (a negative status)  What `visit` returned.
///
/// Progress: lock-free, apart from `visit`; does not allocate. The guard is renewed every few buckets.
///
/// # Safety
/// Pointers that are not null are valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn conex_map_for_each(
    map: *const conex_map,
    visit: conex_visit_fn,
    ctx: *mut c_void,
) -> conex_status {
    answer(|| {
        // SAFETY: the caller's promise.
        let map = unsafe { handle::get(map) }?;
        let visit = visit.ok_or(CONEX_ERR_NULL)?;
        let mut cursor = Some(0);
        while let Some(first) = cursor {
            match map.map.visit_some(first, |key, value| call(visit, key, value, ctx)) {
                ControlFlow::Continue(next) => cursor = next,
                ControlFlow::Break(None) => return Ok(CONEX_OK),
                ControlFlow::Break(Some(status)) => return Err(status),
            }
        }
        Ok(CONEX_OK)
    })
}

/// Visits some entries, and says where to go on. The cursor is all the state there is: it stays good for as long as one
/// likes, whatever happens to the map. An entry that is there from the first call to the last is visited exactly once,
/// also when the map grows or shrinks meanwhile.
///
/// @param map     The map.
/// @param cursor  Where to begin: 0 for the beginning, otherwise what the last call wrote. Receives where to go on, 0 at
///                the end. If `visit` stops early, it receives where the bucket begins in which it stopped; entries of
///                this bucket are then visited again.
/// @param limit   How many entries to visit, about: at least one, if there is one, and all of the bucket in which the
///                limit is reached.
/// @param visit   Called with each entry. It may change the map.
/// @param ctx     Passed to `visit`.
///
/// @retval CONEX_OK             There may be more.
/// @retval CONEX_EMPTY          The end was reached; `*cursor` is 0. Entries may have been visited before.
/// @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
/// @retval CONEX_ERR_INVALID    `visit` returned a number that it must not return.
/// @retval (a negative status)  What `visit` returned.
///
/// Progress: lock-free, apart from `visit`; does not allocate.
///
/// # Safety
/// Pointers that are not null are valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn conex_map_scan(
    map: *const conex_map,
    cursor: *mut u64,
    limit: usize,
    visit: conex_visit_fn,
    ctx: *mut c_void,
) -> conex_status {
    answer(|| {
        // SAFETY: the caller's promise.
        let map = unsafe { handle::get(map) }?;
        not_null(cursor)?;
        let visit = visit.ok_or(CONEX_ERR_NULL)?;
        // SAFETY: the caller's promise.
        let mut first = unsafe { cursor.read_unaligned() };
        let mut visited = 0;
        let result = loop {
            match visit_region(map, first, visit, ctx) {
                ControlFlow::Continue((None, _)) => {
                    first = 0;
                    break Ok(CONEX_EMPTY);
                }
                ControlFlow::Continue((Some(next), entries)) => {
                    first = next;
                    visited += entries;
                }
                ControlFlow::Break(None) => break Ok(CONEX_OK),
                ControlFlow::Break(Some(status)) => break Err(status),
            }
            if visited >= limit.max(1) {
                break Ok(CONEX_OK);
            }
        };
        // SAFETY: the caller's promise.
        unsafe { put(cursor, first) };
        result
    })
}

/// Whether to keep an entry. Returns 1 to keep it, 0 to remove it, or a negative `conex_status` to stop and have it
/// returned. It must not unwind.
pub type conex_keep_fn = conex_visit_fn;

/// Removes the entries that a callback does not want to keep.
///
/// @param map      The map.
/// @param keep     Called with each entry. An entry is removed only if its value is still the one that `keep` saw;
///                 otherwise `keep` is called again with the new one.
/// @param ctx      Passed to `keep`.
/// @param removed  Optional. Receives how many entries were removed, also with an error that ended the call early.
///
/// @retval CONEX_OK
/// @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
/// @retval CONEX_ERR_INVALID    `keep` returned a number that it must not return.
/// @retval CONEX_ERR_NO_MEMORY  As for `conex_map_remove`.
/// @retval (a negative status)  What `keep` returned.
///
/// Progress: lock-free, apart from `keep`, if the allocator is.
///
/// # Safety
/// Pointers that are not null are valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn conex_map_retain(
    map: *mut conex_map,
    keep: conex_keep_fn,
    ctx: *mut c_void,
    removed: *mut usize,
) -> conex_status {
    answer(|| {
        // SAFETY: the caller's promise.
        let map = unsafe { handle::get(map) }?;
        let keep = keep.ok_or(CONEX_ERR_NULL)?;
        let (count, result) = map.map.retain(|key, value| {
            // SAFETY: the header's contract for the callback.
            match unsafe { keep(key.as_ptr().cast(), key.len(), value.cast(), ctx) } {
                1 => Ok(true),
                0 => Ok(false),
                status => Err(from_callback(status).err().unwrap_or(CONEX_ERR_INVALID)),
            }
        });
        // SAFETY: the caller's promise.
        unsafe { put(removed, count) };
        result.map(|()| CONEX_OK)
    })
}

/// Removes every entry, bucket by bucket: what other threads insert meanwhile may stay. The table is given back.
///
/// @param map  The map.
///
/// @retval CONEX_OK
/// @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
/// @retval CONEX_ERR_NO_MEMORY  Memory was needed to finish a resize that is under way; some entries may be left.
///
/// Progress: lock-free if the allocator is.
///
/// # Safety
/// `map` is null or points to readable memory.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn conex_map_clear(map: *mut conex_map) -> conex_status {
    answer(|| {
        // SAFETY: the caller's promise.
        unsafe { handle::get(map) }?.map.clear()?;
        Ok(CONEX_OK)
    })
}

/// Makes room for a number of entries, so that inserts up to that number do not grow the map.
///
/// @param map      The map.
/// @param entries  How many entries in all, those that are there included.
///
/// @retval CONEX_OK
/// @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
/// @retval CONEX_ERR_NO_MEMORY  The map goes on with the room it has.
///
/// Progress: lock-free if the allocator is. Other threads may use the map meanwhile.
///
/// # Safety
/// `map` is null or points to readable memory.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn conex_map_reserve(map: *mut conex_map, entries: usize) -> conex_status {
    answer(|| {
        // SAFETY: the caller's promise.
        unsafe { handle::get(map) }?.map.reserve(entries)?;
        Ok(CONEX_OK)
    })
}

/// Brings the table down to what the entries need. A map also shrinks by itself, later, when entries are removed.
///
/// @param map  The map.
///
/// @retval CONEX_OK
/// @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
/// @retval CONEX_ERR_NO_MEMORY  The map goes on with the table it has.
///
/// Progress: lock-free if the allocator is. Other threads may use the map meanwhile.
///
/// # Safety
/// `map` is null or points to readable memory.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn conex_map_shrink(map: *mut conex_map) -> conex_status {
    answer(|| {
        // SAFETY: the caller's promise.
        unsafe { handle::get(map) }?.map.shrink()?;
        Ok(CONEX_OK)
    })
}

/// Tells how many entries the map has: exactly if no operation is under way, otherwise about.
///
/// @param map  The map.
/// @param len  Receives the number with `CONEX_OK`.
///
/// @retval CONEX_OK
/// @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
///
/// Progress: wait-free; does not allocate.
///
/// # Safety
/// Pointers that are not null are valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn conex_map_len(map: *const conex_map, len: *mut usize) -> conex_status {
    answer(|| {
        // SAFETY: the caller's promise.
        let map = unsafe { handle::get(map) }?;
        not_null(len)?;
        // SAFETY: the caller's promise.
        unsafe { put(len, map.map.len()) };
        Ok(CONEX_OK)
    })
}

/// Tells whether `conex_map_len` is 0.
///
/// @param map    The map.
/// @param empty  Receives the answer with `CONEX_OK`.
///
/// @retval CONEX_OK
/// @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
///
/// Progress: wait-free; does not allocate.
///
/// # Safety
/// Pointers that are not null are valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn conex_map_is_empty(map: *const conex_map, empty: *mut bool) -> conex_status {
    answer(|| {
        // SAFETY: the caller's promise.
        let map = unsafe { handle::get(map) }?;
        not_null(empty)?;
        // SAFETY: the caller's promise.
        unsafe { put(empty, map.map.len() == 0) };
        Ok(CONEX_OK)
    })
}

/// What a map is made of. Initialise it with `CONEX_MAP_STATS_INIT`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct conex_map_stats {
    /// `sizeof(conex_map_stats)`, as the macro sets it.
    pub struct_size: usize,
    /// As `conex_map_len`.
    pub entries: usize,
    /// Buckets of the table; one is two cache lines, 128 bytes.
    pub buckets: usize,
    /// Bytes of the tables and of all that is in them, without what waits in the domain and what elements own.
    pub bytes: usize,
    /// How often the map has begun to grow.
    pub growths: u64,
    /// How often it has begun to shrink.
    pub shrinks: u64,
    /// 1 while entries are being moved to another table, otherwise 0.
    pub resizing: u32,
}

// SAFETY: `repr(C)`, the size first; any bytes are numbers.
unsafe impl Extensible for conex_map_stats {}

/// Tells what a map is made of.
///
/// @param map    The map.
/// @param stats  Receives the numbers with `CONEX_OK`; its `struct_size` must be set.
///
/// @retval CONEX_OK
/// @retval CONEX_ERR_NULL, CONEX_ERR_HANDLE
/// @retval CONEX_ERR_INVALID  `stats->struct_size` is too small, or absurd.
///
/// Progress: lock-free; does not allocate.
///
/// # Safety
/// Pointers that are not null are valid, `stats` for its `struct_size`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn conex_map_stats_get(
    map: *const conex_map,
    stats: *mut conex_map_stats,
) -> conex_status {
    answer(|| {
        // SAFETY: the caller's promise.
        let map = unsafe { handle::get(map) }?;
        not_null(stats)?;
        // SAFETY: the caller's promise.
        let struct_size = unsafe { options::written_size(stats) }?;
        let Stats { entries, buckets, bytes, growths, shrinks, resizing } = map.map.stats();
        let resizing = u32::from(resizing);
        // SAFETY: the caller's promise.
        unsafe {
            put(stats, conex_map_stats { struct_size, entries, buckets, bytes, growths, shrinks, resizing });
        }
        Ok(CONEX_OK)
    })
}
