//! What holds of retire functions however their pointer was retired.

use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use conex::{BarrierError, Domain, NoMemory};

use super::scaled;

const LONG: Duration = Duration::from_secs(20);

/// `Domain::retire` or `Domain::retire_hazardous`.
pub(crate) type Retire =
    unsafe fn(&Domain, *mut c_void, usize, conex::RetireFn, *mut c_void) -> Result<(), NoMemory>;

/// Counts in its `ctx`, a counter that outlives the domain.
pub(crate) unsafe extern "C-unwind" fn count(_ptr: *mut c_void, ctx: *mut c_void) {
    // SAFETY: the tests pass such a counter.
    unsafe { &*ctx.cast::<AtomicUsize>() }.fetch_add(1, Ordering::SeqCst);
}

/// A retire function may retire, and is refused the barrier.
pub(crate) fn may_retire(retire: Retire) {
    struct Chain {
        domain: Domain,
        left: AtomicUsize,
        retire: Retire,
    }
    unsafe extern "C-unwind" fn again(ptr: *mut c_void, ctx: *mut c_void) {
        // SAFETY: the chain below outlives the barrier that waits for its end.
        let chain = unsafe { &*ctx.cast::<Chain>() };
        assert_eq!(chain.domain.barrier(LONG), Err(BarrierError::Guarded));
        if chain.left.fetch_sub(1, Ordering::SeqCst) > 1 {
            // SAFETY: as above.
            unsafe { (chain.retire)(&chain.domain, ptr, 8, again, ctx) }.unwrap();
        }
    }
    let domain = Domain::new().unwrap();
    let chain = Chain { domain: domain.clone(), left: AtomicUsize::new(scaled(2_000)), retire };
    let ctx = std::ptr::from_ref(&chain).cast_mut().cast();
    // SAFETY: `chain` lives until the loop below has seen the last call.
    unsafe { retire(&domain, null_mut(), 8, again, ctx) }.unwrap();
    while chain.left.load(Ordering::SeqCst) > 0 {
        domain.barrier(LONG).unwrap();
    }
}

/// A retire function that panics, although it must not, takes nothing but itself: the rest of its batch is freed, and the
/// barrier ends.
pub(crate) fn a_panic_stays_there(retire: Retire) {
    unsafe extern "C-unwind" fn panics(_ptr: *mut c_void, _ctx: *mut c_void) {
        // Without the message, whose backtrace takes Miri longer than the barrier waits.
        std::panic::resume_unwind(Box::new(()));
    }
    let freed = AtomicUsize::new(0);
    let domain = Domain::new().unwrap();
    let ctx = std::ptr::from_ref(&freed).cast_mut().cast();
    for _ in 0..3 {
        for call in [count, panics, count] {
            // SAFETY: the counter outlives the domain. `panics` unwinds, which is what is tested.
            unsafe { retire(&domain, null_mut(), 8, call, ctx) }.unwrap();
        }
        assert_eq!(domain.barrier(LONG), Ok(()));
    }
    assert_eq!(freed.load(Ordering::SeqCst), 6);
}
