//! What a retire callback may do: retire, and destroy a container; and what becomes of its panic. That it may not wait for
//! the barrier is in `barrier`, that it may end its own domain in `thread_end`.

use std::ffi::c_void;
use std::sync::atomic::{AtomicUsize, Ordering};

use conex::{Domain, Options, Stack};

use super::LONG;
use super::common::retiring::{self, count};

#[test]
fn a_retire_callback_may_retire() {
    retiring::may_retire(Domain::retire);
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

#[test]
fn a_panic_in_a_callback_stays_there() {
    retiring::a_panic_stays_there(Domain::retire);
}
