//! The domain: one clock, the threads that take part in it, and what waits for it.

mod barrier;
#[cfg(all(unix, not(any(miri, loom))))]
mod fork;
mod limit;
mod shared;
mod stats;

use core::convert::Infallible;
use core::fmt;
use core::ptr;

use crossbeam_utils::CachePadded;

pub use barrier::BarrierError;
pub use limit::LimitFn;
pub(super) use shared::{Shared, clock, session_clock};
pub use stats::DomainStats;

use self::limit::Limit;
use super::guard::Guard;
use super::limbo::{Link, Owned, Slot};
use super::pinned::Pinned;
#[cfg(not(loom))]
use super::retired::Node;
use super::retired::{RetireFn, Retired};
use super::thread::{self, ThreadRecord};
use crate::mem::{Counted, NoMemory, Once, Record};
use crate::sync::Ordering;

/// What is behind all clones of a [`Domain`].
struct Core {
    /// What users retired.
    retired: Owned<Retired>,
    shared: Counted<Shared>,
    /// Made at the first use in each era: see [`fork`].
    collector: Once<crossbeam_epoch::Collector>,
    #[cfg(all(unix, not(any(miri, loom))))]
    entry: core::cell::Cell<*const crate::mem::Entry<Core>>,
}

// SAFETY: what its parts say; the entry is written once, before the domain is shared.
unsafe impl Send for Core {}
// SAFETY: as above.
unsafe impl Sync for Core {}

impl Drop for Core {
    fn drop(&mut self) {
        #[cfg(all(unix, not(any(miri, loom))))]
        self.strike();
        // SAFETY: nobody can name the domain any more.
        unsafe { self.retired.close() };
        // SAFETY: as above: hazard pointers hold a clone of the domain.
        unsafe { self.shared.hazards.close(&self.shared) };
        // Containers hold a clone of the domain, so now all limbos are closed: what is on the dirty list is empty, and
        // nobody puts anything there, nor among the ready chains. What is left are their references.
        self.shared.take_dirty(|_| ());
        while let Some(slot) = self.shared.ready.take(0) {
            // SAFETY: taken just now, and the close took care of the chain.
            unsafe { Slot::finish(slot) };
        }
        self.shared.end();
        let collector = self.collector.take();
        if !collector.is_null() {
            // SAFETY: from `Box::into_raw` in `Domain::collector`; nobody uses it any more.
            drop(unsafe { Box::from_raw(collector) });
        }
    }
}

/// A reclamation domain: containers and guards of one domain share one clock; those of different domains do not hold
/// up each other's memory.
///
/// Clones mean the same domain. Containers keep theirs alive.
#[derive(Clone)]
pub struct Domain {
    // Its count of references on a line of its own, away from what every pin reads.
    core: Counted<CachePadded<Core>>,
}

impl Domain {
    /// A new domain.
    ///
    /// # Errors
    /// [`NoMemory`] if the process allocator has none. (The two small blocks of crossbeam's collector are an exception:
    /// if there is none for them, the process ends.)
    pub fn new() -> Result<Self, NoMemory> {
        Self::with(None)
    }

    /// A new domain that calls `call(pending_bytes, oldest_guard_ns, ctx)` when at least `bytes` wait in it, and again
    /// each time that twice as much waits as at the last call. When less than half of `bytes` waits, it begins anew.
    ///
    /// It is called by the thread whose retirement completed a batch (64 of them, or 32 KiB), inside that operation: after
    /// what could be freed has been. It may do what a retire callback may; several threads may call it at the same time,
    /// for different amounts.
    ///
    /// # Errors
    /// As [`Domain::new`].
    ///
    /// # Safety
    /// The call is sound on any thread until the domain and its containers are gone. It must not unwind.
    pub unsafe fn with_limit(
        bytes: usize,
        call: LimitFn,
        ctx: *mut core::ffi::c_void,
    ) -> Result<Self, NoMemory> {
        Self::with(Some(Limit::new(bytes, call, ctx)))
    }

    fn with(limit: Option<Limit>) -> Result<Self, NoMemory> {
        let shared = Counted::new(Shared::new(limit))?;
        let retired = Owned::new(&shared, Retired)?;
        let core = Core {
            retired,
            shared,
            collector: Once::new(),
            #[cfg(all(unix, not(any(miri, loom))))]
            entry: core::cell::Cell::new(ptr::null()),
        };
        let core = Counted::new(CachePadded::new(core))?;
        #[cfg(all(unix, not(any(miri, loom))))]
        core.enlist()?;
        Ok(Self { core })
    }

    pub(super) fn shared(&self) -> &Counted<Shared> {
        &self.core.shared
    }

    /// The clock of the present era.
    pub(super) fn collector(&self) -> &crossbeam_epoch::Collector {
        let make = || Ok::<_, Infallible>(Box::into_raw(Box::new(crossbeam_epoch::Collector::new())));
        // SAFETY: it came from `into_raw` in `make`, and nobody else took it.
        let unmake = |collector| drop(unsafe { Box::from_raw(collector) });
        let Ok(collector) = self.core.collector.get(make, unmake);
        // SAFETY: it lives as long as the domain, or for ever if a new era begins.
        unsafe { &*collector }
    }

    /// Whether this is the only clone: no container, guard of the C layer, or other clone uses the domain. Exact if no
    /// other thread is cloning or dropping it.
    #[must_use]
    pub fn is_unused(&self) -> bool {
        // Relaxed: of sessions that other threads have begun and not ended, the caller knows.
        let locked = |record: &Record<ThreadRecord>| record.value.locks.load(Ordering::Relaxed) > 0;
        self.core.is_unique() && !self.core.shared.threads.iter().any(locked)
    }

    /// Whether the two are clones of one domain.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        ptr::eq(&raw const *self.core, &raw const *other.core)
    }

    #[inline]
    pub(crate) fn pin(&self) -> Pinned {
        thread::pin(self)
    }

    /// Enters a session: until the guard is dropped or refreshed, nothing that is reachable now in a container of this
    /// domain is freed, and operations on them need no pin of their own.
    ///
    /// Progress: lock-free; allocates on the thread's first use of the domain.
    #[must_use]
    pub fn enter(&self) -> Guard {
        Guard::new(self.clone(), self.pin())
    }

    /// Calls `call(ptr, ctx)` once, on any thread, when no guard that is active now is active any more. `bytes` feeds
    /// the statistics and the decision when to push the clock on.
    ///
    /// Progress: lock-free if the process allocator is; allocates one small block.
    ///
    /// # Errors
    /// [`NoMemory`]: nothing was retired, `ptr` is still the caller's.
    ///
    /// # Safety
    /// No thread can reach `ptr` any more that did not hold it under a guard already, and `call(ptr, ctx)` must be
    /// sound at any later time on any thread. It must not unwind.
    pub unsafe fn retire(
        &self,
        ptr: *mut core::ffi::c_void,
        bytes: usize,
        call: RetireFn,
        ctx: *mut core::ffi::c_void,
    ) -> Result<(), NoMemory> {
        let block = Retired::block(ptr, call, ctx)?;
        let pinned = self.pin();
        // SAFETY: the block is new and private, so it counts as unlinked; the caller vouches for `ptr`.
        unsafe { self.core.retired.retire(&pinned, block, 0, bytes) };
        Ok(())
    }

    /// As [`Domain::retire`], in room that the object brings along: allocates nothing, and cannot fail.
    ///
    /// # Safety
    /// As there; and `node` is writable, and nobody else's until the call of `call`.
    #[cfg(not(loom))]
    pub unsafe fn retire_in(
        &self,
        node: *mut Node,
        ptr: *mut core::ffi::c_void,
        bytes: usize,
        call: RetireFn,
        ctx: *mut core::ffi::c_void,
    ) {
        // SAFETY: the caller's promise.
        let block = unsafe { Retired::block_in(node, ptr, call, ctx) };
        let pinned = self.pin();
        // SAFETY: as in `retire`.
        unsafe { self.core.retired.retire(&pinned, block, Retired::IN_NODE, bytes) };
    }

    /// Frees the memory of a counted value after the grace period.
    ///
    /// # Safety
    /// As [`Counter::bury`](super::shared::Counter::bury), which is the only caller.
    pub(super) unsafe fn retire_counted(&self, block: *mut Link, bytes: usize) {
        let pinned = self.pin();
        // SAFETY: the caller's promise.
        unsafe { self.core.retired.retire(&pinned, block, Retired::COUNTED, bytes) };
    }

    /// Seals what was retired, and what maps kept because a thread named it that does not any more; tries to move the clock
    /// on, and frees all that is ready. One step, which never waits.
    ///
    /// Progress: lock-free. May run destructors and retire callbacks on this thread.
    pub fn flush(&self) {
        let pinned = self.pin();
        self.core.shared.sweep(&pinned);
        pinned.flush();
        pinned.work_all(&self.core.shared);
        self.scan_hazards(&pinned);
    }

    /// A closed limbo is left on the dirty list, and with it its memory. Nobody may ever sweep the domain, so that those
    /// that come together are swept here from time to time.
    pub(super) fn closed_on_the_list(&self) {
        const MANY: usize = 64;
        // Relaxed: only a count.
        if self.core.shared.closed.fetch_add(1, Ordering::Relaxed) % MANY == MANY - 1 {
            self.flush();
        }
    }
}

#[cfg(not(loom))]
impl Domain {
    /// The default domain, or [`NoMemory`] if there is none for it at its first use.
    pub(crate) fn try_default() -> Result<Self, NoMemory> {
        static DEFAULT: Once<CachePadded<Core>> = Once::new();
        let make = || Domain::new().map(|domain| Counted::into_raw(domain.core).cast_mut());
        // SAFETY: it came from `into_raw` in `make`, and nobody else took it.
        let unmake = |core: *mut CachePadded<Core>| drop(unsafe { Counted::from_raw(core) });
        let core = DEFAULT.get(make, unmake)?;
        // SAFETY: the pointer in `DEFAULT` owns a reference that is never given up.
        let owner = unsafe { Counted::from_raw(core) };
        let core = owner.clone();
        core::mem::forget(owner);
        Ok(Self { core })
    }
}

#[cfg(not(loom))]
impl Default for Domain {
    /// The domain that containers use when they are given none. It is made at its first use and lives as long as the
    /// process.
    ///
    /// # Panics
    /// If there is no memory for it at its first use.
    fn default() -> Self {
        Self::try_default().expect("no memory for the default domain")
    }
}

impl fmt::Debug for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Domain").field("stats", &self.stats()).finish()
    }
}
