//! The map's C functions with keys and values that own something, and when copies fail or memory runs out.

#![cfg(all(not(loom), feature = "capi"))]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    clippy::undocumented_unsafe_blocks,
    reason = "calls of C functions"
)]

mod common;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::ptr::null_mut;
use std::sync::atomic::Ordering;

use common::map::*;
use conex::ffi::map::*;
use conex::ffi::map_all::*;
use conex::ffi::map_read::*;
use conex::ffi::map_update::*;
use conex::ffi::map_write::*;
use conex::ffi::status::conex_status::{self, *};

unsafe extern "C-unwind" fn store_owner(
    _: *const c_void,
    _: usize,
    _: *const c_void,
    value: *mut c_void,
    ctx: *mut c_void,
) -> i32 {
    unsafe { make_owner(value, ctx) };
    CONEX_STORE
}

/// The scenario of the two tests below: every operation on keys and values that own something. Operations that fail are
/// tried again, once; nothing is lost or dropped twice on the way.
fn owning_scenario(map: *mut conex_map, keys: &Owner, values: &Owner, failures: &mut usize) {
    let mut expected: BTreeMap<u64, u64> = BTreeMap::new();
    for n in 0..24_u64 {
        for operation in 0..6 {
            let id = n % 12;
            let key = keys.make(id);
            let value = values.make(n);
            let mut out = MaybeUninit::<[usize; 2]>::uninit();
            let before = contents_of_owners(map);
            let mut tries = 0;
            loop {
                let o = out.as_mut_ptr().cast();
                let ctx = std::ptr::from_ref(values).cast_mut().cast();
                let (k, v) = (at(&key), at(&value));
                let status = unsafe {
                    match operation {
                        0 => conex_map_insert(map, k, 16, v, o),
                        1 => conex_map_upsert(map, k, 16, v, o),
                        2 => conex_map_replace(map, k, 16, v, o),
                        3 => conex_map_get_or_insert(map, k, 16, Some(make_owner), ctx, o),
                        4 => conex_map_update(map, k, 16, Some(store_owner), ctx, null_mut()),
                        _ if n % 5 == 0 => conex_map_remove(map, k, 16, o),
                        _ => conex_map_get(map, k, 16, o),
                    }
                };
                if (status as i32) < 0 {
                    assert_eq!(status, CONEX_ERR_NO_MEMORY);
                    assert_eq!(contents_of_owners(map), before, "a failed call has changed something");
                    *failures += 1;
                    tries += 1;
                    assert!(tries < 3);
                    continue;
                }
                let old = expected.get(&id).copied();
                let taken = match operation {
                    0 => {
                        expected.entry(id).or_insert(n);
                        assert_eq!(status, if old.is_some() { CONEX_EXISTS } else { CONEX_OK });
                        old.is_none()
                    }
                    1 => {
                        expected.insert(id, n);
                        assert_eq!(status, if old.is_some() { CONEX_EXISTS } else { CONEX_OK });
                        true
                    }
                    2 => {
                        assert_eq!(status, if old.is_some() { CONEX_OK } else { CONEX_NOT_FOUND });
                        if old.is_some() {
                            expected.insert(id, n);
                        }
                        old.is_some()
                    }
                    3 => {
                        expected.entry(id).or_insert(1000);
                        false
                    }
                    4 => {
                        expected.insert(id, 1000);
                        false
                    }
                    _ => {
                        if n % 5 == 0 {
                            expected.remove(&id);
                        }
                        false
                    }
                };
                let out_is = match (operation, old) {
                    (0..=2, Some(old)) => Some(old),
                    (3, old) => Some(old.unwrap_or(1000)),
                    (5, Some(old)) => Some(old),
                    _ => None,
                };
                if let Some(expected) = out_is {
                    let copy = unsafe { out.assume_init() };
                    assert_eq!(Owner::read(&copy), expected);
                    values.end(copy);
                }
                if !taken {
                    values.end(value);
                }
                break;
            }
            keys.end(key);
        }
    }
    assert_eq!(contents_of_owners(map), expected);
}

fn contents_of_owners(map: *mut conex_map) -> BTreeMap<u64, u64> {
    unsafe extern "C-unwind" fn visit(
        key: *const c_void,
        _: usize,
        value: *const c_void,
        ctx: *mut c_void,
    ) -> i32 {
        let (key, value) = (Owner::read(unsafe { &*key.cast() }), Owner::read(unsafe { &*value.cast() }));
        assert_eq!(unsafe { &mut *ctx.cast::<BTreeMap<u64, u64>>() }.insert(key, value), None);
        0
    }
    let mut seen = BTreeMap::new();
    assert_eq!(unsafe { conex_map_for_each(map, Some(visit), to(&mut seen)) }, CONEX_OK);
    seen
}

#[test]
fn owning_elements_are_copied_and_dropped_once() {
    let (keys, values) = (Owner::new(), Owner::new());
    let map = new(&owners(&keys, &values));
    let mut failures = 0;
    owning_scenario(map, &keys, &values, &mut failures);
    assert_eq!(failures, 0);
    assert_eq!(unsafe { conex_map_destroy(map) }, CONEX_OK);
    assert_eq!((keys.live.into_inner(), values.live.into_inner()), (0, 0));
}

#[test]
fn failing_clones_change_nothing() {
    for of_keys in [true, false] {
        for n in (0..).step_by(if cfg!(miri) { 37 } else { 1 }) {
            let (keys, values) = (Owner::new(), Owner::new());
            let map = new(&owners(&keys, &values));
            let failing = if of_keys { &keys } else { &values };
            failing.clones_until_failure.store(n, Ordering::SeqCst);
            let mut failures = 0;
            owning_scenario(map, &keys, &values, &mut failures);
            assert_eq!(unsafe { conex_map_destroy(map) }, CONEX_OK);
            assert_eq!((keys.live.into_inner(), values.live.into_inner()), (0, 0));
            if failures == 0 {
                assert!(n > 5);
                break;
            }
        }
    }
}

/// For every N: the N-th allocation fails, and nothing is lost.
#[test]
fn failing_memory_changes_nothing_for_owners() {
    for n in (0..).step_by(if cfg!(miri) { 37 } else { 1 }) {
        let (keys, values, memory) = (Owner::new(), Owner::new(), Memory::failing_after(n));
        let options = conex_map_options { allocator: memory.allocator(), ..owners(&keys, &values) };
        let mut map = null_mut();
        let status = unsafe { conex_map_new(&options, &mut map) };
        if n == 0 {
            assert_eq!((status, map), (CONEX_ERR_NO_MEMORY, null_mut()));
            continue;
        }
        assert_eq!(status, CONEX_OK);
        let mut failures = 0;
        owning_scenario(map, &keys, &values, &mut failures);
        assert_eq!(unsafe { conex_map_destroy(map) }, CONEX_OK);
        assert_eq!((keys.live.into_inner(), values.live.into_inner()), (0, 0));
        assert_eq!(memory.outstanding.into_inner(), 0);
        if memory.calls.into_inner() <= n {
            break;
        }
    }
}

/// The same for words, where allocations are tables and overflow nodes: with all keys in a few buckets.
#[test]
fn failing_memory_changes_nothing_for_words() {
    let keys = 150_u64;
    for n in (1..).step_by(if cfg!(miri) { 29 } else { 1 }) {
        let memory = Memory::failing_after(n);
        let map = new(&conex_map_options { allocator: memory.allocator(), seed: 1, ..options() });
        let mut model = BTreeMap::new();
        let mut failures = 0;
        let mut persist = |call: &mut dyn FnMut() -> conex_status| {
            for _ in 0..3 {
                let before = len(map);
                match call() {
                    CONEX_ERR_NO_MEMORY => {
                        failures += 1;
                        assert_eq!(len(map), before);
                    }
                    status => return status,
                }
            }
            panic!("no memory though only one allocation fails")
        };
        for key in 0..keys {
            let status = persist(&mut || unsafe { conex_map_insert(map, at(&key), 8, at(&key), null_mut()) });
            assert_eq!(status, CONEX_OK);
            model.insert(key, key);
        }
        for key in 0..keys {
            let status = persist(&mut || unsafe { conex_map_fetch_add(map, at(&key), 8, 1, null_mut()) });
            assert_eq!(status, CONEX_OK);
            *model.get_mut(&key).unwrap() += 1;
        }
        for key in (0..keys).filter(|key| key % 4 != 0) {
            let status = persist(&mut || unsafe { conex_map_remove(map, at(&key), 8, null_mut()) });
            assert_eq!(status, CONEX_OK);
            model.remove(&key);
        }
        for call in [conex_map_shrink, conex_map_clear] {
            let seen: BTreeMap<_, _> = contents(map, 8)
                .into_iter()
                .map(|(k, v)| {
                    (u64::from_ne_bytes(k.try_into().unwrap()), u64::from_ne_bytes(v.try_into().unwrap()))
                })
                .collect();
            assert_eq!(seen, model);
            assert_eq!(persist(&mut || unsafe { call(map) }), CONEX_OK);
        }
        assert_eq!(len(map), 0);
        assert_eq!(unsafe { conex_map_destroy(map) }, CONEX_OK);
        assert_eq!(memory.outstanding.into_inner(), 0);
        if memory.calls.into_inner() <= n {
            break;
        }
    }
}

/// Keys that own something, with values that are words: a key is copied when it is inserted, and dropped once after it was
/// removed, whatever fails on the way.
#[test]
fn owning_keys_of_words_are_copied_and_dropped_once() {
    for kind in 0..2 {
        for n in (0..).step_by(if cfg!(miri) { 37 } else { 1 }) {
            let (keys, memory) =
                (Owner::new(), Memory::failing_after(if kind == 0 { n + 1 } else { isize::MAX }));
            if kind == 1 {
                keys.clones_until_failure.store(n, Ordering::SeqCst);
            }
            let map = new(&conex_map_options {
                allocator: memory.allocator(),
                value: WORD,
                ..owners(&keys, &Owner::new())
            });
            let mut failures = 0;
            let mut model = BTreeMap::new();
            for i in 0..80_u64 {
                let id = i * 7 % 20;
                let key = keys.make(id);
                loop {
                    let before = len(map);
                    let mut previous = 77;
                    let status = unsafe {
                        match i % 4 {
                            3 => conex_map_remove(map, at(&key), 16, null_mut()),
                            2 => conex_map_insert(map, at(&key), 16, at(&i), null_mut()),
                            _ => conex_map_fetch_add(map, at(&key), 16, i, &mut previous),
                        }
                    };
                    if (status as i32) < 0 {
                        assert_eq!((status, len(map), previous), (CONEX_ERR_NO_MEMORY, before, 77));
                        failures += 1;
                        continue;
                    }
                    match i % 4 {
                        3 => drop(model.remove(&id)),
                        2 => drop(model.entry(id).or_insert(i)),
                        _ => {
                            let value = model.entry(id).or_insert(0);
                            assert_eq!(previous, *value);
                            *value += i;
                        }
                    }
                    break;
                }
                keys.end(key);
            }
            unsafe extern "C-unwind" fn visit(
                key: *const c_void,
                _: usize,
                value: *const c_void,
                ctx: *mut c_void,
            ) -> i32 {
                let key = Owner::read(unsafe { &*key.cast() });
                let seen = unsafe { &mut *ctx.cast::<BTreeMap<u64, u64>>() };
                assert_eq!(seen.insert(key, unsafe { *value.cast::<u64>() }), None);
                0
            }
            let mut seen = BTreeMap::new();
            assert_eq!(unsafe { conex_map_for_each(map, Some(visit), to(&mut seen)) }, CONEX_OK);
            assert_eq!(seen, model);
            assert_eq!(unsafe { conex_map_destroy(map) }, CONEX_OK);
            assert_eq!(keys.live.into_inner(), 0);
            assert_eq!(memory.outstanding.into_inner(), 0);
            if failures == 0 {
                assert!(n > 5);
                break;
            }
        }
    }
}

/// While a value is being made the map grows, so that its maker is not asked where it was: the value is made once all the same,
/// and is the map's.
#[test]
fn a_value_is_made_once_though_the_map_grows_meanwhile() {
    struct Growing<'a>(*mut conex_map, &'a Owner, &'a Owner, Cell<u32>);
    unsafe extern "C-unwind" fn make(value: *mut c_void, ctx: *mut c_void) -> i32 {
        let Growing(map, keys, values, made) = unsafe { &*ctx.cast::<Growing<'_>>() };
        made.set(made.get() + 1);
        for n in 100..200 {
            let (key, value) = (keys.make(n), values.make(n));
            assert_eq!(unsafe { conex_map_insert(*map, at(&key), 16, at(&value), null_mut()) }, CONEX_OK);
            keys.end(key);
        }
        unsafe { value.cast::<[usize; 2]>().write(values.make(7)) };
        0
    }
    let (keys, values) = (Owner::new(), Owner::new());
    let map = new(&owners(&keys, &values));
    let growing = Growing(map, &keys, &values, Cell::new(0));
    let (key, mut out) = (keys.make(1), [0_usize; 2]);
    let ctx = std::ptr::from_ref(&growing).cast_mut().cast();
    let status = unsafe { conex_map_get_or_insert(map, at(&key), 16, Some(make), ctx, to(&mut out)) };
    assert_eq!((status, Owner::read(&out), growing.3.get()), (CONEX_OK, 7, 1));
    values.end(out);
    assert_eq!(len(map), 101);
    assert_eq!(unsafe { conex_map_get(map, at(&key), 16, to(&mut out)) }, CONEX_OK);
    assert_eq!(Owner::read(&out), 7);
    values.end(out);
    keys.end(key);
    assert_eq!(unsafe { conex_map_destroy(map) }, CONEX_OK);
    assert_eq!((keys.live.load(Ordering::SeqCst), values.live.load(Ordering::SeqCst)), (0, 0));
}
