//! The C functions of the map: what they do, what they answer to bad input, and what they do without memory.

#![cfg(all(not(loom), feature = "capi"))]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    clippy::undocumented_unsafe_blocks,
    reason = "calls of C functions"
)]

mod common;

use std::collections::{BTreeMap, HashMap};
use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicIsize, Ordering};

use common::scaled;
use conex::ffi::domain::{conex_domain, conex_domain_destroy, conex_domain_new};
use conex::ffi::element::{conex_allocator, conex_element};
use conex::ffi::guard::{conex_guard, conex_guard_enter, conex_guard_leave};
use conex::ffi::map::*;
use conex::ffi::map_all::*;
use conex::ffi::map_batch::*;
use conex::ffi::map_read::*;
use conex::ffi::map_update::*;
use conex::ffi::map_write::*;
use conex::ffi::stack::{conex_stack, conex_stack_destroy, conex_stack_new};
use conex::ffi::status::conex_status::{self, *};

const WORD: conex_element = conex_element { size: 8, align: 8, drop: None, clone: None, ctx: null_mut() };

fn options() -> conex_map_options {
    conex_map_options {
        struct_size: size_of::<conex_map_options>(),
        flags: 0,
        key: CONEX_KEY_FIXED,
        key_element: WORD,
        value: WORD,
        hash: None,
        equal: None,
        key_ctx: null_mut(),
        seed: 0,
        capacity: 0,
        domain: null_mut(),
        allocator: conex_allocator { alloc: None, free: None, ctx: null_mut() },
    }
}

fn new(options: &conex_map_options) -> *mut conex_map {
    let mut map = null_mut();
    assert_eq!(unsafe { conex_map_new(options, &mut map) }, CONEX_OK);
    map
}

fn at<T>(value: &T) -> *const c_void {
    std::ptr::from_ref(value).cast()
}

fn to<T>(value: &mut T) -> *mut c_void {
    std::ptr::from_mut(value).cast()
}

fn len(map: *mut conex_map) -> usize {
    let mut len = usize::MAX;
    assert_eq!(unsafe { conex_map_len(map, &mut len) }, CONEX_OK);
    len
}

/// Keys and values of one kind of map, made from numbers.
trait Kind {
    fn options(&self) -> conex_map_options;
    fn key(&self, n: u64) -> Vec<u8>;
    fn value(&self, n: u64) -> Vec<u8>;
}

struct Fixed(usize, usize, usize);

impl Kind for Fixed {
    fn options(&self) -> conex_map_options {
        let key_element = conex_element { size: self.0, align: 1, ..WORD };
        let value = conex_element { size: self.1, align: self.2, ..WORD };
        conex_map_options { key_element, value, ..options() }
    }

    fn key(&self, n: u64) -> Vec<u8> {
        n.to_le_bytes().into_iter().cycle().take(self.0).collect()
    }

    fn value(&self, n: u64) -> Vec<u8> {
        n.to_le_bytes().into_iter().cycle().take(self.1).collect()
    }
}

struct Bytes(usize);

impl Kind for Bytes {
    fn options(&self) -> conex_map_options {
        let value = conex_element { size: self.0, align: 1, ..WORD };
        conex_map_options { key: CONEX_KEY_BYTES, value, ..options() }
    }

    fn key(&self, n: u64) -> Vec<u8> {
        // Of all lengths, the empty one and prefixes of each other among them.
        vec![b'k'; n as usize]
    }

    fn value(&self, n: u64) -> Vec<u8> {
        n.to_le_bytes().into_iter().cycle().take(self.0).collect()
    }
}

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

struct Step(i32, Vec<u8>);

unsafe extern "C-unwind" fn update(
    _: *const c_void,
    _: usize,
    old: *const c_void,
    value: *mut c_void,
    ctx: *mut c_void,
) -> i32 {
    let Step(decision, new) = unsafe { &*ctx.cast::<Step>() };
    if *decision == CONEX_STORE {
        unsafe { value.cast::<u8>().copy_from_nonoverlapping(new.as_ptr(), new.len()) };
    }
    let _ = old;
    *decision
}

unsafe extern "C-unwind" fn make(value: *mut c_void, ctx: *mut c_void) -> i32 {
    let Step(status, new) = unsafe { &*ctx.cast::<Step>() };
    unsafe { value.cast::<u8>().copy_from_nonoverlapping(new.as_ptr(), new.len()) };
    *status
}

struct Seen {
    entries: BTreeMap<Vec<u8>, Vec<u8>>,
    value_size: usize,
}

unsafe extern "C-unwind" fn visit(
    key: *const c_void,
    key_len: usize,
    value: *const c_void,
    ctx: *mut c_void,
) -> i32 {
    let seen = unsafe { &mut *ctx.cast::<Seen>() };
    let slice = |at: *const c_void, len| unsafe { std::slice::from_raw_parts(at.cast::<u8>(), len) }.to_vec();
    assert_eq!(seen.entries.insert(slice(key, key_len), slice(value, seen.value_size)), None, "met twice");
    0
}

unsafe extern "C-unwind" fn keep_even(
    _: *const c_void,
    _: usize,
    value: *const c_void,
    _: *mut c_void,
) -> i32 {
    i32::from(unsafe { value.cast::<u8>().read() } % 2 == 0)
}

fn contents(map: *mut conex_map, value_size: usize) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut seen = Seen { entries: BTreeMap::new(), value_size };
    assert_eq!(unsafe { conex_map_for_each(map, Some(visit), to(&mut seen)) }, CONEX_OK);
    let mut scanned = Seen { entries: BTreeMap::new(), value_size };
    let mut cursor = 0;
    while unsafe { conex_map_scan(map, &mut cursor, 3, Some(visit), to(&mut scanned)) } == CONEX_OK {}
    assert_eq!(cursor, 0);
    assert_eq!(seen.entries, scanned.entries);
    seen.entries
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

/// An element that owns a heap block, counts itself, and whose copies can fail.
struct Owner {
    live: AtomicIsize,
    clones_until_failure: AtomicIsize,
}

impl Owner {
    fn new() -> Self {
        Self { live: AtomicIsize::new(0), clones_until_failure: AtomicIsize::new(isize::MAX) }
    }

    fn element(&self) -> conex_element {
        conex_element {
            size: 16,
            align: 8,
            drop: Some(Self::drop),
            clone: Some(Self::clone),
            ctx: std::ptr::from_ref(self).cast_mut().cast(),
        }
    }

    fn make(&self, n: u64) -> [usize; 2] {
        self.live.fetch_add(1, Ordering::SeqCst);
        [Box::into_raw(Box::new(n)) as usize, 0x0B0E]
    }

    fn read(owner: &[usize; 2]) -> u64 {
        assert_eq!(owner[1], 0x0B0E);
        unsafe { *(owner[0] as *const u64) }
    }

    fn end(&self, mut owner: [usize; 2]) {
        unsafe { Self::drop(to(&mut owner), std::ptr::from_ref(self).cast_mut().cast()) };
    }

    unsafe extern "C-unwind" fn drop(element: *mut c_void, ctx: *mut c_void) {
        let (this, owner) = unsafe { (&*ctx.cast::<Self>(), &mut *element.cast::<[usize; 2]>()) };
        assert_eq!(std::mem::replace(&mut owner[1], 0xDEAD), 0x0B0E, "dropped twice");
        drop(unsafe { Box::from_raw(owner[0] as *mut u64) });
        this.live.fetch_sub(1, Ordering::SeqCst);
    }

    unsafe extern "C-unwind" fn clone(to: *mut c_void, from: *const c_void, ctx: *mut c_void) -> i32 {
        let this = unsafe { &*ctx.cast::<Self>() };
        if this.clones_until_failure.fetch_sub(1, Ordering::SeqCst) == 0 {
            return CONEX_ERR_NO_MEMORY as i32;
        }
        let n = Self::read(unsafe { &*from.cast() });
        unsafe { to.cast::<[usize; 2]>().write(this.make(n)) };
        0
    }

    unsafe extern "C-unwind" fn hash(key: *const c_void, len: usize, seed: u64, _: *mut c_void) -> u64 {
        assert_eq!((len, seed), (16, 5));
        Self::read(unsafe { &*key.cast() }).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }

    unsafe extern "C-unwind" fn equal(
        a: *const c_void,
        _: usize,
        b: *const c_void,
        _: usize,
        _: *mut c_void,
    ) -> bool {
        Self::read(unsafe { &*a.cast() }) == Self::read(unsafe { &*b.cast() })
    }
}

unsafe extern "C-unwind" fn make_owner(value: *mut c_void, ctx: *mut c_void) -> i32 {
    let owner = unsafe { &*ctx.cast::<Owner>() };
    unsafe { value.cast::<[usize; 2]>().write(owner.make(1000)) };
    0
}

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

fn owners(keys: &Owner, values: &Owner) -> conex_map_options {
    conex_map_options {
        key_element: keys.element(),
        value: values.element(),
        hash: Some(Owner::hash),
        equal: Some(Owner::equal),
        seed: 5,
        ..options()
    }
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

struct Memory {
    until_failure: AtomicIsize,
    outstanding: AtomicIsize,
    calls: AtomicIsize,
}

impl Memory {
    fn failing_after(n: isize) -> Self {
        Self {
            until_failure: AtomicIsize::new(n),
            outstanding: AtomicIsize::new(0),
            calls: AtomicIsize::new(0),
        }
    }

    fn allocator(&self) -> conex_allocator {
        conex_allocator {
            alloc: Some(Self::alloc),
            free: Some(Self::free),
            ctx: std::ptr::from_ref(self).cast_mut().cast(),
        }
    }

    unsafe extern "C-unwind" fn alloc(size: usize, align: usize, ctx: *mut c_void) -> *mut c_void {
        let this = unsafe { &*ctx.cast::<Self>() };
        this.calls.fetch_add(1, Ordering::SeqCst);
        if this.until_failure.fetch_sub(1, Ordering::SeqCst) == 0 {
            return null_mut();
        }
        this.outstanding.fetch_add(size as isize, Ordering::SeqCst);
        unsafe { std::alloc::alloc(std::alloc::Layout::from_size_align(size, align).unwrap()) }.cast()
    }

    unsafe extern "C-unwind" fn free(ptr: *mut c_void, size: usize, align: usize, ctx: *mut c_void) {
        let this = unsafe { &*ctx.cast::<Self>() };
        this.outstanding.fetch_sub(size as isize, Ordering::SeqCst);
        unsafe { std::alloc::dealloc(ptr.cast(), std::alloc::Layout::from_size_align(size, align).unwrap()) };
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
    assert!(stats.buckets > 0 && small >= stats.buckets * 64 && small < 2048);
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
