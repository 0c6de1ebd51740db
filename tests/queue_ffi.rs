//! The C functions of the queue, called as C calls them: every status, every out-parameter.

#![allow(
    clippy::multiple_unsafe_ops_per_block,
    clippy::undocumented_unsafe_blocks,
    reason = "the C functions are called as C calls them"
)]
#![cfg(all(feature = "capi", not(loom)))]

mod common;

use std::ffi::c_void;
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicUsize, Ordering};

use common::Failing;
use conex::ffi::domain::{conex_domain_destroy, conex_domain_new};
use conex::ffi::element::{conex_allocator, conex_element};
use conex::ffi::queue::*;
use conex::ffi::queue_batch::*;
use conex::ffi::stack::{conex_stack, conex_stack_destroy, conex_stack_new};
use conex::ffi::status::conex_status::{self, *};

fn options() -> conex_queue_options {
    conex_queue_options {
        struct_size: size_of::<conex_queue_options>(),
        flags: 0,
        element: conex_element { size: 8, align: 8, drop: None, clone: None, ctx: null_mut() },
        domain: null_mut(),
        allocator: conex_allocator { alloc: None, free: None, ctx: null_mut() },
        segment: 0,
    }
}

fn make(options: &conex_queue_options) -> Result<*mut conex_queue, conex_status> {
    let mut queue = null_mut();
    // SAFETY: both pointers are valid.
    match unsafe { conex_queue_new(options, &raw mut queue) } {
        CONEX_OK => Ok(queue),
        status => {
            assert!(queue.is_null(), "an out-parameter was written with {status:?}");
            Err(status)
        }
    }
}

fn destroy(queue: *mut conex_queue) {
    // SAFETY: a live queue that nobody else uses.
    assert_eq!(unsafe { conex_queue_destroy(queue) }, CONEX_OK);
}

fn push<T>(queue: *mut conex_queue, element: &T) -> conex_status {
    // SAFETY: a live queue of elements like this one.
    unsafe { conex_queue_push(queue, std::ptr::from_ref(element).cast()) }
}

fn pop<T: Default>(queue: *mut conex_queue) -> Option<T> {
    let mut element = T::default();
    // SAFETY: a live queue of such elements.
    match unsafe { conex_queue_pop(queue, (&raw mut element).cast()) } {
        CONEX_OK => Some(element),
        CONEX_EMPTY => None,
        status => panic!("{status:?}"),
    }
}

#[test]
fn words_go_through() {
    let queue = make(&options()).expect("a queue");
    assert_eq!(pop::<u64>(queue), None);
    for word in 0..500_u64 {
        assert_eq!(push(queue, &word), CONEX_OK);
    }
    let (mut len, mut empty) = (0, true);
    // SAFETY: a live queue, valid out-parameters.
    assert_eq!(unsafe { conex_queue_len(queue, &raw mut len) }, CONEX_OK);
    // SAFETY: as above.
    assert_eq!(unsafe { conex_queue_is_empty(queue, &raw mut empty) }, CONEX_OK);
    assert_eq!((len, empty), (500, false));
    for word in 0..500_u64 {
        assert_eq!(pop(queue), Some(word));
    }
    assert_eq!(pop::<u64>(queue), None);
    destroy(queue);
}

#[test]
fn batches_of_structs_go_through() {
    type Struct = [u32; 5];
    let mut options = options();
    (options.element.size, options.element.align, options.segment) = (20, 4, 6);
    let queue = make(&options).expect("a queue");
    let elements: Vec<Struct> = (0..50).map(|i| [i; 5]).collect();
    let (mut count, mut out) = (7, vec![[0; 5]; 60]);
    // SAFETY: a live queue, 50 elements.
    assert_eq!(unsafe { conex_queue_push_n(queue, elements.as_ptr().cast(), 50, &raw mut count) }, CONEX_OK);
    assert_eq!(count, 50);
    // SAFETY: as above; `count` is optional.
    assert_eq!(unsafe { conex_queue_push_n(queue, elements.as_ptr().cast(), 50, null_mut()) }, CONEX_OK);
    // SAFETY: a live queue, room for 60.
    assert_eq!(unsafe { conex_queue_pop_n(queue, out.as_mut_ptr().cast(), 60, &raw mut count) }, CONEX_OK);
    assert_eq!(count, 60);
    assert_eq!(out[..50], elements);
    assert_eq!(out[50..], elements[..10]);
    // SAFETY: nothing is written.
    assert_eq!(unsafe { conex_queue_pop_n(queue, null_mut(), 0, &raw mut count) }, CONEX_OK);
    assert_eq!(count, 0);
    // SAFETY: nothing is read.
    assert_eq!(unsafe { conex_queue_push_n(queue, null(), 0, &raw mut count) }, CONEX_OK);
    // SAFETY: room for 60.
    assert_eq!(unsafe { conex_queue_pop_n(queue, out.as_mut_ptr().cast(), 60, &raw mut count) }, CONEX_OK);
    assert_eq!(count, 40);
    // SAFETY: as above.
    assert_eq!(unsafe { conex_queue_pop_n(queue, out.as_mut_ptr().cast(), 60, &raw mut count) }, CONEX_EMPTY);
    assert_eq!(count, 0);
    destroy(queue);
}

#[test]
fn destroy_drops_the_rest_in_order() {
    unsafe extern "C-unwind" fn count_drop(element: *mut c_void, ctx: *mut c_void) {
        // SAFETY: the queue holds words.
        let word = unsafe { element.cast::<u64>().read() };
        // SAFETY: the counter below.
        let next = unsafe { &*ctx.cast::<AtomicUsize>() }.fetch_add(1, Ordering::SeqCst);
        assert_eq!(word, next as u64);
    }
    let dropped = AtomicUsize::new(3);
    let mut options = options();
    options.element.drop = Some(count_drop);
    options.element.ctx = std::ptr::from_ref(&dropped).cast_mut().cast();
    let queue = make(&options).expect("a queue");
    for word in 0..100_u64 {
        push(queue, &word);
    }
    for word in 0..3_u64 {
        assert_eq!(pop(queue), Some(word));
    }
    assert_eq!(dropped.load(Ordering::SeqCst), 3);
    destroy(queue);
    assert_eq!(dropped.load(Ordering::SeqCst), 100);
}

unsafe extern "C-unwind" fn never(_: usize, _: usize, _: *mut c_void) -> *mut c_void {
    unreachable!("half an allocator is refused")
}

#[test]
fn bad_options_are_refused() {
    let bad = |change: fn(&mut conex_queue_options)| {
        let mut options = options();
        change(&mut options);
        make(&options).expect_err("should be refused")
    };
    assert_eq!(bad(|o| o.struct_size -= 1), CONEX_ERR_INVALID);
    assert_eq!(bad(|o| o.struct_size = 0), CONEX_ERR_INVALID);
    assert_eq!(bad(|o| o.flags = 1), CONEX_ERR_INVALID);
    assert_eq!(bad(|o| o.element.size = 0), CONEX_ERR_INVALID);
    assert_eq!(bad(|o| o.element.size = 12), CONEX_ERR_INVALID);
    assert_eq!(bad(|o| o.element.size = (1 << 30) + 8), CONEX_ERR_INVALID);
    assert_eq!(bad(|o| o.element.align = 3), CONEX_ERR_INVALID);
    assert_eq!(bad(|o| (o.element.size, o.element.align) = (8192, 8192)), CONEX_ERR_INVALID);
    assert_eq!(bad(|o| o.allocator.alloc = Some(never)), CONEX_ERR_INVALID);
    // SAFETY: NULL is answered.
    assert_eq!(unsafe { conex_queue_new(&options(), null_mut()) }, CONEX_ERR_NULL);
}

#[test]
fn bad_calls_are_refused() {
    let queue = make(&options()).expect("a queue");
    let (mut word, mut count) = (5_u64, 6_usize);
    let element: *mut c_void = (&raw mut word).cast();
    let mut stack: *mut conex_stack = null_mut();
    // SAFETY: NULL means the defaults.
    assert_eq!(unsafe { conex_stack_new(null(), &raw mut stack) }, CONEX_OK);
    let dead = make(&options()).expect("a queue");
    destroy(dead);
    let misaligned = queue.wrapping_byte_add(1);
    for (bad, status) in [
        (null_mut(), CONEX_ERR_NULL),
        (stack.cast::<conex_queue>(), CONEX_ERR_HANDLE),
        (dead, CONEX_ERR_HANDLE),
        (misaligned, CONEX_ERR_HANDLE),
    ] {
        // SAFETY, here and below: the handles point to readable memory or are refused for their address.
        unsafe {
            assert_eq!(conex_queue_push(bad, element), status);
            assert_eq!(conex_queue_push_n(bad, element, 1, &raw mut count), status);
            assert_eq!(conex_queue_pop(bad, element), status);
            assert_eq!(conex_queue_pop_n(bad, element, 1, &raw mut count), status);
            assert_eq!(conex_queue_len(bad, &raw mut count), status);
            assert_eq!(conex_queue_is_empty(bad, (&raw mut count).cast()), status);
            assert_eq!(conex_queue_pop_wait(bad, element, 0), status);
            assert_eq!(conex_queue_pop_n_wait(bad, element, 1, &raw mut count, 0), status);
            assert_eq!(conex_queue_close(bad), status);
            assert_eq!(conex_queue_is_closed(bad, (&raw mut count).cast()), status);
            assert_eq!(conex_queue_destroy(bad), if bad.is_null() { CONEX_OK } else { status });
        }
    }
    // SAFETY: as above; NULL and absurd numbers are answered.
    unsafe {
        assert_eq!(conex_queue_push(queue, null()), CONEX_ERR_NULL);
        assert_eq!(conex_queue_push_n(queue, null(), 1, &raw mut count), CONEX_ERR_NULL);
        assert_eq!(conex_queue_push_n(queue, element, usize::MAX / 4, &raw mut count), CONEX_ERR_INVALID);
        assert_eq!(conex_queue_pop(queue, null_mut()), CONEX_ERR_NULL);
        assert_eq!(conex_queue_pop_n(queue, null_mut(), 1, &raw mut count), CONEX_ERR_NULL);
        assert_eq!(conex_queue_pop_n(queue, element, 1, null_mut()), CONEX_ERR_NULL);
        assert_eq!(conex_queue_pop_n(queue, element, usize::MAX / 4, &raw mut count), CONEX_ERR_INVALID);
        assert_eq!(conex_queue_pop_wait(queue, null_mut(), 0), CONEX_ERR_NULL);
        assert_eq!(conex_queue_pop_n_wait(queue, null_mut(), 1, &raw mut count, 0), CONEX_ERR_NULL);
        assert_eq!(conex_queue_pop_n_wait(queue, element, 1, null_mut(), 0), CONEX_ERR_NULL);
        assert_eq!(
            conex_queue_pop_n_wait(queue, element, usize::MAX / 4, &raw mut count, 0),
            CONEX_ERR_INVALID
        );
        assert_eq!(conex_queue_is_closed(queue, null_mut()), CONEX_ERR_NULL);
        assert_eq!(conex_queue_len(queue, null_mut()), CONEX_ERR_NULL);
        assert_eq!(conex_queue_is_empty(queue, null_mut()), CONEX_ERR_NULL);
        assert_eq!(conex_stack_destroy(stack), CONEX_OK);
    }
    assert_eq!((word, count), (5, 6), "nothing is written with an error");
    assert_eq!(pop::<u64>(queue), None, "nothing was pushed with an error");
    destroy(queue);
}

#[test]
fn waiting_and_closing() {
    let queue = make(&options()).expect("a queue");
    let (mut words, mut count, mut closed) = ([0_u64; 4], 9_usize, true);
    let to: *mut c_void = words.as_mut_ptr().cast();
    // SAFETY, here and below: a live queue, valid out-parameters, room for four words.
    unsafe {
        assert_eq!(conex_queue_pop_wait(queue, to, 1_000_000), CONEX_TIMEOUT);
        assert_eq!(conex_queue_pop_n_wait(queue, to, 4, &raw mut count, 1_000_000), CONEX_TIMEOUT);
        assert_eq!((words, count), ([0; 4], 0));
        assert_eq!(conex_queue_is_closed(queue, &raw mut closed), CONEX_OK);
        assert!(!closed);
        for word in 1..5_u64 {
            push(queue, &word);
        }
        assert_eq!(conex_queue_close(queue), CONEX_OK);
        assert_eq!(conex_queue_close(queue), CONEX_OK);
        assert_eq!(conex_queue_is_closed(queue, &raw mut closed), CONEX_OK);
        assert!(closed);
        assert_eq!(push(queue, &6_u64), CONEX_CLOSED);
        count = 9;
        assert_eq!(conex_queue_push_n(queue, to, 4, &raw mut count), CONEX_CLOSED);
        assert_eq!(count, 0);
        assert_eq!(conex_queue_pop_wait(queue, to, u64::MAX), CONEX_OK);
        assert_eq!(words[0], 1);
        assert_eq!(conex_queue_pop_n_wait(queue, to, 4, &raw mut count, u64::MAX), CONEX_OK);
        assert_eq!((words[..3].to_vec(), count), (vec![2, 3, 4], 3));
        assert_eq!(conex_queue_pop(queue, to), CONEX_CLOSED);
        assert_eq!(conex_queue_pop_wait(queue, to, u64::MAX), CONEX_CLOSED);
        assert_eq!(conex_queue_pop_n(queue, to, 4, &raw mut count), CONEX_CLOSED);
        assert_eq!(count, 0);
        count = 9;
        assert_eq!(conex_queue_pop_n_wait(queue, to, 4, &raw mut count, u64::MAX), CONEX_CLOSED);
        assert_eq!(count, 0);
    }
    destroy(queue);
}

#[test]
fn a_domain_in_use_is_busy() {
    let mut domain = null_mut();
    // SAFETY: NULL means the defaults.
    assert_eq!(unsafe { conex_domain_new(null(), &raw mut domain) }, CONEX_OK);
    let mut options = options();
    options.domain = domain;
    let queue = make(&options).expect("a queue");
    // SAFETY: a live domain.
    assert_eq!(unsafe { conex_domain_destroy(domain) }, CONEX_BUSY);
    destroy(queue);
    // SAFETY: a live domain that nothing uses.
    assert_eq!(unsafe { conex_domain_destroy(domain) }, CONEX_OK);
    assert_eq!(make(&options).expect_err("the domain is gone"), CONEX_ERR_HANDLE);
}

#[test]
fn no_memory_says_how_much_is_in() {
    for successes in 1..6 {
        let ledger = Failing::new(successes);
        let mut options = options();
        options.allocator = conex_allocator {
            alloc: Some(Failing::alloc),
            free: Some(Failing::free),
            ctx: std::ptr::from_ref(&ledger).cast_mut().cast(),
        };
        options.segment = 4;
        let queue = make(&options).expect("a queue");
        let words: Vec<u64> = (0..100).collect();
        let mut done = 0;
        let mut failures = 0;
        while done < words.len() {
            let mut count = usize::MAX;
            // SAFETY: a live queue, as many words as are said.
            match unsafe {
                conex_queue_push_n(queue, words[done..].as_ptr().cast(), words.len() - done, &raw mut count)
            } {
                CONEX_OK => assert_eq!(count, words.len() - done),
                CONEX_ERR_NO_MEMORY => failures += 1,
                status => panic!("{status:?}"),
            }
            done += count;
        }
        assert_eq!(failures, 1);
        for word in words {
            assert_eq!(pop(queue), Some(word));
        }
        destroy(queue);
        assert_eq!(ledger.outstanding(), 0);
    }
}
