//! What all handles of the C functions have in common: they can be printed. And the version.

#![cfg(all(not(loom), feature = "capi"))]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    clippy::undocumented_unsafe_blocks,
    reason = "calls of C functions"
)]

use std::ffi::CStr;
use std::ptr::{null, null_mut};

use conex::ffi::domain::*;
use conex::ffi::domain_retire::*;
use conex::ffi::guard::*;
use conex::ffi::hazard::*;
use conex::ffi::map::*;
use conex::ffi::map_all::*;
use conex::ffi::queue::*;
use conex::ffi::shared::*;
use conex::ffi::shared_place::*;
use conex::ffi::stack::*;
use conex::ffi::status::conex_status::*;
use conex::ffi::version::*;

#[test]
fn handles_can_be_printed() {
    let (mut domain, mut guard, mut map, mut queue, mut stack) =
        (null_mut(), null_mut(), null_mut(), null_mut(), null_mut());
    let (mut hazard, mut reference, mut shared) = (null_mut(), null_mut(), null_mut());
    let word = 1_u64;
    unsafe {
        assert_eq!(conex_domain_new(null(), &mut domain), CONEX_OK);
        assert_eq!(conex_guard_enter(domain, &mut guard), CONEX_OK);
        assert_eq!(conex_map_new(null(), &mut map), CONEX_OK);
        assert_eq!(conex_queue_new(null(), &mut queue), CONEX_OK);
        assert_eq!(conex_stack_new(null(), &mut stack), CONEX_OK);
        assert_eq!(format!("{:?}", *domain), "conex_domain { .. }");
        assert_eq!(format!("{:?}", *guard), "conex_guard { .. }");
        assert_eq!(format!("{:?}", *map), "conex_map { .. }");
        assert_eq!(format!("{:?}", *queue), "conex_queue { .. }");
        assert_eq!(format!("{:?}", *stack), "conex_stack { .. }");
        assert_eq!(conex_hazard_new(domain, &mut hazard), CONEX_OK);
        assert_eq!(conex_ref_new(domain, null(), (&raw const word).cast(), &mut reference), CONEX_OK);
        assert_eq!(conex_shared_new(domain, null_mut(), &mut shared), CONEX_OK);
        assert_eq!(format!("{:?}", *hazard), "conex_hazard { .. }");
        assert_eq!(format!("{:?}", *reference), "conex_ref { .. }");
        assert_eq!(format!("{:?}", *shared), "conex_shared { .. }");
        assert_eq!(conex_shared_destroy(shared), CONEX_OK);
        assert_eq!(conex_ref_release(reference), CONEX_OK);
        assert_eq!(conex_hazard_destroy(hazard), CONEX_OK);
        let mut empty = false;
        assert_eq!(conex_map_is_empty(map, &mut empty), CONEX_OK);
        assert!(empty);
        assert_eq!(conex_stack_destroy(stack), CONEX_OK);
        assert_eq!(conex_queue_destroy(queue), CONEX_OK);
        assert_eq!(conex_map_destroy(map), CONEX_OK);
        assert_eq!(conex_guard_leave(guard), CONEX_OK);
        assert_eq!(conex_domain_destroy(domain), CONEX_OK);
    }
}

/// A guard of another thread, which is not left, holds the barrier up.
#[test]
fn a_barrier_times_out() {
    let mut domain = null_mut();
    assert_eq!(unsafe { conex_domain_new(null(), &mut domain) }, CONEX_OK);
    let shared = domain as usize;
    let (entered, is_entered) = std::sync::mpsc::channel();
    let (leave, may_leave) = std::sync::mpsc::channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let mut guard = null_mut();
            assert_eq!(unsafe { conex_guard_enter(shared as *mut conex_domain, &mut guard) }, CONEX_OK);
            entered.send(()).unwrap();
            may_leave.recv().unwrap();
            assert_eq!(unsafe { conex_guard_leave(guard) }, CONEX_OK);
        });
        is_entered.recv().unwrap();
        unsafe extern "C-unwind" fn nothing(_: *mut std::ffi::c_void, _: *mut std::ffi::c_void) {}
        let status = unsafe { conex_domain_retire(domain, null_mut(), 1, Some(nothing), null_mut()) };
        assert_eq!(status, CONEX_OK);
        assert_eq!(unsafe { conex_domain_barrier(domain, 1_000_000) }, CONEX_TIMEOUT);
        leave.send(()).unwrap();
    });
    assert_eq!(unsafe { conex_domain_destroy(domain) }, CONEX_OK);
}

#[test]
fn the_version_is_that_of_the_package() {
    let text = unsafe { CStr::from_ptr(conex_version_string()) }.to_str().unwrap();
    assert_eq!(text, env!("CARGO_PKG_VERSION"));
    let parts: Vec<u32> = text.split('.').map(|part| part.parse().unwrap()).collect();
    let number = conex_version();
    assert!(number > 0 && parts.len() == 3, "{number}");
}
