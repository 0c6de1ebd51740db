//! The C functions when the allocator of the process has nothing left: each of the library's own allocations is refused
//! once, the call says so, and nothing has changed.
//!
//! One test in one process: it begins before the default domain is made.

#![cfg(all(not(loom), feature = "capi"))]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "a block is a series of C calls, as C would write it"
)]

mod common;

use std::ffi::c_void;
use std::ptr::{null, null_mut};

use common::Heap;
use conex::ffi::domain::*;
use conex::ffi::domain_retire::*;
use conex::ffi::guard::*;
use conex::ffi::stack::*;
use conex::ffi::status::conex_status::*;

unsafe extern "C-unwind" fn nothing(_ptr: *mut c_void, _ctx: *mut c_void) {}

#[test]
#[cfg_attr(miri, ignore = "the default domain is for ever, and so counts as leaked")]
fn no_memory_is_told_and_changes_nothing() {
    let (mut stack, mut domain, mut guard) = (null_mut(), null_mut(), null_mut());
    let before = Heap::live();
    // Of the allocations of a domain, the third and the fourth are crossbeam's, which end the process.
    for nth in [0, 1, 4] {
        // SAFETY: valid pointers.
        unsafe {
            let status = Heap::failing_after(nth, || conex_stack_new(null(), &mut stack));
            assert_eq!(status, CONEX_ERR_NO_MEMORY, "{nth}");
            assert!(Heap::failing_after(nth, || conex_domain_default()).is_null());
            let status = Heap::failing_after(nth, || conex_guard_enter(null_mut(), &mut guard));
            assert_eq!(status, CONEX_ERR_NO_MEMORY, "{nth}");
            let status = Heap::failing_after(nth, || conex_domain_flush(null_mut()));
            assert_eq!(status, CONEX_ERR_NO_MEMORY, "{nth}");
            let status = Heap::failing_after(nth, || conex_domain_lock(null_mut()));
            assert_eq!(status, CONEX_ERR_NO_MEMORY, "{nth}");
            let status = Heap::failing_after(nth, || conex_domain_unlock(null_mut()));
            assert_eq!(status, CONEX_ERR_NO_MEMORY, "{nth}");
        }
    }
    for nth in [0, 1, 4, 5] {
        // SAFETY: as above.
        let status = unsafe { Heap::failing_after(nth, || conex_domain_new(null(), &mut domain)) };
        assert_eq!(status, CONEX_ERR_NO_MEMORY, "{nth}");
    }
    // The list of the process's domains keeps its entry of one that was not made, three words, for the next one.
    assert_eq!(Heap::live(), before + 3 * size_of::<usize>().cast_signed());
    assert!(stack.is_null() && domain.is_null() && guard.is_null());

    // SAFETY: as above; the guard is left once.
    unsafe {
        assert_eq!(conex_guard_enter(null_mut(), &mut guard), CONEX_OK);
        assert_eq!(conex_guard_leave(guard), CONEX_OK);
    }
    let before = Heap::live();
    // SAFETY: as above.
    unsafe {
        let status = Heap::failing_after(0, || conex_stack_new(null(), &mut stack));
        assert_eq!(status, CONEX_ERR_NO_MEMORY);
        let status = Heap::failing_after(0, || conex_guard_enter(null_mut(), &mut guard));
        assert_eq!(status, CONEX_ERR_NO_MEMORY);
        let status = Heap::failing_after(0, || {
            conex_domain_retire(null_mut(), null_mut(), 8, Some(nothing), null_mut())
        });
        assert_eq!(status, CONEX_ERR_NO_MEMORY);
        // The guard that was not entered does not stand in the way.
        assert_eq!(conex_domain_barrier(null_mut(), 20_000_000_000), CONEX_OK);
    }
    assert_eq!(Heap::live(), before);

    // SAFETY: as above; destroyed once.
    unsafe {
        assert_eq!(conex_stack_new(null(), &mut stack), CONEX_OK);
        let words = [1_u64, 2, 3];
        // The thread's cache; then headers, without which the cache is kept; then the chunk.
        for nth in [0, 1, 1] {
            let mut count = 9;
            let status =
                Heap::failing_after(nth, || conex_stack_push_n(stack, words.as_ptr().cast(), 3, &mut count));
            assert_eq!((status, count), (CONEX_ERR_NO_MEMORY, 0));
        }
        let status = Heap::failing_after(0, || conex_stack_push(stack, words.as_ptr().cast()));
        assert_eq!(status, CONEX_ERR_NO_MEMORY);
        let mut empty = false;
        assert_eq!((conex_stack_is_empty(stack, &mut empty), empty), (CONEX_OK, true));
        assert_eq!(conex_stack_destroy(stack), CONEX_OK);
    }
}
