//! Callbacks of a domain that break the rules: what they do wrong stays with them.

#![cfg(not(loom))]

mod common;

use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use common::retiring::{Retire, count};
use conex::{Domain, DomainStats, Options, Stack};

const LONG: Duration = Duration::from_secs(20);

/// A panic whose message panics, too, when it is thrown away.
struct Twice;

impl Drop for Twice {
    fn drop(&mut self) {
        std::panic::resume_unwind(Box::new("again"));
    }
}

unsafe extern "C-unwind" fn panic_twice(_: *mut c_void, _: *mut c_void) {
    std::panic::resume_unwind(Box::new(Twice));
}

#[test]
#[cfg_attr(miri, ignore = "what a panic carries is forgotten, which counts as leaked")]
fn a_panic_that_panics_in_its_end_stays_where_it_is() {
    let called = AtomicUsize::new(0);
    let domain = Domain::new().unwrap();
    let ctx = std::ptr::from_ref(&called).cast_mut().cast();
    for retire in [Domain::retire as Retire, Domain::retire_hazardous] {
        for call in [count, panic_twice, count] {
            // SAFETY: not quite: one of them unwinds, which is what is tested.
            unsafe { retire(&domain, null_mut(), 8, call, ctx) }.unwrap();
        }
        domain.barrier(LONG).unwrap();
        assert_eq!(domain.stats(), DomainStats::default());
    }
    assert_eq!(called.load(Ordering::SeqCst), 4);
    // The domain works as before.
    let stack = Stack::with_options(&Options::new().domain(&domain)).unwrap();
    stack.push(1);
    assert_eq!(stack.pop(), Some(1));
}
