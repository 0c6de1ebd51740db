//! One operation each of the map's C functions, and what they call.

use std::ffi::c_void;
use std::ptr::{null, null_mut};
use std::sync::atomic::Ordering;

use conex::ffi::guard::*;
use conex::ffi::map_all::*;
use conex::ffi::map_batch::*;
use conex::ffi::map_read::*;
use conex::ffi::map_update::*;
use conex::ffi::map_write::*;
use conex::ffi::status::conex_status::*;

use crate::driver::Worker;
use crate::map::*;

/// What callbacks are given.
struct Context<'a>(&'a OfMap, &'a mut Worker, u64);

unsafe fn context<'a>(ctx: *mut c_void) -> &'a mut Context<'a> {
    unsafe { &mut *ctx.cast::<Context<'a>>() }
}

unsafe fn number_of(key: *const c_void) -> u64 {
    unsafe { key.cast::<u64>().read_unaligned() }
}

unsafe extern "C-unwind" fn visit(
    key: *const c_void,
    _: usize,
    value: *const c_void,
    ctx: *mut c_void,
) -> i32 {
    let (Context(map, _, visited), number) = unsafe { (context(ctx), number_of(key)) };
    *visited += 1;
    if !(COUNTERS..RETAIN).contains(&number) {
        let word = unsafe { value.cast::<u64>().read_unaligned() };
        let words = if map.codec == Codec::Entries {
            unsafe { value.cast::<Value>().read_unaligned() }
        } else {
            [word, !word, word]
        };
        map.check(number, &words);
    }
    0
}

unsafe extern "C-unwind" fn keep(key: *const c_void, _: usize, _: *const c_void, _: *mut c_void) -> i32 {
    i32::from(!(RETAIN..BULK).contains(&unsafe { number_of(key) }))
}

/// Keeps, removes or stores, in turn.
unsafe extern "C-unwind" fn update(
    _: *const c_void,
    _: usize,
    old: *const c_void,
    to: *mut c_void,
    ctx: *mut c_void,
) -> i32 {
    let Context(map, worker, number) = unsafe { context(ctx) };
    let decision = worker.below(4) as i32;
    if decision < 2 && !old.is_null() {
        return if decision == 0 { CONEX_KEEP } else { CONEX_REMOVE };
    }
    unsafe { make_value(map, worker, *number, to) };
    CONEX_STORE
}

unsafe extern "C-unwind" fn make(to: *mut c_void, ctx: *mut c_void) -> i32 {
    let Context(map, worker, number) = unsafe { context(ctx) };
    unsafe { make_value(map, worker, *number, to) };
    0
}

unsafe fn make_value(map: &OfMap, worker: &mut Worker, number: u64, to: *mut c_void) {
    let new = value(worker, number);
    let words = if map.codec == Codec::Entries { 3 } else { 1 };
    unsafe { to.cast::<u64>().copy_from_nonoverlapping(new.as_ptr(), words) };
}

/// Checks all entries, and tells how many there are.
pub(crate) fn visit_all(map: &OfMap, worker: &mut Worker) -> u64 {
    let mut context = Context(map, worker, 0);
    must(unsafe { conex_map_for_each(map.map, Some(visit), to(&mut context)) });
    context.2
}

impl OfMap {
    pub(crate) fn operate(&self, worker: &mut Worker, operation: &str) {
        let map = self.map;
        let number = worker.below(HOT);
        let key = self.key(number);
        let (data, len) = (key.data(), key.1);
        let (new, mut found) = (value(worker, number), [0; 3]);
        match operation {
            "get" => {
                let status = unsafe { conex_map_get(map, data, len, to(&mut found)) };
                self.seen(number, status, &found);
            }
            "contains" => must(unsafe { conex_map_contains(map, data, len, &mut false) }),
            "insert" => self.insert(worker, number),
            "upsert" => match unsafe { conex_map_upsert(map, data, len, at(&new), to(&mut found)) } {
                CONEX_OK => self.count(number, 1),
                CONEX_EXISTS => self.check(number, &found),
                status => panic!("upsert: {status:?}"),
            },
            "replace" => {
                let status = unsafe { conex_map_replace(map, data, len, at(&new), to(&mut found)) };
                self.seen(number, status, &found);
            }
            "remove" => self.remove(worker, number),
            "compare_exchange" => {
                let status = unsafe { conex_map_get(map, data, len, to(&mut found)) };
                self.seen(number, status, &found);
                let mut current = [0; 3];
                match unsafe {
                    conex_map_compare_exchange(map, data, len, at(&found), at(&new), to(&mut current))
                } {
                    CONEX_OK | CONEX_NOT_FOUND => {}
                    CONEX_MISMATCH => self.check(number, &current),
                    status => panic!("compare_exchange: {status:?}"),
                }
            }
            "update" => {
                let mut change = CONEX_UNCHANGED;
                let mut context = Context(self, worker, number);
                must(unsafe {
                    conex_map_update(map, data, len, Some(update), to(&mut context), &mut change)
                });
                self.count(number, i64::from(change == CONEX_INSERTED) - i64::from(change == CONEX_REMOVED));
            }
            "get_or_insert" => {
                let mut context = Context(self, worker, number);
                let ctx = to(&mut context);
                match unsafe { conex_map_get_or_insert(map, data, len, Some(make), ctx, to(&mut found)) } {
                    CONEX_OK => self.count(number, 1),
                    CONEX_EXISTS => {}
                    status => panic!("get_or_insert: {status:?}"),
                }
                self.check(number, &found);
            }
            "fetch_add" => {
                // Of maps whose values are words.
                if self.codec != Codec::Entries {
                    let counter = self.key(COUNTERS + worker.below(COUNTER_KEYS));
                    must(unsafe { conex_map_fetch_add(map, counter.data(), counter.1, 3, &mut 0) });
                    self.added.fetch_add(3, Ordering::SeqCst);
                }
            }
            "get_ref" => {
                let guard = self.guard();
                let mut value = null();
                let status = unsafe { conex_map_get_ref(map, guard, data, len, &mut value) };
                if status == CONEX_OK {
                    assert_eq!(unsafe { value.cast::<u64>().read() } >> 32, number, "a value of another key");
                } else {
                    assert_eq!(status, CONEX_NOT_FOUND);
                }
                must(unsafe { conex_guard_leave(guard) });
            }
            "for_each" => {
                must(unsafe { conex_map_for_each(map, Some(visit), to(&mut Context(self, worker, 0))) })
            }
            "scan" => {
                let mut cursor = 0;
                loop {
                    let mut context = Context(self, worker, 0);
                    match unsafe { conex_map_scan(map, &mut cursor, 8, Some(visit), to(&mut context)) } {
                        CONEX_OK => {}
                        CONEX_EMPTY => break,
                        status => panic!("scan: {status:?}"),
                    }
                }
            }
            "retain" => {
                self.insert(worker, RETAIN + worker.id);
                let mut removed = 0;
                must(unsafe { conex_map_retain(map, Some(keep), null_mut(), &mut removed) });
            }
            "clear" => must(unsafe { conex_map_clear(map) }),
            "len" => must(unsafe { conex_map_len(map, &mut 0) }),
            "is_empty" => must(unsafe { conex_map_is_empty(map, &mut false) }),
            "stats" => drop(self.stats()),
            "reserve" => must(unsafe { conex_map_reserve(map, 30) }),
            "shrink" => must(unsafe { conex_map_shrink(map) }),
            "session" => {
                let guard = self.guard();
                self.insert(worker, number);
                must(unsafe { conex_guard_refresh(guard) });
                self.remove(worker, number);
                must(unsafe { conex_guard_leave(guard) });
            }
            batch => self.batch(worker, batch),
        }
    }

    fn batch(&self, worker: &mut Worker, operation: &str) {
        let numbers: [u64; BATCH] = std::array::from_fn(|_| worker.below(HOT));
        let keys = numbers.map(|number| self.key(number));
        let strings: Vec<conex_bytes> =
            keys.iter().map(|key| conex_bytes { data: key.data(), len: key.1 }).collect();
        let keys = if self.codec == Codec::Words { at(&numbers) } else { strings.as_ptr().cast() };
        let width = if self.codec == Codec::Entries { 3 } else { 1 };
        let mut values: Vec<u64> =
            numbers.iter().flat_map(|&number| value(worker, number)[..width].to_vec()).collect();
        let mut statuses = [CONEX_OK; BATCH];
        let mut n = 0;
        let (map, at, answers) = (self.map, values.as_mut_ptr(), statuses.as_mut_ptr());
        must(unsafe {
            match operation {
                "get_n" => conex_map_get_n(map, keys, BATCH, at.cast(), answers, &mut n),
                "insert_n" => conex_map_insert_n(map, keys, at.cast(), BATCH, answers, &mut n),
                _ => conex_map_remove_n(map, keys, BATCH, answers, &mut n),
            }
        });
        for (i, number) in numbers.into_iter().enumerate().filter(|(i, _)| statuses[*i] == CONEX_OK) {
            match operation {
                "get_n" => assert_eq!(values[i * width] >> 32, number, "a value of another key"),
                "insert_n" => self.count(number, 1),
                _ => self.count(number, -1),
            }
        }
    }
}
