//! The C functions of the stack: every status, and what bad input does.

#![cfg(all(not(loom), feature = "capi"))]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "a block is a series of C calls, as C would write it"
)]

mod common;

use std::ffi::c_void;
use std::ptr::{null, null_mut};

use common::c::*;
use conex::ffi::domain::{conex_domain_destroy, conex_domain_new};
use conex::ffi::element::{conex_allocator, conex_element};
use conex::ffi::guard::{conex_guard, conex_guard_enter, conex_guard_leave};
use conex::ffi::stack::*;
use conex::ffi::status::conex_status::{self, *};

const WORD: conex_element = conex_element { size: 8, align: 8, drop: None, clone: None, ctx: null_mut() };

fn options() -> conex_stack_options {
    conex_stack_options {
        struct_size: size_of::<conex_stack_options>(),
        flags: 0,
        element: WORD,
        domain: null_mut(),
        allocator: conex_allocator { alloc: None, free: None, ctx: null_mut() },
    }
}

/// A stack of `element`s in a domain of its own.
struct Fixture {
    domain: *mut conex::ffi::domain::conex_domain,
    stack: *mut conex_stack,
}

impl Fixture {
    fn new(element: conex_element) -> Self {
        let mut domain = null_mut();
        // SAFETY: valid pointers.
        assert_eq!(unsafe { conex_domain_new(null(), &mut domain) }, CONEX_OK);
        let mut stack = null_mut();
        let options = conex_stack_options { element, domain, ..options() };
        // SAFETY: as above.
        assert_eq!(unsafe { conex_stack_new(&options, &mut stack) }, CONEX_OK);
        Self { domain, stack }
    }

    fn push<T>(&self, element: T) {
        // SAFETY: an element of the stack's type; its bytes move in.
        assert_eq!(unsafe { conex_stack_push(self.stack, (&raw const element).cast()) }, CONEX_OK);
        std::mem::forget(element);
    }

    fn len(&self) -> usize {
        let mut len = usize::MAX;
        // SAFETY: valid pointers.
        assert_eq!(unsafe { conex_stack_len(self.stack, &mut len) }, CONEX_OK);
        len
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        // SAFETY: nobody else uses it.
        assert_eq!(unsafe { conex_stack_destroy(self.stack) }, CONEX_OK);
        // SAFETY: as above.
        assert_eq!(unsafe { conex_domain_destroy(self.domain) }, CONEX_OK);
    }
}

#[test]
fn each_function_does_what_it_says() {
    let f = Fixture::new(WORD);
    let (mut out, mut count, mut empty) = (7_u64, 7_usize, false);
    let mut room = [0_u64; 8];
    // SAFETY: valid pointers throughout.
    unsafe {
        assert_eq!(conex_stack_pop(f.stack, (&raw mut out).cast()), CONEX_EMPTY);
        assert_eq!(out, 7, "left as it was");
        assert_eq!(conex_stack_pop_n(f.stack, room.as_mut_ptr().cast(), 8, &mut count), CONEX_EMPTY);
        assert_eq!(count, 0);
        count = 7;
        assert_eq!(conex_stack_pop_all(f.stack, None, null_mut(), &mut count), CONEX_EMPTY);
        assert_eq!(count, 0);
        assert_eq!(conex_stack_is_empty(f.stack, &mut empty), CONEX_OK);
        assert!(empty);
    }
    f.push(1_u64);
    let more = [2_u64, 3, 4];
    // SAFETY: as above.
    unsafe {
        assert_eq!(conex_stack_push_n(f.stack, more.as_ptr().cast(), 3, &mut count), CONEX_OK);
        assert_eq!((count, f.len()), (3, 4));
        assert_eq!(conex_stack_push_n(f.stack, null(), 0, null_mut()), CONEX_OK);
        assert_eq!(conex_stack_is_empty(f.stack, &mut empty), CONEX_OK);
        assert!(!empty);
        assert_eq!(conex_stack_pop(f.stack, (&raw mut out).cast()), CONEX_OK);
        assert_eq!(out, 4);
        assert_eq!(conex_stack_pop_n(f.stack, null_mut(), 0, &mut count), CONEX_OK);
        assert_eq!(count, 0);
        assert_eq!(conex_stack_pop_n(f.stack, room.as_mut_ptr().cast(), 2, &mut count), CONEX_OK);
        assert_eq!((count, &room[..3]), (2, &[3, 2, 0][..]));
        assert_eq!(
            conex_stack_pop_n(f.stack, room.as_mut_ptr().cast(), usize::MAX / 16, &mut count),
            CONEX_OK
        );
        assert_eq!((count, room[0], f.len()), (1, 1, 0));
    }
}

#[test]
fn elements_need_no_alignment() {
    let f = Fixture::new(WORD);
    let mut bytes = [0_u8; 17];
    bytes[1..9].copy_from_slice(&42_u64.to_ne_bytes());
    let at: *mut c_void = (&raw mut bytes[1]).cast();
    // SAFETY: readable and writable for two elements.
    unsafe {
        assert_eq!(conex_stack_push(f.stack, at), CONEX_OK);
        assert_eq!(conex_stack_push_n(f.stack, at, 1, null_mut()), CONEX_OK);
        bytes.fill(0);
        let (mut count, at) = (0, (&raw mut bytes[1]).cast());
        assert_eq!(conex_stack_pop_n(f.stack, at, 2, &mut count), CONEX_OK);
        assert_eq!(count, 2);
    }
    assert_eq!((u64::from_ne_bytes(bytes[1..9].try_into().unwrap()), bytes[0]), (42, 0));
}

#[test]
fn blobs_of_any_layout() {
    for (size, align) in [(1, 1), (3, 1), (24, 8), (64, 64), (4096, 4096), (8, 8), (8, 4), (16, 16)] {
        let f = Fixture::new(conex_element { size, align, ..WORD });
        let element: Vec<u8> = (0..size).map(|i| i as u8).collect();
        let mut out = vec![0_u8; size];
        // SAFETY: readable and writable for one element.
        unsafe {
            assert_eq!(conex_stack_push(f.stack, element.as_ptr().cast()), CONEX_OK);
            assert_eq!(conex_stack_pop(f.stack, out.as_mut_ptr().cast()), CONEX_OK);
        }
        assert_eq!(element, out);
    }
}

#[test]
fn bad_options_are_refused() {
    let domain = OwnDomain::new();
    let good = conex_stack_options { domain: domain.0, ..options() };
    let element = |element| conex_stack_options { element, ..good };
    let bad = [
        conex_stack_options { struct_size: 0, ..good },
        conex_stack_options { struct_size: size_of::<conex_stack_options>() - 1, ..good },
        conex_stack_options { struct_size: usize::MAX, ..good },
        conex_stack_options { flags: 1, ..good },
        element(conex_element { size: 0, ..WORD }),
        element(conex_element { align: 0, ..WORD }),
        element(conex_element { align: 3, size: 9, ..WORD }),
        element(conex_element { size: 12, ..WORD }),
        element(conex_element { size: 8192, align: 8192, ..WORD }),
        element(conex_element { size: (1 << 30) + 8, ..WORD }),
        element(conex_element { size: usize::MAX & !7, ..WORD }),
        conex_stack_options { allocator: conex_allocator { alloc: Some(alloc), ..good.allocator }, ..good },
        conex_stack_options { allocator: conex_allocator { free: Some(free), ..good.allocator }, ..good },
    ];
    for options in bad {
        let mut stack = null_mut();
        // SAFETY: valid pointers; a size that is too large is refused before the struct is read.
        assert_eq!(unsafe { conex_stack_new(&options, &mut stack) }, CONEX_ERR_INVALID, "{options:?}");
        assert!(stack.is_null());
    }
    // SAFETY: as above.
    assert_eq!(unsafe { conex_stack_new(&good, null_mut()) }, CONEX_ERR_NULL);
    let mut stack = null_mut();
    let foreign = [0_u64; 4];
    let options = conex_stack_options { domain: foreign.as_ptr().cast_mut().cast(), ..good };
    // SAFETY: the domain points to readable memory.
    assert_eq!(unsafe { conex_stack_new(&options, &mut stack) }, CONEX_ERR_HANDLE);
    assert!(stack.is_null());
}

/// Options of a newer header are taken if what is new says nothing.
#[test]
fn longer_options_must_end_in_zeros() {
    #[repr(C)]
    struct Longer {
        known: conex_stack_options,
        more: [u8; 3],
    }
    let struct_size = size_of::<conex_stack_options>() + 3;
    for (more, status) in [([0, 0, 0], CONEX_OK), ([0, 0, 1], CONEX_ERR_INVALID)] {
        let domain = OwnDomain::new();
        let known = conex_stack_options { struct_size, domain: domain.0, ..options() };
        let longer = Longer { known, more };
        let mut stack = null_mut();
        // SAFETY: readable for its size; destroyed once.
        unsafe {
            assert_eq!(conex_stack_new((&raw const longer).cast(), &mut stack), status);
            assert_eq!(conex_stack_destroy(stack), CONEX_OK);
        }
    }
}

/// Calls every function with `stack` for a stack.
fn each_function(stack: *mut conex_stack) -> Vec<conex_status> {
    let (mut word, mut count, mut empty) = (0_u64, 0, false);
    let element: *mut c_void = (&raw mut word).cast();
    // SAFETY: the tests pass null or readable memory.
    unsafe {
        vec![
            conex_stack_push(stack, element),
            conex_stack_push_n(stack, element, 1, &mut count),
            conex_stack_pop(stack, element),
            conex_stack_pop_n(stack, element, 1, &mut count),
            conex_stack_pop_all(stack, None, null_mut(), &mut count),
            conex_stack_len(stack, &mut count),
            conex_stack_is_empty(stack, &mut empty),
        ]
    }
}

#[test]
fn bad_handles_are_told() {
    assert_eq!(each_function(null_mut()), [CONEX_ERR_NULL; 7]);
    // SAFETY: null.
    assert_eq!(unsafe { conex_stack_destroy(null_mut()) }, CONEX_OK);

    let refused = |handle: *mut c_void| {
        assert_eq!(each_function(handle.cast()), [CONEX_ERR_HANDLE; 7]);
        // SAFETY: readable memory.
        assert_eq!(unsafe { conex_stack_destroy(handle.cast()) }, CONEX_ERR_HANDLE);
    };
    #[repr(align(4096))]
    struct Foreign([u8; 4096]);
    let foreign = Foreign([0; 4096]);
    let foreign = foreign.0.as_ptr().cast_mut();
    refused(foreign.cast());
    refused(foreign.wrapping_add(1).cast());
    refused(foreign.wrapping_add(8).cast());

    let domain = OwnDomain::new();
    refused(domain.0.cast());
    let mut guard: *mut conex_guard = null_mut();
    // SAFETY: valid pointers.
    assert_eq!(unsafe { conex_guard_enter(domain.0, &mut guard) }, CONEX_OK);
    refused(guard.cast());
    // SAFETY: entered above.
    assert_eq!(unsafe { conex_guard_leave(guard) }, CONEX_OK);

    let gone = Fixture::new(WORD).stack;
    refused(gone.cast());
}

#[test]
fn null_and_impossible_arguments_are_told() {
    let f = Fixture::new(WORD);
    f.push(5_u64);
    let (mut word, mut count) = (9_u64, 9_usize);
    let element: *mut c_void = (&raw mut word).cast();
    let (n, invalid) = (usize::MAX / 8 + 1, CONEX_ERR_INVALID);
    // SAFETY: null, or valid; impossible sizes are refused before anything is read.
    unsafe {
        assert_eq!(conex_stack_push(f.stack, null()), CONEX_ERR_NULL);
        assert_eq!(conex_stack_push_n(f.stack, null(), 1, &mut count), CONEX_ERR_NULL);
        assert_eq!(conex_stack_push_n(f.stack, element, n, &mut count), invalid);
        assert_eq!(conex_stack_push_n(f.stack, element, isize::MAX as usize / 8 + 1, &mut count), invalid);
        assert_eq!(conex_stack_pop(f.stack, null_mut()), CONEX_ERR_NULL);
        assert_eq!(conex_stack_pop_n(f.stack, null_mut(), 1, &mut count), CONEX_ERR_NULL);
        assert_eq!(conex_stack_pop_n(f.stack, element, 1, null_mut()), CONEX_ERR_NULL);
        assert_eq!(conex_stack_pop_n(f.stack, element, n, &mut count), invalid);
        assert_eq!(conex_stack_len(f.stack, null_mut()), CONEX_ERR_NULL);
        assert_eq!(conex_stack_is_empty(f.stack, null_mut()), CONEX_ERR_NULL);
    }
    assert_eq!((word, count, f.len()), (9, 9, 1), "nothing has changed");
}

#[test]
fn drop_ends_what_is_left_and_nothing_else() {
    let dropped = Calls::default();
    let element = conex_element { drop: Some(note), ctx: dropped.ctx(), ..WORD };
    let f = Fixture::new(element);
    for n in 0..6_u64 {
        f.push(n);
    }
    let (mut out, mut count) = (0_u64, 0);
    let taken = Calls::default();
    // SAFETY: valid pointers.
    unsafe {
        assert_eq!(conex_stack_pop(f.stack, (&raw mut out).cast()), CONEX_OK);
        assert_eq!(dropped.words(), []);
        assert_eq!(conex_stack_pop_all(f.stack, Some(note), taken.ctx(), &mut count), CONEX_OK);
        assert_eq!((taken.words(), dropped.words()), (vec![4, 3, 2, 1, 0], vec![]));
    }
    f.push(6_u64);
    f.push(7_u64);
    // SAFETY: as above.
    assert_eq!(unsafe { conex_stack_pop_all(f.stack, None, null_mut(), null_mut()) }, CONEX_OK);
    assert_eq!(dropped.words(), [7, 6]);
    f.push(8_u64);
    drop(f);
    assert_eq!(dropped.words(), [7, 6, 8]);
}

/// A callback of `pop_all` may use the stack; a `drop` during the destruction finds it dead.
#[test]
fn callbacks_come_back() {
    unsafe extern "C-unwind" fn push_again(element: *mut c_void, ctx: *mut c_void) {
        // SAFETY: the test passes the stack; the element is a word.
        let word = unsafe { *element.cast::<u64>() };
        if word % 2 == 0 {
            // SAFETY: as above.
            assert_eq!(unsafe { conex_stack_push(ctx.cast(), element) }, CONEX_OK);
        }
    }
    let f = Fixture::new(WORD);
    (0..6_u64).for_each(|n| f.push(n));
    let mut count = 0;
    // SAFETY: valid pointers.
    unsafe {
        assert_eq!(conex_stack_pop_all(f.stack, Some(push_again), f.stack.cast(), &mut count), CONEX_OK);
    }
    assert_eq!((count, f.len()), (6, 3));

    struct Seen(*mut conex_stack, Vec<conex_status>);
    unsafe extern "C-unwind" fn look(_element: *mut c_void, ctx: *mut c_void) {
        // SAFETY: the test passes a `Seen`.
        let seen = unsafe { &mut *ctx.cast::<Seen>() };
        seen.1.extend(each_function(seen.0));
        // SAFETY: readable memory.
        seen.1.push(unsafe { conex_stack_destroy(seen.0) });
    }
    let mut seen = Seen(null_mut(), Vec::new());
    let ctx: *mut Seen = &raw mut seen;
    let f = Fixture::new(conex_element { drop: Some(look), ctx: ctx.cast(), ..WORD });
    // SAFETY: nobody else uses it.
    unsafe { (*ctx).0 = f.stack };
    f.push(1_u64);
    drop(f);
    // SAFETY: as above.
    assert_eq!(unsafe { &(*ctx).1 }, &[CONEX_ERR_HANDLE; 8]);
}

#[test]
fn an_allocator_that_fails_or_misaligns_changes_nothing() {
    for (hook, gives) in [(alloc as conex::AllocFn, 6), (alloc_misaligned, 0)] {
        // The thread's cache and headers, but no chunk.
        let memory = Memory::new(2);
        let domain = OwnDomain::new();
        let allocator = conex_allocator { alloc: Some(hook), free: Some(free), ctx: memory.ctx() };
        let mut stack = null_mut();
        let (words, mut count) = ([1_u64, 2, 3, 4, 5, 6], 9);
        // SAFETY: valid pointers.
        unsafe {
            let options = conex_stack_options { domain: domain.0, allocator, ..options() };
            assert_eq!(conex_stack_new(&options, &mut stack), CONEX_OK);
            let pushed = conex_stack_push_n(stack, words.as_ptr().cast(), 6, &mut count);
            assert_eq!((pushed, count), (CONEX_ERR_NO_MEMORY, 0));
            assert!(memory.outstanding() <= if gives > 0 { 512 } else { 0 });
            memory.allow(1);
            let pushed = words.iter().filter(|word| {
                let status = conex_stack_push(stack, std::ptr::from_ref(*word).cast());
                assert!(matches!(status, CONEX_OK | CONEX_ERR_NO_MEMORY));
                status == CONEX_OK
            });
            assert_eq!(pushed.count(), gives);
            let mut len = 0;
            assert_eq!((conex_stack_len(stack, &mut len), len), (CONEX_OK, gives));
            assert_eq!(conex_stack_destroy(stack), CONEX_OK);
        }
        assert_eq!(memory.outstanding(), 0);
    }
}
