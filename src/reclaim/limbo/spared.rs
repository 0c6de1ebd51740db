//! What a container has unlinked and cannot retire yet, because a thread names it in a slot that stays from one operation to
//! the next. The container looks there when it is used; a sweep of the domain makes sure that one that is not used
//! does so, too.

use super::{Bins, Link};
use crate::reclaim::hazard;
use crate::reclaim::pinned::Pinned;

/// Where a container retires what it has spared: see [`Dispose::retire_spared`](super::Dispose::retire_spared).
pub(crate) struct Spared<'a> {
    pub(super) bins: &'a Bins,
    /// The sweep's. None: the limbo is being dropped, and nobody uses the container any more.
    pub(super) pinned: Option<&'a Pinned>,
}

impl Spared<'_> {
    /// Whether another thread names `block`, as [`Hazards::named`](crate::reclaim::Hazards::named) for a container of this
    /// lane. The calling thread's own slots do not any more: an operation further up its stack that uses the block is
    /// pinned, or will not look at it again.
    ///
    /// The block was unlinked before.
    pub(crate) fn is_named<T>(&self, lane: usize, block: *mut T) -> bool {
        let Some(pinned) = self.pinned else { return false };
        pinned.record().value.lanes.leave(lane, block);
        hazard::before_scan();
        hazard::named(&self.bins.shared, lane, block)
    }

    /// Retires a block, without what a retirement may run; or ends it at once, if the limbo is being dropped.
    ///
    /// # Safety
    /// As [`Limbo::retire`](super::Limbo::retire).
    pub(crate) unsafe fn retire(&self, block: *mut Link, kind: u8, bytes: usize) {
        match self.pinned {
            // SAFETY: the caller's promise.
            Some(pinned) => _ = unsafe { self.bins.push(pinned, block, kind, bytes) },
            // SAFETY: unlinked, and nobody uses the container any more.
            None => unsafe { (self.bins.dispose)(self.bins.whole, block, kind) },
        }
    }
}
