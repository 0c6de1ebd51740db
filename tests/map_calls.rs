//! The map's C functions: batches, what they answer to bad input, visits that stop, and the statistics.

#![cfg(all(not(loom), feature = "capi"))]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    clippy::undocumented_unsafe_blocks,
    reason = "calls of C functions"
)]

mod common;

use std::collections::BTreeMap;
use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::ptr::{null, null_mut};
use std::sync::atomic::Ordering;

use common::map::*;
use conex::ffi::domain::*;
use conex::ffi::element::conex_element;
use conex::ffi::guard::*;
use conex::ffi::map::*;
use conex::ffi::map_all::*;
use conex::ffi::map_batch::*;
use conex::ffi::map_read::*;
use conex::ffi::map_update::*;
use conex::ffi::map_write::*;
use conex::ffi::stack::{conex_stack, conex_stack_destroy, conex_stack_new};
use conex::ffi::status::conex_status::*;

#[test]
fn batches_answer_by_index() {
    let map = new(&options());
    let n = 100;
    let keys: Vec<u64> = (0..n).map(|i| i / 2).collect();
    let values: Vec<u64> = (0..n).collect();
    let mut statuses = vec![CONEX_BUSY; n as usize];
    let mut count = usize::MAX;
    let status = unsafe {
        conex_map_insert_n(
            map,
            keys.as_ptr().cast(),
            values.as_ptr().cast(),
            n as usize,
            statuses.as_mut_ptr(),
            &mut count,
        )
    };
    assert_eq!((status, count), (CONEX_OK, 50));
    assert!(statuses.iter().enumerate().all(|(i, s)| *s == if i % 2 == 0 { CONEX_OK } else { CONEX_EXISTS }));
    let wanted: Vec<u64> = (0..n).collect();
    let mut out = vec![u64::MAX; n as usize];
    let status = unsafe {
        conex_map_get_n(
            map,
            wanted.as_ptr().cast(),
            n as usize,
            out.as_mut_ptr().cast(),
            statuses.as_mut_ptr(),
            &mut count,
        )
    };
    assert_eq!((status, count), (CONEX_OK, 50));
    for i in 0..n as usize {
        assert_eq!(statuses[i], if i < 50 { CONEX_OK } else { CONEX_NOT_FOUND });
        assert_eq!(out[i], if i < 50 { 2 * i as u64 } else { u64::MAX });
    }
    let status = unsafe {
        conex_map_remove_n(map, wanted.as_ptr().cast(), n as usize, statuses.as_mut_ptr(), null_mut())
    };
    assert_eq!((status, len(map)), (CONEX_OK, 0));
    assert_eq!(statuses.iter().filter(|status| **status == CONEX_OK).count(), 50);
    assert_eq!(unsafe { conex_map_get_n(map, null(), 0, null_mut(), null_mut(), &mut count) }, CONEX_OK);
    assert_eq!(count, 0);
    assert_eq!(unsafe { conex_map_destroy(map) }, CONEX_OK);

    let map = new(&Bytes(8).options());
    let words: Vec<Vec<u8>> = (0..40).map(|i| vec![b'x'; i]).collect();
    let bytes: Vec<conex_bytes> = words
        .iter()
        .map(|word| conex_bytes {
            data: if word.is_empty() { null() } else { word.as_ptr().cast() },
            len: word.len(),
        })
        .collect();
    let n = bytes.len();
    let keys = bytes.as_ptr().cast();
    let status = unsafe {
        conex_map_insert_n(map, keys, values.as_ptr().cast(), n, statuses.as_mut_ptr(), &mut count)
    };
    assert_eq!((status, count, len(map)), (CONEX_OK, n, n));
    let status =
        unsafe { conex_map_get_n(map, keys, n, out.as_mut_ptr().cast(), statuses.as_mut_ptr(), &mut count) };
    assert_eq!((status, count), (CONEX_OK, n));
    assert_eq!(out[..n], values[..n]);
    assert_eq!(unsafe { conex_map_destroy(map) }, CONEX_OK);
}

/// An error in a batch ends it; the statuses say where.
#[test]
fn a_batch_ends_with_its_first_error() {
    let memory = Memory::failing_after(1 + 5);
    let map = new(&conex_map_options { allocator: memory.allocator(), ..Fixed(16, 8, 8).options() });
    let keys: Vec<[u64; 2]> = (0..8).map(|i| [i, i]).collect();
    let values: Vec<u64> = (0..8).collect();
    let mut statuses = [CONEX_BUSY; 8];
    let mut count = usize::MAX;
    let status = unsafe {
        conex_map_insert_n(
            map,
            keys.as_ptr().cast(),
            values.as_ptr().cast(),
            8,
            statuses.as_mut_ptr(),
            &mut count,
        )
    };
    assert_eq!(status, CONEX_ERR_NO_MEMORY);
    let failed = statuses.iter().position(|status| *status != CONEX_OK).unwrap();
    assert!(statuses[failed..].iter().all(|status| *status == CONEX_ERR_NO_MEMORY));
    assert_eq!((count, len(map)), (failed, failed));
    assert_eq!(unsafe { conex_map_destroy(map) }, CONEX_OK);
    assert_eq!(memory.outstanding.into_inner(), 0);
}

#[test]
fn bad_options_are_refused() {
    let refused = |change: &dyn Fn(&mut conex_map_options), expected| {
        let mut options = options();
        change(&mut options);
        let untouched = std::ptr::dangling_mut::<conex_map>();
        let mut map = untouched;
        assert_eq!(unsafe { conex_map_new(&options, &mut map) }, expected);
        assert_eq!(map, untouched, "an out-parameter");
    };
    refused(&|o| o.struct_size = 8, CONEX_ERR_INVALID);
    refused(&|o| o.struct_size = 1 << 20, CONEX_ERR_INVALID);
    refused(&|o| o.flags = 1, CONEX_ERR_INVALID);
    refused(&|o| o.key = 2, CONEX_ERR_INVALID);
    refused(&|o| o.key = -1, CONEX_ERR_INVALID);
    refused(&|o| o.key_element.size = 0, CONEX_ERR_INVALID);
    refused(&|o| o.key_element.align = 3, CONEX_ERR_INVALID);
    refused(&|o| o.key_element.drop = Some(Owner::drop), CONEX_ERR_INVALID);
    refused(&|o| o.key_element.clone = Some(Owner::clone), CONEX_ERR_INVALID);
    refused(&|o| (o.key, o.key_element.size) = (CONEX_KEY_BYTES, 16), CONEX_ERR_INVALID);
    refused(&|o| o.value.size = (1 << 30) + 8, CONEX_ERR_INVALID);
    refused(&|o| (o.value.size, o.value.align) = (12, 8), CONEX_ERR_INVALID);
    refused(&|o| o.value.align = 8192, CONEX_ERR_INVALID);
    refused(&|o| o.hash = Some(Owner::hash), CONEX_ERR_INVALID);
    refused(&|o| o.equal = Some(Owner::equal), CONEX_ERR_INVALID);
    refused(&|o| o.allocator.alloc = Some(Memory::alloc), CONEX_ERR_INVALID);
    refused(&|o| o.capacity = usize::MAX, CONEX_ERR_NO_MEMORY);
    let mut stack: *mut conex_stack = null_mut();
    assert_eq!(unsafe { conex_stack_new(null(), &mut stack) }, CONEX_OK);
    refused(&|o| o.domain = stack.cast(), CONEX_ERR_HANDLE);
    assert_eq!(unsafe { conex_stack_destroy(stack) }, CONEX_OK);
    assert_eq!(unsafe { conex_map_new(null(), null_mut()) }, CONEX_ERR_NULL);
    assert_eq!(unsafe { conex_map_destroy(null_mut()) }, CONEX_OK);
}

/// Every function with every parameter wrong, one at a time.
#[test]
fn bad_input_is_refused() {
    let map = new(&options());
    let (key, value) = (1_u64, 2_u64);
    let mut out = 3_u64;
    let (k, v, o) = (at(&key), at(&value), to(&mut out));
    let mut flag = true;
    let mut number = 4_usize;
    let mut guard: *mut conex_guard = null_mut();
    assert_eq!(unsafe { conex_guard_enter(null_mut(), &mut guard) }, CONEX_OK);
    let mut stack: *mut conex_stack = null_mut();
    assert_eq!(unsafe { conex_stack_new(null(), &mut stack) }, CONEX_OK);
    let dead = new(&options());
    assert_eq!(unsafe { conex_map_destroy(dead) }, CONEX_OK);
    let mut step = Step(CONEX_STORE, value.to_ne_bytes().to_vec());
    let s = to(&mut step);
    let mut reference = null();
    let mut change = -7;
    let mut seen = Seen { entries: BTreeMap::new(), value_size: 8 };
    let e = to(&mut seen);
    let mut status = CONEX_BUSY;
    let mut cursor = 0;
    let mut stats = MaybeUninit::<conex_map_stats>::zeroed();
    unsafe {
        // Handles.
        for (bad, expected) in [
            (null_mut(), CONEX_ERR_NULL),
            (stack.cast(), CONEX_ERR_HANDLE),
            (dead, CONEX_ERR_HANDLE),
            (guard.cast(), CONEX_ERR_HANDLE),
        ] {
            assert_eq!(conex_map_get(bad, k, 8, o), expected);
            assert_eq!(conex_map_contains(bad, k, 8, &mut flag), expected);
            assert_eq!(conex_map_get_ref(bad, guard, k, 8, &mut reference), expected);
            assert_eq!(conex_map_insert(bad, k, 8, v, null_mut()), expected);
            assert_eq!(conex_map_upsert(bad, k, 8, v, null_mut()), expected);
            assert_eq!(conex_map_replace(bad, k, 8, v, null_mut()), expected);
            assert_eq!(conex_map_remove(bad, k, 8, null_mut()), expected);
            assert_eq!(conex_map_compare_exchange(bad, k, 8, v, v, null_mut()), expected);
            assert_eq!(conex_map_update(bad, k, 8, Some(update), s, null_mut()), expected);
            assert_eq!(conex_map_get_or_insert(bad, k, 8, Some(make), s, null_mut()), expected);
            assert_eq!(conex_map_fetch_add(bad, k, 8, 1, null_mut()), expected);
            assert_eq!(conex_map_get_n(bad, k, 1, o, &mut status, null_mut()), expected);
            assert_eq!(conex_map_insert_n(bad, k, v, 1, &mut status, null_mut()), expected);
            assert_eq!(conex_map_remove_n(bad, k, 1, &mut status, null_mut()), expected);
            assert_eq!(conex_map_for_each(bad, Some(visit), e), expected);
            assert_eq!(conex_map_scan(bad, &mut cursor, 1, Some(visit), e), expected);
            assert_eq!(conex_map_retain(bad, Some(keep_even), e, null_mut()), expected);
            assert_eq!(conex_map_clear(bad), expected);
            assert_eq!(conex_map_reserve(bad, 1), expected);
            assert_eq!(conex_map_shrink(bad), expected);
            assert_eq!(conex_map_len(bad, &mut number), expected);
            assert_eq!(conex_map_is_empty(bad, &mut flag), expected);
            assert_eq!(conex_map_stats_get(bad, stats.as_mut_ptr()), expected);
            if !bad.is_null() {
                assert_eq!(conex_map_destroy(bad), expected);
            }
        }
        // Keys.
        for (k, len, expected) in [
            (null(), 8, CONEX_ERR_NULL),
            (k, 7, CONEX_ERR_INVALID),
            (k, 0, CONEX_ERR_INVALID),
            (k, 9, CONEX_ERR_INVALID),
        ] {
            assert_eq!(conex_map_get(map, k, len, o), expected);
            assert_eq!(conex_map_contains(map, k, len, &mut flag), expected);
            assert_eq!(conex_map_get_ref(map, guard, k, len, &mut reference), expected);
            assert_eq!(conex_map_insert(map, k, len, v, null_mut()), expected);
            assert_eq!(conex_map_upsert(map, k, len, v, null_mut()), expected);
            assert_eq!(conex_map_replace(map, k, len, v, null_mut()), expected);
            assert_eq!(conex_map_remove(map, k, len, null_mut()), expected);
            assert_eq!(conex_map_compare_exchange(map, k, len, v, v, null_mut()), expected);
            assert_eq!(conex_map_update(map, k, len, Some(update), s, null_mut()), expected);
            assert_eq!(conex_map_get_or_insert(map, k, len, Some(make), s, null_mut()), expected);
            assert_eq!(conex_map_fetch_add(map, k, len, 1, null_mut()), expected);
        }
        // Other pointers.
        assert_eq!(conex_map_get(map, k, 8, null_mut()), CONEX_ERR_NULL);
        assert_eq!(conex_map_contains(map, k, 8, null_mut()), CONEX_ERR_NULL);
        assert_eq!(conex_map_get_ref(map, guard, k, 8, null_mut()), CONEX_ERR_NULL);
        assert_eq!(conex_map_get_ref(map, null_mut(), k, 8, &mut reference), CONEX_ERR_NULL);
        assert_eq!(conex_map_get_ref(map, map.cast(), k, 8, &mut reference), CONEX_ERR_HANDLE);
        assert_eq!(conex_map_insert(map, k, 8, null(), null_mut()), CONEX_ERR_NULL);
        assert_eq!(conex_map_upsert(map, k, 8, null(), null_mut()), CONEX_ERR_NULL);
        assert_eq!(conex_map_replace(map, k, 8, null(), null_mut()), CONEX_ERR_NULL);
        assert_eq!(conex_map_compare_exchange(map, k, 8, null(), v, null_mut()), CONEX_ERR_NULL);
        assert_eq!(conex_map_compare_exchange(map, k, 8, v, null(), null_mut()), CONEX_ERR_NULL);
        assert_eq!(conex_map_update(map, k, 8, None, s, null_mut()), CONEX_ERR_NULL);
        assert_eq!(conex_map_get_or_insert(map, k, 8, None, s, null_mut()), CONEX_ERR_NULL);
        assert_eq!(conex_map_get_n(map, null(), 1, o, &mut status, null_mut()), CONEX_ERR_NULL);
        assert_eq!(conex_map_get_n(map, k, 1, null_mut(), &mut status, null_mut()), CONEX_ERR_NULL);
        assert_eq!(conex_map_get_n(map, k, 1, o, null_mut(), null_mut()), CONEX_ERR_NULL);
        assert_eq!(conex_map_get_n(map, k, usize::MAX, o, &mut status, null_mut()), CONEX_ERR_INVALID);
        assert_eq!(conex_map_insert_n(map, k, null(), 1, &mut status, null_mut()), CONEX_ERR_NULL);
        assert_eq!(conex_map_insert_n(map, k, v, usize::MAX, &mut status, null_mut()), CONEX_ERR_INVALID);
        assert_eq!(conex_map_remove_n(map, null(), 1, &mut status, null_mut()), CONEX_ERR_NULL);
        assert_eq!(conex_map_remove_n(map, k, 1, null_mut(), null_mut()), CONEX_ERR_NULL);
        assert_eq!(conex_map_remove_n(map, k, usize::MAX, &mut status, null_mut()), CONEX_ERR_INVALID);
        assert_eq!(conex_map_for_each(map, None, e), CONEX_ERR_NULL);
        assert_eq!(conex_map_scan(map, null_mut(), 1, Some(visit), e), CONEX_ERR_NULL);
        assert_eq!(conex_map_scan(map, &mut cursor, 1, None, e), CONEX_ERR_NULL);
        assert_eq!(conex_map_retain(map, None, e, null_mut()), CONEX_ERR_NULL);
        assert_eq!(conex_map_reserve(map, usize::MAX), CONEX_ERR_NO_MEMORY);
        assert_eq!(conex_map_len(map, null_mut()), CONEX_ERR_NULL);
        assert_eq!(conex_map_is_empty(map, null_mut()), CONEX_ERR_NULL);
        assert_eq!(conex_map_stats_get(map, null_mut()), CONEX_ERR_NULL);
        assert_eq!(conex_map_stats_get(map, stats.as_mut_ptr()), CONEX_ERR_INVALID);
        // What callbacks must not return.
        for (returned, expected) in [
            (3, CONEX_ERR_INVALID),
            (-1, CONEX_ERR_NULL),
            (-3, CONEX_ERR_NO_MEMORY),
            (-99, CONEX_ERR_INVALID),
        ] {
            let mut step = Step(returned, value.to_ne_bytes().to_vec());
            assert_eq!(conex_map_update(map, k, 8, Some(update), to(&mut step), &mut change), expected);
            assert_eq!(conex_map_get_or_insert(map, k, 8, Some(make), to(&mut step), o), expected);
        }
        assert_eq!((len(map), out, flag, number, change, status, cursor), (0, 3, true, 4, -7, CONEX_BUSY, 0));
        assert!(reference.is_null());

        // A value that cannot be copied.
        let values = Owner::new();
        let element = conex_element { clone: None, ..values.element() };
        let other = new(&conex_map_options { value: element, ..crate::options() });
        let owner = values.make(9);
        let mut copy = MaybeUninit::<[usize; 2]>::uninit();
        let c = copy.as_mut_ptr().cast();
        let w = at(&owner);
        assert_eq!(conex_map_get(other, k, 8, c), CONEX_ERR_INVALID);
        assert_eq!(conex_map_insert(other, k, 8, w, c), CONEX_ERR_INVALID);
        assert_eq!(conex_map_upsert(other, k, 8, w, c), CONEX_ERR_INVALID);
        assert_eq!(conex_map_replace(other, k, 8, w, c), CONEX_ERR_INVALID);
        assert_eq!(conex_map_remove(other, k, 8, c), CONEX_ERR_INVALID);
        assert_eq!(
            conex_map_get_or_insert(other, k, 8, Some(make_owner), to(&mut 0_u64), c),
            CONEX_ERR_INVALID
        );
        assert_eq!(conex_map_get_n(other, k, 1, c, &mut status, null_mut()), CONEX_ERR_INVALID);
        assert_eq!(conex_map_compare_exchange(other, k, 8, w, w, null_mut()), CONEX_ERR_INVALID);
        assert_eq!(conex_map_fetch_add(other, k, 8, 1, null_mut()), CONEX_ERR_INVALID);
        assert_eq!(conex_map_insert(other, k, 8, w, null_mut()), CONEX_OK);
        assert_eq!(conex_map_get_ref(other, guard, k, 8, &mut reference), CONEX_OK);
        assert_eq!(Owner::read(&*reference.cast()), 9);
        assert_eq!(conex_map_destroy(other), CONEX_OK);
        assert_eq!(values.live.load(Ordering::SeqCst), 0);

        // A guard of another domain, or of another thread.
        let mut domain: *mut conex_domain = null_mut();
        assert_eq!(conex_domain_new(null(), &mut domain), CONEX_OK);
        let mut foreign: *mut conex_guard = null_mut();
        assert_eq!(conex_guard_enter(domain, &mut foreign), CONEX_OK);
        assert_eq!(conex_map_get_ref(map, foreign, k, 8, &mut reference), CONEX_ERR_INVALID);
        assert_eq!(conex_guard_leave(foreign), CONEX_OK);
        assert_eq!(conex_domain_destroy(domain), CONEX_OK);
        let (g, m) = (guard as usize, map as usize);
        let elsewhere = std::thread::spawn(move || {
            let mut reference = null();
            conex_map_get_ref(m as *const conex_map, g as *mut conex_guard, at(&1_u64), 8, &mut reference)
        });
        assert_eq!(elsewhere.join().unwrap(), CONEX_ERR_INVALID);

        assert_eq!(conex_guard_leave(guard), CONEX_OK);
        assert_eq!(conex_stack_destroy(stack), CONEX_OK);
        assert_eq!(conex_map_destroy(map), CONEX_OK);
    }
}

#[test]
fn visits_can_be_stopped() {
    unsafe extern "C-unwind" fn stop(_: *const c_void, _: usize, _: *const c_void, ctx: *mut c_void) -> i32 {
        let (left, status) = unsafe { &mut *ctx.cast::<(u32, i32)>() };
        *left -= 1;
        if *left == 0 { *status } else { 0 }
    }
    let map = new(&options());
    for key in 0..1000_u64 {
        assert_eq!(unsafe { conex_map_insert(map, at(&key), 8, at(&key), null_mut()) }, CONEX_OK);
    }
    for (status, expected) in
        [(1, CONEX_OK), (-2, CONEX_ERR_INVALID), (-5, CONEX_ERR_STALLED), (2, CONEX_ERR_INVALID)]
    {
        let mut state = (10, status);
        assert_eq!(unsafe { conex_map_for_each(map, Some(stop), to(&mut state)) }, expected);
        assert_eq!(state.0, 0);
        let mut state = (10, status);
        let mut cursor = 0;
        assert_eq!(unsafe { conex_map_scan(map, &mut cursor, 100, Some(stop), to(&mut state)) }, expected);
        assert_ne!(cursor, 0);
        // Nothing was left out: the rest is at least what was not visited.
        let mut seen = Seen { entries: BTreeMap::new(), value_size: 8 };
        while unsafe { conex_map_scan(map, &mut cursor, 100, Some(visit), to(&mut seen)) } == CONEX_OK {}
        assert!((991..1000).contains(&seen.entries.len()), "{}", seen.entries.len());
    }
    let mut state = (10, -4);
    let mut removed = 99;
    assert_eq!(unsafe { conex_map_retain(map, Some(stop), to(&mut state), &mut removed) }, CONEX_ERR_HANDLE);
    assert_eq!((removed, len(map)), (9, 991));
    assert_eq!(unsafe { conex_map_destroy(map) }, CONEX_OK);
}

#[test]
fn stats_tell_the_truth() {
    let map = new(&options());
    let mut stats = conex_map_stats {
        struct_size: size_of::<conex_map_stats>(),
        entries: 9,
        buckets: 9,
        bytes: 9,
        growths: 9,
        shrinks: 9,
        resizing: 9,
    };
    assert_eq!(unsafe { conex_map_stats_get(map, &mut stats) }, CONEX_OK);
    assert_eq!((stats.entries, stats.growths, stats.shrinks, stats.resizing), (0, 0, 0, 0));
    let small = stats.bytes;
    assert!(stats.buckets > 0 && small >= stats.buckets * 128 && small < 2048);
    for key in 0..1000_u64 {
        assert_eq!(unsafe { conex_map_insert(map, at(&key), 8, at(&key), null_mut()) }, CONEX_OK);
    }
    assert_eq!(unsafe { conex_map_stats_get(map, &mut stats) }, CONEX_OK);
    assert_eq!((stats.struct_size, stats.entries), (size_of::<conex_map_stats>(), 1000));
    assert!(stats.growths > 0 && stats.bytes >= 16_000 && stats.bytes < 200_000, "{stats:?}");
    assert_eq!(unsafe { conex_map_clear(map) }, CONEX_OK);
    assert_eq!(unsafe { conex_map_stats_get(map, &mut stats) }, CONEX_OK);
    assert_eq!((stats.entries, stats.bytes), (0, small), "{stats:?}");
    assert_eq!(unsafe { conex_map_destroy(map) }, CONEX_OK);
}
