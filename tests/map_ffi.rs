//! The C functions of the map do what a model does, with keys and values of every kind.

#![cfg(all(not(loom), feature = "capi"))]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    clippy::undocumented_unsafe_blocks,
    reason = "calls of C functions"
)]

mod common;

use std::collections::HashMap;
use std::ffi::c_void;
use std::ptr::{null, null_mut};

use common::map::*;
use common::scaled;
use conex::ffi::guard::{conex_guard, conex_guard_enter, conex_guard_leave};
use conex::ffi::map::*;
use conex::ffi::map_all::*;
use conex::ffi::map_read::*;
use conex::ffi::map_update::*;
use conex::ffi::map_write::*;
use conex::ffi::status::conex_status::*;

unsafe extern "C-unwind" fn bad_hash(_: *const c_void, len: usize, _: u64, ctx: *mut c_void) -> u64 {
    assert_eq!(ctx as usize, 77);
    len as u64 % 2
}

unsafe extern "C-unwind" fn bytes_equal(
    a: *const c_void,
    a_len: usize,
    b: *const c_void,
    b_len: usize,
    _: *mut c_void,
) -> bool {
    let slice = |at: *const c_void, len| unsafe { std::slice::from_raw_parts(at.cast::<u8>(), len) };
    slice(a, a_len) == slice(b, b_len)
}

struct BadlyHashed(Bytes);

impl Kind for BadlyHashed {
    fn options(&self) -> conex_map_options {
        conex_map_options {
            hash: Some(bad_hash),
            equal: Some(bytes_equal),
            key_ctx: 77 as *mut c_void,
            ..self.0.options()
        }
    }

    fn key(&self, n: u64) -> Vec<u8> {
        self.0.key(n)
    }

    fn value(&self, n: u64) -> Vec<u8> {
        self.0.value(n)
    }
}

/// Every function against a model, with keys and values of many kinds.
fn behaves_like_the_model(kind: &dyn Kind, keys: u64) {
    let map = new(&kind.options());
    let mut model: HashMap<Vec<u8>, Vec<u8>> = HashMap::new();
    let mut state = 0x1234_5678_9ABC_DEF1_u64;
    let mut random = |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 8) % below
    };
    let size = kind.value(0).len();
    for _ in 0..scaled(4000) {
        let (key, value) = (kind.key(random(keys)), kind.value(random(5)));
        let mut out = vec![0xEE_u8; size];
        let (k, n, v, o) = (key.as_ptr().cast(), key.len(), value.as_ptr().cast(), out.as_mut_ptr().cast());
        let old = model.get(&key).cloned();
        let mut expected_out = None;
        match random(12) {
            0 | 1 => {
                let status = unsafe { conex_map_insert(map, k, n, v, o) };
                assert_eq!(status, if old.is_some() { CONEX_EXISTS } else { CONEX_OK });
                expected_out.clone_from(&old);
                model.entry(key.clone()).or_insert(value);
            }
            2 => {
                let status = unsafe { conex_map_upsert(map, k, n, v, o) };
                assert_eq!(status, if old.is_some() { CONEX_EXISTS } else { CONEX_OK });
                expected_out = old;
                model.insert(key.clone(), value);
            }
            3 => {
                let status = unsafe { conex_map_replace(map, k, n, v, o) };
                assert_eq!(status, if old.is_some() { CONEX_OK } else { CONEX_NOT_FOUND });
                if old.is_some() {
                    model.insert(key.clone(), value);
                }
                expected_out = old;
            }
            4 | 5 => {
                let status = unsafe { conex_map_remove(map, k, n, o) };
                assert_eq!(status, if old.is_some() { CONEX_OK } else { CONEX_NOT_FOUND });
                model.remove(&key);
                expected_out = old;
            }
            6 => {
                let desired = kind.value(random(5));
                let status = unsafe { conex_map_compare_exchange(map, k, n, v, desired.as_ptr().cast(), o) };
                match &old {
                    None => assert_eq!(status, CONEX_NOT_FOUND),
                    Some(old) if *old == value => {
                        assert_eq!(status, CONEX_OK);
                        model.insert(key.clone(), desired);
                    }
                    Some(old) => {
                        assert_eq!(status, CONEX_MISMATCH);
                        expected_out = Some(old.clone());
                    }
                }
            }
            7 => {
                let mut step = Step(random(3) as i32, value.clone());
                let mut change = -1;
                let status = unsafe { conex_map_update(map, k, n, Some(update), to(&mut step), &mut change) };
                assert_eq!(status, CONEX_OK);
                let expected = match (step.0, old.is_some()) {
                    (CONEX_STORE, true) => CONEX_REPLACED,
                    (CONEX_STORE, false) => CONEX_INSERTED,
                    (CONEX_REMOVE, true) => CONEX_REMOVED,
                    _ => CONEX_UNCHANGED,
                };
                assert_eq!(change, expected);
                match step.0 {
                    CONEX_STORE => drop(model.insert(key.clone(), value)),
                    CONEX_REMOVE => drop(model.remove(&key)),
                    _ => {}
                }
            }
            8 => {
                let mut step = Step(0, value.clone());
                let status = unsafe { conex_map_get_or_insert(map, k, n, Some(make), to(&mut step), o) };
                assert_eq!(status, if old.is_some() { CONEX_EXISTS } else { CONEX_OK });
                expected_out = Some(model.entry(key.clone()).or_insert(value).clone());
            }
            9 if size == 8 => {
                let mut previous = 99;
                assert_eq!(unsafe { conex_map_fetch_add(map, k, n, 3, &mut previous) }, CONEX_OK);
                let before = old.map_or(0, |old| u64::from_le_bytes(old.try_into().unwrap()));
                assert_eq!(previous, before);
                model.insert(key.clone(), (before + 3).to_le_bytes().to_vec());
            }
            9 => assert_eq!(unsafe { conex_map_fetch_add(map, k, n, 3, null_mut()) }, CONEX_ERR_INVALID),
            10 => match random(30) {
                0 => {
                    let mut removed = usize::MAX;
                    assert_eq!(
                        unsafe { conex_map_retain(map, Some(keep_even), null_mut(), &mut removed) },
                        CONEX_OK
                    );
                    let before = model.len();
                    model.retain(|_, value| value[0] % 2 == 0);
                    assert_eq!(removed, before - model.len());
                }
                1 => {
                    assert_eq!(unsafe { conex_map_clear(map) }, CONEX_OK);
                    model.clear();
                }
                2 => assert_eq!(unsafe { conex_map_reserve(map, random(300) as usize) }, CONEX_OK),
                3 => assert_eq!(unsafe { conex_map_shrink(map) }, CONEX_OK),
                _ => {}
            },
            _ => {
                let mut guard: *mut conex_guard = null_mut();
                assert_eq!(unsafe { conex_guard_enter(null_mut(), &mut guard) }, CONEX_OK);
                let mut found = null();
                let status = unsafe { conex_map_get_ref(map, guard, k, n, &mut found) };
                assert_eq!(status, if old.is_some() { CONEX_OK } else { CONEX_NOT_FOUND });
                if let Some(old) = &old {
                    unsafe { conex_map_remove(map, k, n, null_mut()) };
                    let found = unsafe { std::slice::from_raw_parts(found.cast::<u8>(), size) };
                    assert_eq!(found, old);
                    assert_eq!(found.as_ptr() as usize % kind.options().value.align, 0);
                    model.remove(&key);
                }
                assert_eq!(unsafe { conex_guard_leave(guard) }, CONEX_OK);
            }
        }
        assert_eq!(out, expected_out.unwrap_or_else(|| vec![0xEE; size]), "an out-parameter");
        let mut out = vec![0xEE_u8; size];
        let mut found = false;
        let status = unsafe { conex_map_get(map, k, n, out.as_mut_ptr().cast()) };
        assert_eq!(unsafe { conex_map_contains(map, k, n, &mut found) }, CONEX_OK);
        let expected = model.get(&key);
        assert_eq!(status, if expected.is_some() { CONEX_OK } else { CONEX_NOT_FOUND });
        assert_eq!(found, expected.is_some());
        assert_eq!(out, expected.cloned().unwrap_or_else(|| vec![0xEE; size]));
        assert_eq!(len(map), model.len());
    }
    assert_eq!(contents(map, size), model.into_iter().collect());
    assert_eq!(unsafe { conex_map_destroy(map) }, CONEX_OK);
}

#[test]
fn words_behave_like_the_model() {
    for keys in [5, 60, 3000] {
        behaves_like_the_model(&Fixed(8, 8, 8), keys);
    }
}

/// Far more updates than a header can count under one overflow node, of keys in cells and in nodes.
#[test]
fn updates_outlast_the_counters() {
    let map = new(&options());
    let (keys, rounds) = (100_u64, scaled(1000) as u64);
    for _ in 0..rounds {
        for key in 0..keys {
            assert_eq!(unsafe { conex_map_fetch_add(map, at(&key), 8, key, null_mut()) }, CONEX_OK);
        }
    }
    for key in 0..keys {
        let mut sum = 0_u64;
        assert_eq!(unsafe { conex_map_get(map, at(&key), 8, to(&mut sum)) }, CONEX_OK);
        assert_eq!(sum, key * rounds);
    }
    assert_eq!(len(map), keys as usize);
    assert_eq!(unsafe { conex_map_destroy(map) }, CONEX_OK);
}

#[test]
fn small_keys_and_values_behave_like_the_model() {
    for (key, value) in [(1, 1), (2, 8), (4, 4), (8, 1), (3, 5)] {
        behaves_like_the_model(&Fixed(key, value, 1), 100);
    }
}

#[test]
fn large_keys_and_values_behave_like_the_model() {
    for (key, value, align) in [(8, 16, 16), (16, 8, 8), (40, 8, 8), (8, 4096, 4096), (9, 3, 1)] {
        behaves_like_the_model(&Fixed(key, value, align), 100);
    }
}

#[test]
fn byte_strings_behave_like_the_model() {
    behaves_like_the_model(&Bytes(8), 200);
    behaves_like_the_model(&Bytes(24), 30);
}

#[test]
fn own_hash_and_equality_are_used() {
    behaves_like_the_model(&BadlyHashed(Bytes(8)), 40);
}

/// Counting words from many threads, while the map grows and words come and go.
#[test]
fn words_are_counted_by_threads() {
    let map = new(&Bytes(8).options()) as usize;
    let (threads, each, words) = (4, scaled(30_000), 2_000);
    std::thread::scope(|scope| {
        for thread in 0..threads {
            scope.spawn(move || {
                let map = map as *mut conex_map;
                let mut state = 77 + thread as u64;
                for i in 0..each {
                    state ^= state << 13;
                    state ^= state >> 7;
                    state ^= state << 17;
                    let word = format!("a word with the number {}", (state >> 9) % words);
                    let (key, n) = (word.as_ptr().cast(), word.len());
                    assert_eq!(unsafe { conex_map_fetch_add(map, key, n, 1, null_mut()) }, CONEX_OK);
                    // A word of this thread's own, which comes and goes.
                    let own = format!("thread {thread} {}", i % 50);
                    let (key, n) = (own.as_ptr().cast(), own.len());
                    let status = unsafe {
                        if i / 50 % 2 == 0 {
                            conex_map_insert(map, key, n, at(&7_u64), null_mut())
                        } else {
                            conex_map_remove(map, key, n, null_mut())
                        }
                    };
                    assert_eq!(status, CONEX_OK);
                }
            });
        }
    });
    let map = map as *mut conex_map;
    let all = contents(map, 8);
    let counted = all.iter().filter(|(key, _)| key.starts_with(b"a word"));
    let sum: u64 = counted.map(|(_, value)| u64::from_ne_bytes(value.clone().try_into().unwrap())).sum();
    assert_eq!(sum, threads as u64 * each as u64);
    assert_eq!(all.len(), len(map));
    assert_eq!(unsafe { conex_map_destroy(map) }, CONEX_OK);
}

#[test]
fn a_key_longer_than_memory_is_refused() {
    let map = new(&Bytes(8).options());
    let byte = b'k';
    for len in [usize::MAX, usize::MAX / 2 + 1] {
        let mut out = 7_u64;
        let status = unsafe { conex_map_get(map, at(&byte), len, to(&mut out)) };
        assert_eq!((status, out), (CONEX_ERR_INVALID, 7));
        let status = unsafe { conex_map_insert(map, at(&byte), len, at(&out), null_mut()) };
        assert_eq!((status, common::map::len(map)), (CONEX_ERR_INVALID, 0));
    }
    assert_eq!(unsafe { conex_map_destroy(map) }, CONEX_OK);
}
