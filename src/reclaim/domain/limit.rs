//! A soft limit: somebody is told when much memory waits, most often because a guard is held too long.

use core::ffi::c_void;

use super::Shared;
use crate::sync::{AtomicUsize, Ordering};

/// Told that `pending_bytes` wait in a domain whose oldest guard has been held for `oldest_guard_ns` nanoseconds. Must not
/// unwind.
pub type LimitFn = unsafe extern "C-unwind" fn(pending_bytes: usize, oldest_guard_ns: u64, ctx: *mut c_void);

/// What a domain was told to do about much memory.
pub(super) struct Limit {
    bytes: usize,
    call: LimitFn,
    ctx: *mut c_void,
    /// The call comes when so many bytes wait.
    next: AtomicUsize,
}

// SAFETY: `Domain::with_limit` demands that the call, with its `ctx`, is sound on any thread.
unsafe impl Send for Limit {}
// SAFETY: as above.
unsafe impl Sync for Limit {}

impl Limit {
    pub(super) fn new(bytes: usize, call: LimitFn, ctx: *mut c_void) -> Self {
        Self { bytes, call, ctx, next: AtomicUsize::new(bytes) }
    }
}

impl Shared {
    /// Looks whether the limit was passed, and tells. After a batch was retired.
    #[inline]
    pub(in crate::reclaim) fn check_limit(&self) {
        if let Some(limit) = &self.limit {
            self.check(limit);
        }
    }

    #[cold]
    fn check(&self, limit: &Limit) {
        let stats = self.stats();
        let pending = stats.pending_bytes;
        // Relaxed, here and below: the number stands for itself; one thread changes it for each call.
        let next = limit.next.load(Ordering::Relaxed);
        if pending >= next {
            let then = pending.max(limit.bytes).saturating_mul(2);
            if limit.next.compare_exchange(next, then, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
                let age = u64::try_from(stats.oldest_guard.as_nanos()).unwrap_or(u64::MAX);
                // SAFETY: the promise of `Domain::with_limit`.
                unsafe { (limit.call)(pending, age, limit.ctx) };
            }
        } else if next > limit.bytes && pending < limit.bytes / 2 {
            // A failure means that another thread was faster.
            let _ = limit.next.compare_exchange(next, limit.bytes, Ordering::Relaxed, Ordering::Relaxed);
        }
    }
}
