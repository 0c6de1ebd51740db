//! What the tests of the map's C functions share: options, kinds of keys and values, owners, and memory that runs out.

#![allow(
    clippy::multiple_unsafe_ops_per_block,
    clippy::undocumented_unsafe_blocks,
    reason = "calls of C functions"
)]

use std::collections::BTreeMap;
use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicIsize, Ordering};

use conex::ffi::element::{conex_allocator, conex_element};
use conex::ffi::map::*;
use conex::ffi::map_all::*;
use conex::ffi::map_update::CONEX_STORE;
use conex::ffi::status::conex_status::*;

pub(crate) const WORD: conex_element =
    conex_element { size: 8, align: 8, drop: None, clone: None, ctx: null_mut() };

pub(crate) fn options() -> conex_map_options {
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

pub(crate) fn new(options: &conex_map_options) -> *mut conex_map {
    let mut map = null_mut();
    assert_eq!(unsafe { conex_map_new(options, &mut map) }, CONEX_OK);
    map
}

pub(crate) fn at<T>(value: &T) -> *const c_void {
    std::ptr::from_ref(value).cast()
}

pub(crate) fn to<T>(value: &mut T) -> *mut c_void {
    std::ptr::from_mut(value).cast()
}

pub(crate) fn len(map: *mut conex_map) -> usize {
    let mut len = usize::MAX;
    assert_eq!(unsafe { conex_map_len(map, &mut len) }, CONEX_OK);
    len
}

/// Keys and values of one kind of map, made from numbers.
pub(crate) trait Kind {
    fn options(&self) -> conex_map_options;
    fn key(&self, n: u64) -> Vec<u8>;
    fn value(&self, n: u64) -> Vec<u8>;
}

pub(crate) struct Fixed(pub(crate) usize, pub(crate) usize, pub(crate) usize);

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

pub(crate) struct Bytes(pub(crate) usize);

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

pub(crate) struct Step(pub(crate) i32, pub(crate) Vec<u8>);

pub(crate) unsafe extern "C-unwind" fn update(
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

pub(crate) unsafe extern "C-unwind" fn make(value: *mut c_void, ctx: *mut c_void) -> i32 {
    let Step(status, new) = unsafe { &*ctx.cast::<Step>() };
    unsafe { value.cast::<u8>().copy_from_nonoverlapping(new.as_ptr(), new.len()) };
    *status
}

pub(crate) unsafe extern "C-unwind" fn keep_even(
    _: *const c_void,
    _: usize,
    value: *const c_void,
    _: *mut c_void,
) -> i32 {
    i32::from(unsafe { value.cast::<u8>().read() } % 2 == 0)
}

pub(crate) struct Seen {
    pub(crate) entries: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(crate) value_size: usize,
}

pub(crate) unsafe extern "C-unwind" fn visit(
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

pub(crate) fn contents(map: *mut conex_map, value_size: usize) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut seen = Seen { entries: BTreeMap::new(), value_size };
    assert_eq!(unsafe { conex_map_for_each(map, Some(visit), to(&mut seen)) }, CONEX_OK);
    let mut scanned = Seen { entries: BTreeMap::new(), value_size };
    let mut cursor = 0;
    while unsafe { conex_map_scan(map, &mut cursor, 3, Some(visit), to(&mut scanned)) } == CONEX_OK {}
    assert_eq!(cursor, 0);
    assert_eq!(seen.entries, scanned.entries);
    seen.entries
}

/// An element that owns a heap block, counts itself, and whose copies can fail.
pub(crate) struct Owner {
    pub(crate) live: AtomicIsize,
    pub(crate) clones_until_failure: AtomicIsize,
}

impl Owner {
    pub(crate) fn new() -> Self {
        Self { live: AtomicIsize::new(0), clones_until_failure: AtomicIsize::new(isize::MAX) }
    }

    pub(crate) fn element(&self) -> conex_element {
        conex_element {
            size: 16,
            align: 8,
            drop: Some(Self::drop),
            clone: Some(Self::clone),
            ctx: std::ptr::from_ref(self).cast_mut().cast(),
        }
    }

    pub(crate) fn make(&self, n: u64) -> [usize; 2] {
        self.live.fetch_add(1, Ordering::SeqCst);
        [Box::into_raw(Box::new(n)) as usize, 0x0B0E]
    }

    pub(crate) fn read(owner: &[usize; 2]) -> u64 {
        assert_eq!(owner[1], 0x0B0E);
        unsafe { *(owner[0] as *const u64) }
    }

    pub(crate) fn end(&self, mut owner: [usize; 2]) {
        unsafe { Self::drop(to(&mut owner), std::ptr::from_ref(self).cast_mut().cast()) };
    }

    pub(crate) unsafe extern "C-unwind" fn drop(element: *mut c_void, ctx: *mut c_void) {
        let (this, owner) = unsafe { (&*ctx.cast::<Self>(), &mut *element.cast::<[usize; 2]>()) };
        assert_eq!(std::mem::replace(&mut owner[1], 0xDEAD), 0x0B0E, "dropped twice");
        drop(unsafe { Box::from_raw(owner[0] as *mut u64) });
        this.live.fetch_sub(1, Ordering::SeqCst);
    }

    pub(crate) unsafe extern "C-unwind" fn clone(
        to: *mut c_void,
        from: *const c_void,
        ctx: *mut c_void,
    ) -> i32 {
        let this = unsafe { &*ctx.cast::<Self>() };
        if this.clones_until_failure.fetch_sub(1, Ordering::SeqCst) == 0 {
            return CONEX_ERR_NO_MEMORY as i32;
        }
        let n = Self::read(unsafe { &*from.cast() });
        unsafe { to.cast::<[usize; 2]>().write(this.make(n)) };
        0
    }

    pub(crate) unsafe extern "C-unwind" fn hash(
        key: *const c_void,
        len: usize,
        seed: u64,
        _: *mut c_void,
    ) -> u64 {
        assert_eq!((len, seed), (16, 5));
        Self::read(unsafe { &*key.cast() }).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }

    pub(crate) unsafe extern "C-unwind" fn equal(
        a: *const c_void,
        _: usize,
        b: *const c_void,
        _: usize,
        _: *mut c_void,
    ) -> bool {
        Self::read(unsafe { &*a.cast() }) == Self::read(unsafe { &*b.cast() })
    }
}

pub(crate) unsafe extern "C-unwind" fn make_owner(value: *mut c_void, ctx: *mut c_void) -> i32 {
    let owner = unsafe { &*ctx.cast::<Owner>() };
    unsafe { value.cast::<[usize; 2]>().write(owner.make(1000)) };
    0
}

pub(crate) fn owners(keys: &Owner, values: &Owner) -> conex_map_options {
    conex_map_options {
        key_element: keys.element(),
        value: values.element(),
        hash: Some(Owner::hash),
        equal: Some(Owner::equal),
        seed: 5,
        ..options()
    }
}

pub(crate) struct Memory {
    pub(crate) until_failure: AtomicIsize,
    pub(crate) outstanding: AtomicIsize,
    pub(crate) calls: AtomicIsize,
}

impl Memory {
    pub(crate) fn failing_after(n: isize) -> Self {
        Self {
            until_failure: AtomicIsize::new(n),
            outstanding: AtomicIsize::new(0),
            calls: AtomicIsize::new(0),
        }
    }

    pub(crate) fn allocator(&self) -> conex_allocator {
        conex_allocator {
            alloc: Some(Self::alloc),
            free: Some(Self::free),
            ctx: std::ptr::from_ref(self).cast_mut().cast(),
        }
    }

    pub(crate) unsafe extern "C-unwind" fn alloc(size: usize, align: usize, ctx: *mut c_void) -> *mut c_void {
        let this = unsafe { &*ctx.cast::<Self>() };
        this.calls.fetch_add(1, Ordering::SeqCst);
        if this.until_failure.fetch_sub(1, Ordering::SeqCst) == 0 {
            return null_mut();
        }
        this.outstanding.fetch_add(size as isize, Ordering::SeqCst);
        unsafe { std::alloc::alloc(std::alloc::Layout::from_size_align(size, align).unwrap()) }.cast()
    }

    pub(crate) unsafe extern "C-unwind" fn free(
        ptr: *mut c_void,
        size: usize,
        align: usize,
        ctx: *mut c_void,
    ) {
        let this = unsafe { &*ctx.cast::<Self>() };
        this.outstanding.fetch_sub(size as isize, Ordering::SeqCst);
        unsafe { std::alloc::dealloc(ptr.cast(), std::alloc::Layout::from_size_align(size, align).unwrap()) };
    }
}
