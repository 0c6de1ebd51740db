//! The domain: one clock, the threads that take part in it, and what waits for it.

use core::fmt;
use core::ptr;
use std::time::{Duration, Instant};

use super::guard::Guard;
use super::limbo::{Bins, Owned};
use super::phases::Phases;
use super::pinned::Pinned;
use super::retired::{RetireFn, Retired};
use super::thread::{self, ThreadRecord};
#[cfg(not(loom))]
use crate::mem::Once;
use crate::mem::{Counted, NoMemory, Registry};
use crate::sync::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};

/// The part of a domain that its threads and limbos keep alive.
pub(super) struct Shared {
    pub(super) threads: Registry<ThreadRecord>,
    /// Sweeps, and sealed chains until they are disposed of.
    pub(super) phases: Phases,
    /// Threads that have marked a limbo as dirty and not put it on the list yet.
    pub(super) marks: Phases,
    /// How often a sweep had to leave blocks in the open, for lack of a slot to seal them.
    unsealed: AtomicUsize,
    /// Limbos that hold open blocks, linked by `next_dirty`; each entry owns a reference to its limbo.
    dirty: AtomicPtr<Bins>,
    /// How many limbos were closed while they were on the dirty list.
    closed: AtomicUsize,
    disposed_objects: AtomicUsize,
    disposed_bytes: AtomicUsize,
    /// How many containers have been given a lane of hazards.
    pub(super) lanes: AtomicUsize,
    /// The domain is gone; threads may give up their handles.
    ended: AtomicBool,
    origin: Instant,
}

impl Shared {
    pub(super) fn push_dirty(&self, bins: &Bins) {
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
    fn sweep(&self, pinned: &Pinned) -> bool {
        let mut all = true;
        self.take_dirty(|bins| all &= bins.sweep(pinned));
        all
    }

    /// Empties the dirty list.
    fn take_dirty(&self, mut visit: impl FnMut(&Bins)) {
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
    pub(super) fn count_unsealed(&self) {
        // Release: pairs with the Acquire in `unsealed`; who sees the count sees the mark.
        self.unsealed.fetch_add(1, Ordering::Release);
    }

    fn unsealed(&self) -> usize {
        // Acquire: see `count_unsealed`.
        self.unsealed.load(Ordering::Acquire)
    }

    pub(super) fn count_disposed(&self, objects: u64, bytes: u64) {
        // Relaxed: statistics.
        self.disposed_objects.fetch_add(objects as usize, Ordering::Relaxed);
        // Relaxed: statistics.
        self.disposed_bytes.fetch_add(bytes as usize, Ordering::Relaxed);
    }

    pub(super) fn has_ended(&self) -> bool {
        // Relaxed: a hint that memory can be given up sooner; nothing is read on the strength of it.
        self.ended.load(Ordering::Relaxed)
    }

    /// Nanoseconds since the domain was made, never 0.
    pub(super) fn clock(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX).max(1)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // Limbos refer to `Shared`, so none is left, and none can be on the list.
        debug_assert!(self.dirty.load(Ordering::Relaxed).is_null(), "Relaxed: `&mut self`");
    }
}

/// What is behind all clones of a [`Domain`].
struct Core {
    /// What users retired.
    retired: Owned<Retired>,
    shared: Counted<Shared>,
    collector: crossbeam_epoch::Collector,
}

impl Drop for Core {
    fn drop(&mut self) {
        // SAFETY: nobody can name the domain any more.
        unsafe { self.retired.close() };
        // Containers hold a clone of the domain, so now all limbos are closed: what is on the dirty list is empty, and
        // nobody puts anything there. What is left are the list's references.
        self.shared.take_dirty(|_| ());
        // Relaxed: see `has_ended`.
        self.shared.ended.store(true, Ordering::Relaxed);
    }
}

/// A reclamation domain: containers and guards of one domain share one clock; those of different domains do not hold
/// up each other's memory.
///
/// Clones mean the same domain. Containers keep theirs alive.
#[derive(Clone)]
pub struct Domain {
    core: Counted<Core>,
}

/// What [`Domain::stats`] tells; each number is an estimate while other threads work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DomainStats {
    /// Blocks and pointers that were retired and not freed yet.
    pub pending_objects: usize,
    /// Their bytes, as their retirers gave them, each rounded up to a multiple of 16.
    pub pending_bytes: usize,
    /// Sessions ([`Guard`]) that are active.
    pub guards: usize,
    /// How long the oldest of them has been active without a refresh.
    pub oldest_guard: Duration,
}

/// Why [`Domain::barrier`] returned before its work was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BarrierError {
    /// The time was up; something still holds memory back, most often a guard on another thread.
    TimedOut,
    /// The calling thread itself holds a guard of this domain, or is in a callback that runs inside an operation on it
    /// which has pinned it, so waiting would never end.
    Guarded,
}

impl fmt::Display for BarrierError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TimedOut => "the time was up before all retired memory was freed",
            Self::Guarded => {
                "the calling thread holds a guard of the domain or runs a callback of it; leave that first"
            }
        })
    }
}

impl std::error::Error for BarrierError {}

impl Domain {
    /// A new domain.
    ///
    /// # Errors
    /// [`NoMemory`] if the process allocator has none. (The two small blocks of crossbeam's collector are an exception:
    /// if there is none for them, the process ends.)
    pub fn new() -> Result<Self, NoMemory> {
        let shared = Counted::new(Shared {
            threads: Registry::new(),
            phases: Phases::new(),
            marks: Phases::new(),
            unsealed: AtomicUsize::new(0),
            dirty: AtomicPtr::new(ptr::null_mut()),
            closed: AtomicUsize::new(0),
            disposed_objects: AtomicUsize::new(0),
            disposed_bytes: AtomicUsize::new(0),
            lanes: AtomicUsize::new(0),
            ended: AtomicBool::new(false),
            origin: Instant::now(),
        })?;
        let retired = Owned::new(&shared, Retired)?;
        let collector = crossbeam_epoch::Collector::new();
        Ok(Self { core: Counted::new(Core { retired, shared, collector })? })
    }

    pub(super) fn shared(&self) -> &Counted<Shared> {
        &self.core.shared
    }

    /// What a thread needs to become a member.
    pub(super) fn parts(&self) -> (&Counted<Shared>, &crossbeam_epoch::Collector) {
        (&self.core.shared, &self.core.collector)
    }

    /// Whether this is the only clone: no container, guard of the C layer, or other clone uses the domain. Exact if no
    /// other thread is cloning or dropping it.
    #[must_use]
    pub fn is_unused(&self) -> bool {
        self.core.is_unique()
    }

    /// Whether the two are clones of one domain.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        ptr::eq(&raw const *self.core, &raw const *other.core)
    }

    #[inline]
    pub(crate) fn pin(&self) -> Pinned {
        thread::pin(&self.core.shared, &self.core.collector)
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

    /// Seals what was retired, tries to move the clock on, and frees what is due. One step, which never waits.
    ///
    /// Progress: lock-free. May run destructors and retire callbacks on this thread.
    pub fn flush(&self) {
        let pinned = self.pin();
        self.core.shared.sweep(&pinned);
        pinned.flush();
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

    /// Waits until everything that was retired in this domain before the call, by any thread, has been freed.
    ///
    /// Progress: may block, for `timeout` at most. May run destructors and retire callbacks on this thread.
    ///
    /// # Errors
    /// [`BarrierError::TimedOut`], or [`BarrierError::Guarded`] at once when this thread holds a guard of the domain or
    /// is in a retire callback or destructor that the domain runs.
    pub fn barrier(&self, timeout: Duration) -> Result<(), BarrierError> {
        let begin = Instant::now();
        let shared = &self.core.shared;
        if thread::is_pinned(shared) {
            return Err(BarrierError::Guarded);
        }
        let mut attempt = Attempt::new(shared);
        let mut rounds = 0_u32;
        loop {
            {
                let pinned = self.pin();
                attempt.seal(&pinned);
                pinned.flush();
            }
            match attempt.is_over() {
                Some(true) => return Ok(()),
                Some(false) => attempt = Attempt::new(shared),
                None => {}
            }
            if begin.elapsed() >= timeout {
                return Err(BarrierError::TimedOut);
            }
            rounds += 1;
            wait(rounds);
        }
    }

    /// What waits in the domain, and for whom.
    ///
    /// Progress: wait-free, in the number of threads that ever used the domain at once.
    #[must_use]
    pub fn stats(&self) -> DomainStats {
        let shared = &self.core.shared;
        // Relaxed throughout: statistics. Disposed first, so that a block counted there is counted as retired too.
        let disposed_objects = shared.disposed_objects.load(Ordering::Relaxed);
        let disposed_bytes = shared.disposed_bytes.load(Ordering::Relaxed);
        let mut stats = DomainStats::default();
        let now = shared.clock();
        let (mut objects, mut bytes, mut oldest) = (0_usize, 0_usize, now);
        for record in shared.threads.iter() {
            let record = &record.value;
            // Relaxed, all four: statistics.
            objects = objects.wrapping_add(record.retired_objects.load(Ordering::Relaxed));
            bytes = bytes.wrapping_add(record.retired_bytes.load(Ordering::Relaxed));
            let sessions = record.sessions.load(Ordering::Relaxed);
            if sessions > 0 {
                stats.guards += sessions;
                oldest = oldest.min(record.session_since.load(Ordering::Relaxed));
            }
        }
        let positive = |n: usize| if n > usize::MAX / 2 { 0 } else { n };
        stats.pending_objects = positive(objects.wrapping_sub(disposed_objects));
        stats.pending_bytes = positive(bytes.wrapping_sub(disposed_bytes));
        stats.oldest_guard = Duration::from_nanos(now - oldest);
        stats
    }
}

/// One attempt of a barrier to see everything freed. Its steps, each of which starts when the one before it is over:
///
/// 1. Wait for the threads that are marking a limbo as dirty. A block that was retired before lies in a limbo that was
///    marked; once the marks are over it is on the list, or another sweep has it.
/// 2. Sweep the list. What is sealed now, by this sweep or by another one that was faster, has been counted in `phases`.
/// 3. Wait for everything that has been counted there.
///
/// Another sweep may have found no slot for a limbo it took. That is counted before its phase ends, so the attempt that
/// waited for it sees the count and does not answer for what was left; and blocks left by a sweep before the attempt
/// are marked again, by a thread that step 1 waits for.
struct Attempt<'a> {
    shared: &'a Shared,
    /// The count of [`Shared::unsealed`] at the beginning.
    unsealed: usize,
    /// Where step 1 began. Read after `unsealed`: see above.
    marks: usize,
    /// Where step 3 began.
    sealed: Option<usize>,
}

impl<'a> Attempt<'a> {
    fn new(shared: &'a Shared) -> Self {
        let unsealed = shared.unsealed();
        Self { shared, unsealed, marks: shared.marks.now(), sealed: None }
    }

    /// Goes as far as step 3, if it can.
    fn seal(&mut self, pinned: &Pinned) {
        if self.sealed.is_none() && self.shared.marks.passed(self.marks) {
            if self.shared.sweep(pinned) {
                self.sealed = Some(self.shared.phases.now());
            } else {
                *self = Self::new(self.shared);
            }
        }
    }

    /// Whether step 3 is over, and if so, whether everything was sealed before it.
    fn is_over(&self) -> Option<bool> {
        let over = self.sealed.is_some_and(|sealed| self.shared.phases.passed(sealed));
        over.then(|| self.shared.unsealed() == self.unsealed)
    }
}

/// Lets the others run: a little at first, longer as the wait goes on.
fn wait(rounds: u32) {
    if rounds < 16 {
        crate::sync::yield_now();
    } else {
        #[cfg(not(loom))]
        std::thread::sleep(Duration::from_micros(u64::from(rounds.min(100)) * 10));
        #[cfg(loom)]
        crate::sync::yield_now();
    }
}

#[cfg(not(loom))]
impl Domain {
    /// The default domain, or [`NoMemory`] if there is none for it at its first use.
    pub(crate) fn try_default() -> Result<Self, NoMemory> {
        static DEFAULT: Once<Core> = Once::new();
        let make = || Domain::new().map(|domain| Counted::into_raw(domain.core).cast_mut());
        // SAFETY: it came from `into_raw` in `make`, and nobody else took it.
        let unmake = |core: *mut Core| drop(unsafe { Counted::from_raw(core) });
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
