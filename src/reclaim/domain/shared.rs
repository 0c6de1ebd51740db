//! The part of a domain that its threads and limbos keep alive.

use super::limit::Limit;
use crate::mem::Registry;
#[cfg(all(unix, not(any(miri, loom))))]
use crate::mem::Roll;
use crate::reclaim::hazard_pointer::UserHazards;
use crate::reclaim::limbo::Bins;
use crate::reclaim::phases::Phases;
use crate::reclaim::pinned::Pinned;
use crate::reclaim::ready::Ready;
use crate::reclaim::thread::ThreadRecord;
use crate::sync::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};
use core::ptr;

/// The part of a domain that its threads and limbos keep alive.
pub(in crate::reclaim) struct Shared {
    pub(in crate::reclaim) threads: Registry<ThreadRecord>,
    /// Sweeps, and sealed chains until they are disposed of.
    pub(in crate::reclaim) phases: Phases,
    /// Sealed chains that any operation may dispose of.
    pub(in crate::reclaim) ready: Ready,
    /// Threads that have marked a limbo as dirty and not put it on the list yet.
    pub(in crate::reclaim) marks: Phases,
    /// How often a sweep had to leave blocks in the open, for lack of a slot to seal them.
    unsealed: AtomicUsize,
    /// Limbos that hold open blocks, linked by `next_dirty`; each entry owns a reference to its limbo.
    dirty: AtomicPtr<Bins>,
    /// How many limbos were closed while they were on the dirty list.
    pub(super) closed: AtomicUsize,
    pub(super) disposed_objects: AtomicUsize,
    pub(super) disposed_bytes: AtomicUsize,
    /// How many containers have been given a lane of hazards.
    pub(in crate::reclaim) lanes: AtomicUsize,
    /// The hazard pointers of users, and what was retired to them.
    pub(in crate::reclaim) hazards: UserHazards,
    pub(super) limit: Option<Limit>,
    /// The domain is gone; threads may give up their handles.
    ended: AtomicBool,
    /// How often the domain has begun anew in a child of `fork`: see [`fork`](super::fork).
    era: AtomicUsize,
    /// The thread that still has a pin of an earlier era, or [`NOBODY`], or 0.
    held: AtomicUsize,
    /// The limbos of the domain.
    #[cfg(all(unix, not(any(miri, loom))))]
    pub(in crate::reclaim) limbos: Roll<Bins>,
}

/// No thread's number.
const NOBODY: usize = usize::MAX;

impl Shared {
    pub(super) fn new(limit: Option<Limit>) -> Self {
        Self {
            limit,
            threads: Registry::new(),
            phases: Phases::new(),
            ready: Ready::new(),
            marks: Phases::new(),
            unsealed: AtomicUsize::new(0),
            dirty: AtomicPtr::new(ptr::null_mut()),
            closed: AtomicUsize::new(0),
            disposed_objects: AtomicUsize::new(0),
            disposed_bytes: AtomicUsize::new(0),
            lanes: AtomicUsize::new(0),
            hazards: UserHazards::new(),
            ended: AtomicBool::new(false),
            era: AtomicUsize::new(0),
            held: AtomicUsize::new(0),
            #[cfg(all(unix, not(any(miri, loom))))]
            limbos: Roll::new(),
        }
    }

    pub(super) fn end(&self) {
        // Relaxed: see `has_ended`.
        self.ended.store(true, Ordering::Relaxed);
    }

    pub(in crate::reclaim) fn era(&self) -> usize {
        // A model does not fork: nothing to explore. Relaxed: it changes only while nobody else is there.
        if cfg!(loom) { 0 } else { self.era.load(Ordering::Relaxed) }
    }

    /// Whether a pin lasts that the collector knows nothing of.
    pub(in crate::reclaim) fn is_held(&self) -> bool {
        // Acquire: pair (10) of the limbo.
        cfg!(not(loom)) && self.held.load(Ordering::Acquire) != 0
    }

    /// Whether that is a pin of `thread`.
    pub(in crate::reclaim) fn is_held_by(&self, thread: usize) -> bool {
        // Relaxed: this thread's own, or none of its business.
        cfg!(not(loom)) && self.held.load(Ordering::Relaxed) == thread
    }

    /// `thread`, the caller, has no such pin any more.
    pub(in crate::reclaim) fn let_go(&self, thread: usize) {
        if self.is_held_by(thread) {
            // Release: pair (10) of the limbo.
            self.held.store(0, Ordering::Release);
        }
    }

    /// The thread that has such a pin is about to end.
    pub(in crate::reclaim) fn hold_for_ever(&self) {
        // Relaxed: it holds as before.
        self.held.store(NOBODY, Ordering::Relaxed);
    }

    /// A new era begins, in which `thread` may have a pin of an earlier one.
    ///
    /// # Safety
    /// There is no other thread.
    #[cfg(all(unix, not(any(miri, loom))))]
    pub(super) unsafe fn begin_era(&self, held: Option<usize>) {
        // Relaxed, both: nobody else is there.
        self.era.fetch_add(1, Ordering::Relaxed);
        self.held.store(held.unwrap_or(0), Ordering::Relaxed);
    }

    /// All limbos of the list are put on it again, and those of the roll that are not on it.
    ///
    /// # Safety
    /// There is no other thread.
    #[cfg(all(unix, not(any(miri, loom))))]
    pub(super) unsafe fn renew_dirty(&self) {
        // SAFETY: the caller's promise; the roll's limbos are alive.
        unsafe { self.limbos.each(|bins| bins.set_dirty(false)) };
        // Relaxed: nobody else is there.
        let mut at = self.dirty.load(Ordering::Relaxed).cast_const();
        // SAFETY: an entry of the list owns a reference to its limbo.
        while let Some(bins) = unsafe { at.as_ref() } {
            bins.set_dirty(true);
            at = bins.next_dirty();
        }
        // SAFETY: as above.
        unsafe { self.limbos.each(Bins::mark_dirty) };
    }

    pub(in crate::reclaim) fn push_dirty(&self, bins: &Bins) {
        // Relaxed: only compared and linked to.
        let mut head = self.dirty.load(Ordering::Relaxed);
        loop {
            bins.set_next_dirty(head);
            let entry = bins.as_entry();
            // Release: publishes `next_dirty` to the sweep's Acquire swap. Relaxed on failure: as the load.
            match self.dirty.compare_exchange_weak(head, entry, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => head = now,
            }
        }
    }

    /// Seals what is open in every limbo of the domain. False when something could not be sealed yet.
    pub(super) fn sweep(&self, pinned: &Pinned) -> bool {
        let mut all = true;
        self.take_dirty(|bins| all &= bins.sweep(pinned));
        all
    }

    /// Empties the dirty list.
    pub(super) fn take_dirty(&self, mut visit: impl FnMut(&Bins)) {
        // Counted before the list is taken: a barrier that finds the list empty because of this sweep waits for it.
        let phase = self.phases.enter();
        let _leave = self.phases.leave_on_drop(phase);
        // Acquire: pairs with the Release in `push_dirty`; Release keeps the RMW chain of the entries before it, and
        // shows a barrier that finds the list empty the phase entered above.
        let mut at = self.dirty.swap(ptr::null_mut(), Ordering::AcqRel).cast_const();
        while !at.is_null() {
            // SAFETY: an entry of the list owns a reference to its limbo, and the swap made the list ours.
            let bins = unsafe { &*at };
            let next = bins.next_dirty();
            visit(bins);
            // SAFETY: the entry's reference, given up once.
            unsafe { Bins::release(at) };
            at = next;
        }
    }

    /// A sweep left blocks in the open, and their limbo is marked as dirty again.
    pub(in crate::reclaim) fn count_unsealed(&self) {
        // Release: pairs with the Acquire in `unsealed`; who sees the count sees the mark.
        self.unsealed.fetch_add(1, Ordering::Release);
    }

    pub(super) fn unsealed(&self) -> usize {
        // Acquire: see `count_unsealed`.
        self.unsealed.load(Ordering::Acquire)
    }

    pub(in crate::reclaim) fn count_disposed(&self, objects: u64, bytes: u64) {
        // Relaxed: statistics.
        self.disposed_objects.fetch_add(objects as usize, Ordering::Relaxed);
        // Relaxed: statistics.
        self.disposed_bytes.fetch_add(bytes as usize, Ordering::Relaxed);
    }

    pub(in crate::reclaim) fn has_ended(&self) -> bool {
        // Relaxed: a hint that memory can be given up sooner; nothing is read on the strength of it.
        self.ended.load(Ordering::Relaxed)
    }
}

/// The present time in nanoseconds, on a clock that only moves forward.
pub(in crate::reclaim) fn clock() -> u64 {
    #[cfg(all(target_os = "linux", not(miri), not(loom)))]
    {
        kernel_clock(libc::CLOCK_MONOTONIC)
    }
    #[cfg(not(all(target_os = "linux", not(miri), not(loom))))]
    {
        static ORIGIN: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
        let origin = ORIGIN.get_or_init(std::time::Instant::now);
        u64::try_from(origin.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// The same, perhaps some milliseconds ago: looked at when a session begins, which should cost less than a clock does.
#[inline]
pub(in crate::reclaim) fn session_clock() -> u64 {
    #[cfg(all(target_os = "linux", not(miri), not(loom)))]
    {
        kernel_clock(libc::CLOCK_MONOTONIC_COARSE)
    }
    #[cfg(not(all(target_os = "linux", not(miri), not(loom))))]
    clock()
}

#[cfg(all(target_os = "linux", not(miri), not(loom)))]
fn kernel_clock(clock: libc::clockid_t) -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is valid; the clocks are there since Linux 2.6.32.
    unsafe { libc::clock_gettime(clock, &raw mut now) };
    (now.tv_sec as u64).wrapping_mul(1_000_000_000).wrapping_add(now.tv_nsec as u64)
}

impl Drop for Shared {
    fn drop(&mut self) {
        // Limbos refer to `Shared`, so none is left, and none can be on the list.
        debug_assert!(self.dirty.load(Ordering::Relaxed).is_null(), "Relaxed: `&mut self`");
    }
}
