//! What a retire callback may do: retire, and destroy a container; and what becomes of its panic. That it may not wait for
//! the barrier is in `barrier`, that it may end its own domain in `thread_end`.

use std::ffi::c_void;
use std::sync::atomic::{AtomicUsize, Ordering};

use conex::{Domain, Options, Stack};

use super::common::scaled;
use super::{LONG, count, retire};

#[test]
fn a_retire_callback_may_retire() {
    struct Chain {
        domain: Domain,
        left: AtomicUsize,
    }
    unsafe extern "C-unwind" fn again(_ptr: *mut c_void, ctx: *mut c_void) {
        // SAFETY: the chain below outlives the barrier that waits for its end.
        let chain = unsafe { &*ctx.cast::<Chain>() };
        if chain.left.fetch_sub(1, Ordering::SeqCst) > 1 {
            // SAFETY: as above.
            unsafe { chain.domain.retire(std::ptr::null_mut(), 8, again, ctx) }.unwrap();
        }
    }
    let domain = Domain::new().unwrap();
    let chain = Chain { domain: domain.clone(), left: AtomicUsize::new(scaled(2_000)) };
    let ctx = std::ptr::from_ref(&chain).cast_mut().cast();
    // SAFETY: `chain` lives until the loop below has seen the last callback.
    unsafe { domain.retire(std::ptr::null_mut(), 8, again, ctx) }.unwrap();
    while chain.left.load(Ordering::SeqCst) > 0 {
        domain.barrier(LONG).unwrap();
    }
}

/// A container that is destroyed by a retire callback, while the domain is sweeping that container.
#[test]
fn a_retire_callback_may_destroy_a_container_that_is_being_swept() {
    unsafe extern "C-unwind" fn destroy(ptr: *mut c_void, ctx: *mut c_void) {
        // SAFETY: from `Box::into_raw` below, and retired once.
        drop(unsafe { Box::from_raw(ptr.cast::<Stack<u32>>()) });
        // SAFETY: a counter that outlives the domain.
        unsafe { count(ptr, ctx) };
    }
    let destroyed = AtomicUsize::new(0);
    let domain = Domain::new().unwrap();
    let stack = Box::new(Stack::with_options(&Options::new().domain(&domain)).unwrap());
    stack.push(1);
    stack.push(2);
    let reader = domain.enter();
    let stack = Box::into_raw(stack);
    let ctx = std::ptr::from_ref(&destroyed).cast_mut().cast();
    // SAFETY: nobody can find the stack any more but the reader below, whose guard is older.
    unsafe { domain.retire(stack.cast(), 64, destroy, ctx) }.unwrap();
    domain.flush();
    // SAFETY: under a guard that was entered before the stack was retired.
    assert_eq!(unsafe { &*stack }.pop(), Some(2));
    drop(reader);
    domain.flush();
    domain.barrier(LONG).unwrap();
    assert_eq!(destroyed.load(Ordering::SeqCst), 1);
}

/// A destructor that panics, although it must not, takes nothing but itself: the rest of its batch is freed, and the
/// barrier ends.
#[test]
fn a_panic_in_a_callback_stays_there() {
    unsafe extern "C-unwind" fn panics(_ptr: *mut c_void, _ctx: *mut c_void) {
        // Without the message, whose backtrace takes Miri longer than the barrier waits.
        std::panic::resume_unwind(Box::new(()));
    }
    let freed = AtomicUsize::new(0);
    let domain = Domain::new().unwrap();
    for _ in 0..3 {
        retire(&domain, &freed, 8);
        // SAFETY: not quite: it unwinds, which is what is tested.
        unsafe { domain.retire(std::ptr::null_mut(), 8, panics, std::ptr::null_mut()) }.unwrap();
        retire(&domain, &freed, 8);
        assert_eq!(domain.barrier(LONG), Ok(()));
    }
    assert_eq!(freed.load(Ordering::SeqCst), 6);
}
