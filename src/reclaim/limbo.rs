//! The limbo of one container: blocks that were unlinked and wait until no reader can hold them.
//!
//! # Shape
//!
//! ```text
//!  retire ──► open[shard] : Link ► Link ► Link          intrusive stacks, one CAS a block, no allocation
//!                 │  seal: every BATCH blocks or BATCH_BYTES, or when the domain sweeps
//!                 ▼
//!             sealed[slot] : the whole chain, and one deferred call in the domain's collector
//!                 │  the collector calls back: every thread that was pinned at the seal has let go
//!                 ▼
//!             dispose, block by block
//! ```
//!
//! Two things make this different from handing each block to the collector. The collector buffers per thread, so an
//! idle thread would sit on blocks that nobody else can reach; open stacks can be sealed by anybody, which is what
//! makes [`Domain::barrier`](super::Domain::barrier) complete. And the limbo is *owned*: [`Limbo::drop`] disposes of
//! everything on the spot, so a destroyed container has run every destructor and given back all its memory.
//!
//! # Invariants
//!
//! 1. A block is in at most one chain, and is disposed of by the thread that took that chain out of its place by a swap.
//! 2. A chain in `sealed` was unlinked before its seal; it is disposed of by the deferred call of that seal, after the
//!    grace period, or by the limbo's drop, when nobody uses the container any more. The swap decides which.
//! 3. An open stack that is not empty belongs to a limbo that is on the domain's dirty list, or whose last pusher is
//!    about to put it there.
//! 4. `meta` of a block is written before the CAS that publishes it and never after; reading it through `open` needs a
//!    pin, which keeps the block from being disposed of.
//!
//! # Ordering pairs
//!
//! - (1) the Release half of the CAS in `retire` → (2) the Acquire half of the swap in `seal`: who disposes sees the
//!   block as its retirer left it. RMWs on one word continue each other's release sequences, so this holds for every
//!   block of the chain.
//! - (3) the Release store of a chain in `sealed` → (4) the Acquire swap that takes it for disposal.
//! - (5) the sweep's clearing of `dirty` happens before its exchange (2) of each open stack, an empty one too; a retirer
//!   whose CAS (1) comes after that exchange therefore reads `dirty` as cleared and puts the limbo on the list again.
//! - (6) `closed` against `busy`, a store-load pair with a SeqCst fence on either side: either the visitor sees the
//!   limbo closed, or the closer sees the visitor and waits for it.
//! - (8) the Release half of the swap that sets `dirty` → the Acquire load of it in `retire`: a retirer that leaves the
//!   marking to another thread has seen that thread counted in `marks`, and so has every barrier after it.
//! - (7) the Release store of a retired block's link → Acquire loads of that link by readers that still walk over it.
//!
//! # Progress
//!
//! `retire` and `seal` are lock-free: a CAS fails only because another block was pushed. Dropping the limbo waits for
//! threads that are disposing of one of its chains at that moment (they run destructors that must have run when the
//! drop returns) or sweeping it (a few steps, and nobody else's code: a destructor that runs in a sweep may drop the
//! very limbo that is being swept). A thread that is suspended for ever there keeps the drop waiting for ever.

use core::cell::Cell;
use core::ptr;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crossbeam_utils::CachePadded;

use super::domain::{Domain, Shared};
use super::pinned::Pinned;
use super::thread;
use crate::mem::{Counted, NoMemory};
use crate::sync::{AtomicBool, AtomicPtr, AtomicUsize, Ordering, fence, yield_now};

/// Open stacks of a limbo: threads share them by number, so that few meet on one line.
const SHARDS: usize = if cfg!(loom) { 1 } else { 4 };
/// Sealed chains a limbo can have under way.
const SLOTS: usize = if cfg!(loom) { 2 } else { 16 };
/// An open stack is sealed when it reaches a multiple of this many blocks …
const BATCH: u64 = if cfg!(any(loom, miri, conex_small)) { 2 } else { 64 };
/// … or of this many bytes.
const BATCH_BYTES: u64 = 32 * 1024;

/// The head of every block that can be retired.
///
/// While the block is in use, `next` is the container's to use as it likes; from `retire` on both fields are the
/// limbo's.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) next: AtomicPtr<Link>,
    meta: Cell<Meta>,
}

impl Link {
    pub(crate) fn new() -> Self {
        Self { next: AtomicPtr::new(ptr::null_mut()), meta: Cell::new(Meta(0)) }
    }
}

/// What a block says of itself and of the blocks below it in its chain: bits 0..3 its kind, 3..32 how many blocks,
/// 32..64 how many units of 16 bytes. Both sums saturate; they feed statistics and the choice when to seal.
#[derive(Clone, Copy, Debug)]
struct Meta(u64);

impl Meta {
    const COUNT_MAX: u64 = (1 << 29) - 1;
    const UNITS_MAX: u64 = (1 << 32) - 1;

    fn kind(self) -> u8 {
        (self.0 & 7) as u8
    }

    fn count(self) -> u64 {
        (self.0 >> 3) & Self::COUNT_MAX
    }

    fn bytes(self) -> u64 {
        (self.0 >> 32) * 16
    }

    /// `bytes` as they are counted: in whole units.
    fn units(bytes: usize) -> u64 {
        (bytes as u64).div_ceil(16).min(Self::UNITS_MAX)
    }

    /// The meta of a block of `kind` and `units` on top of a chain that says `self`.
    fn on_top(self, kind: u8, units: u64) -> Self {
        let count = (self.count() + 1).min(Self::COUNT_MAX);
        let units = ((self.0 >> 32) + units).min(Self::UNITS_MAX);
        Self(units << 32 | count << 3 | u64::from(kind & 7))
    }
}

/// Frees blocks when their time has come.
///
/// # Safety
/// `dispose` may be called until the [`Limbo`] is dropped, and after a `mem::forget` of it for ever, from any thread:
/// it must not use anything that may have ended by then. If code that `dispose` runs drops the limbo, that call goes on
/// after the drop.
pub(crate) unsafe trait Dispose: Send + Sync {
    /// Ends the life of `block`, which was retired with `kind`.
    ///
    /// # Safety
    /// The block was retired to this limbo, nobody can reach it any more, and this is the only call for it.
    unsafe fn dispose(&self, block: *mut Link, kind: u8);
}

/// The untyped part of a limbo, as the domain's lists and the deferred calls see it.
pub(super) struct Bins {
    open: [CachePadded<AtomicPtr<Link>>; SHARDS],
    sealed: [AtomicPtr<Link>; SLOTS],
    /// Threads, other than the owner's, that are inside: sweeping or disposing.
    busy: AtomicUsize,
    closed: AtomicBool,
    dirty: AtomicBool,
    /// Link of the domain's dirty list; belongs to whoever turned `dirty` from false to true until the sweep.
    next_dirty: AtomicPtr<Bins>,
    shared: Counted<Shared>,
    /// The same `Bins`, as a pointer into the whole `Inner`, which a reference to the part is not.
    whole: *const Bins,
    dispose: unsafe fn(*const Bins, *mut Link, u8),
    /// Takes, or gives up, one reference to the whole `Inner`.
    retain: unsafe fn(*const Bins),
    release: unsafe fn(*const Bins),
}

/// `Bins` first, so that a pointer to one is a pointer to the other.
#[repr(C)]
struct Inner<D> {
    bins: Bins,
    dispose: D,
}

// SAFETY: the blocks in the stacks are owned by the limbo and handed from thread to thread through the pairs of the
// module's text; `D: Dispose` is Send and Sync; the function pointers are the same for all threads.
unsafe impl<D: Dispose> Send for Inner<D> {}
// SAFETY: as above.
unsafe impl<D: Dispose> Sync for Inner<D> {}

/// A limbo that does not keep its domain alive: the domain's own. Whoever drops it closes it before.
pub(super) struct Owned<D: Dispose> {
    inner: Counted<Inner<D>>,
}

impl<D: Dispose> Owned<D> {
    pub(super) fn new(shared: &Counted<Shared>, dispose: D) -> Result<Self, NoMemory> {
        let bins = Bins {
            open: core::array::from_fn(|_| CachePadded::new(AtomicPtr::new(ptr::null_mut()))),
            sealed: core::array::from_fn(|_| AtomicPtr::new(ptr::null_mut())),
            busy: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
            dirty: AtomicBool::new(false),
            next_dirty: AtomicPtr::new(ptr::null_mut()),
            shared: shared.clone(),
            whole: ptr::null(),
            dispose: dispose_of::<D>,
            retain: retain::<D>,
            release: release::<D>,
        };
        let inner = Counted::new(Inner { bins, dispose })?;
        let whole = Counted::as_raw(&inner).cast::<Bins>();
        // SAFETY: the first field of the fresh `Inner`, which nobody else has seen.
        unsafe { (*whole.cast_mut()).whole = whole };
        Ok(Self { inner })
    }

    /// See [`Limbo::retire`].
    ///
    /// # Safety
    /// As [`Limbo::retire`].
    #[inline]
    pub(super) unsafe fn retire(&self, pinned: &Pinned, block: *mut Link, kind: u8, bytes: usize) {
        // SAFETY: the caller's promise.
        unsafe { self.inner.bins.retire(pinned, block, kind, bytes) };
    }

    /// Disposes of everything, now. True if the limbo is left on the domain's dirty list.
    ///
    /// # Safety
    /// Nobody uses the container any more.
    pub(super) unsafe fn close(&self) -> bool {
        let bins = &self.inner.bins;
        // SAFETY: the caller's promise.
        unsafe { bins.close() };
        // Relaxed: a hint.
        bins.dirty.load(Ordering::Relaxed)
    }
}

/// The limbo of one container in one domain, around what the container needs to free its blocks.
pub(crate) struct Limbo<D: Dispose> {
    owned: Owned<D>,
    domain: Domain,
}

impl<D: Dispose> Drop for Limbo<D> {
    fn drop(&mut self) {
        // SAFETY: the owner drops the limbo: nobody uses the container any more.
        if unsafe { self.owned.close() } {
            self.domain.closed_on_the_list();
        }
    }
}

impl<D: Dispose> Limbo<D> {
    pub(crate) fn new(domain: &Domain, dispose: D) -> Result<Self, NoMemory> {
        Ok(Self { owned: Owned::new(domain.shared(), dispose)?, domain: domain.clone() })
    }

    pub(crate) fn domain(&self) -> &Domain {
        &self.domain
    }

    /// What the container handed to [`Limbo::new`].
    #[inline]
    pub(crate) fn memory(&self) -> &D {
        &self.owned.inner.dispose
    }

    #[inline]
    pub(crate) fn pin(&self) -> Pinned {
        self.domain.pin()
    }

    /// Hands over a block that was unlinked; it is disposed of when no thread that is pinned now is pinned any more.
    ///
    /// # Safety
    /// `block` starts with a [`Link`], no thread that pins from now on can reach it, and it was not retired before.
    /// `pinned` is of this limbo's domain.
    #[inline]
    pub(crate) unsafe fn retire(&self, pinned: &Pinned, block: *mut Link, kind: u8, bytes: usize) {
        // SAFETY: the caller's promise.
        unsafe { self.owned.retire(pinned, block, kind, bytes) };
    }
}

unsafe fn dispose_of<D: Dispose>(bins: *const Bins, block: *mut Link, kind: u8) {
    // SAFETY: `Bins` is the first field of `Inner<D>`, in `repr(C)`, and this function was stored by that `D`.
    let inner = unsafe { &*bins.cast::<Inner<D>>() };
    // SAFETY: the caller took the block out of a chain (invariant 1) after its grace period, or at the close.
    unsafe { inner.dispose.dispose(block, kind) };
}

unsafe fn retain<D: Dispose>(bins: *const Bins) {
    // SAFETY: the `Inner` was made by `Counted::new`, and the caller knows that a reference exists.
    let inner = unsafe { Counted::from_raw(bins.cast::<Inner<D>>()) };
    core::mem::forget(inner.clone());
    core::mem::forget(inner);
}

unsafe fn release<D: Dispose>(bins: *const Bins) {
    // SAFETY: the caller gives up a reference that `retain` took.
    drop(unsafe { Counted::from_raw(bins.cast::<Inner<D>>()) });
}

impl Bins {
    /// See [`Limbo::retire`].
    #[inline]
    unsafe fn retire(&self, pinned: &Pinned, block: *mut Link, kind: u8, bytes: usize) {
        let open = &self.open[pinned.shard() % SHARDS];
        let units = Meta::units(bytes);
        // Acquire: pairs with (1); the head's `meta` is read.
        let mut head = open.load(Ordering::Acquire);
        let meta = loop {
            let below = if head.is_null() {
                Meta(0)
            } else {
                // SAFETY: invariant 4: pinned since before the load, so the head is not disposed of yet.
                unsafe { &*head }.meta.get()
            };
            let meta = below.on_top(kind, units);
            // SAFETY: the block is unlinked, so only this thread writes to it; readers that still hold it read `next`
            // at most, atomically.
            let link = unsafe { &*block };
            // (7) Release: published by (1); and a reader that still walks over the block and reads this link can tell
            // from what it loads next that the block was unlinked.
            link.next.store(head, Ordering::Release);
            link.meta.set(meta);
            // (1) Release publishes the block to whoever seals. Acquire: after a sweep's swap (2) it makes that
            // sweep's (5) visible; on failure, the new head's `meta` is read.
            match open.compare_exchange_weak(head, block, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => break meta,
                Err(now) => head = now,
            }
        };
        // What is added here is taken off again by the chain's sum, so both count in units.
        let bytes = units * 16;
        pinned.count_retired(bytes as usize);
        // (8) Acquire. See also (5): if this reads true although a sweep has cleared it, the sweep's exchange is yet to
        // come.
        if !self.dirty.load(Ordering::Acquire) {
            self.mark_dirty();
        }
        let before = meta.bytes().saturating_sub(bytes);
        let grown = meta.bytes() / BATCH_BYTES != before / BATCH_BYTES;
        if meta.count() % BATCH == 0 || grown {
            self.seal(pinned.shard() % SHARDS, pinned);
            pinned.flush();
        }
    }

    pub(super) fn next_dirty(&self) -> *const Self {
        // Relaxed: the swap that took the list acquired it.
        self.next_dirty.load(Ordering::Relaxed)
    }

    pub(super) fn set_next_dirty(&self, next: *mut Self) {
        // Relaxed: published with the list's head.
        self.next_dirty.store(next, Ordering::Relaxed);
    }

    /// For the dirty list, whose entries own references.
    pub(super) fn as_entry(&self) -> *mut Self {
        self.whole.cast_mut()
    }

    /// Gives up a reference that `mark_dirty` took.
    ///
    /// # Safety
    /// There is such a reference, and the caller does not use the limbo any more.
    pub(super) unsafe fn release(bins: *const Self) {
        // SAFETY: the caller's reference keeps the limbo alive until the call.
        let release = unsafe { (*bins).release };
        // SAFETY: the caller's promise.
        unsafe { release(bins) };
    }

    /// Puts the limbo on the domain's dirty list, unless it is there.
    #[cold]
    fn mark_dirty(&self) {
        // Counted before the flag is set: a barrier that relies on this mark waits until the limbo is on the list.
        let phase = self.shared.marks.enter();
        let _leave = self.shared.marks.leave_on_drop(phase);
        // AcqRel: Release (8), and so that the sweep that clears the flag sees what was retired before; Acquire, so
        // that `next_dirty` is written after the sweep that cleared it has read it.
        if self.dirty.swap(true, Ordering::AcqRel) {
            return;
        }
        // SAFETY: the caller is inside an operation of the container, which holds a reference.
        unsafe { (self.retain)(self.whole) };
        self.shared.push_dirty(self);
    }

    /// Takes everything open and asks the collector for its grace period. False when no slot was free for it. Disposes
    /// of nothing.
    fn seal(&self, shard: usize, pinned: &Pinned) -> bool {
        let Some(slot) = self.reserve() else { return false };
        // Before the chain is taken: whoever finds the stack empty because of this seal finds the count raised.
        let phase = self.shared.phases.enter();
        // (2) Acquire pairs with (1) of every block of the chain. Release continues (5).
        let chain = self.open[shard].swap(ptr::null_mut(), Ordering::AcqRel);
        // (3)
        self.sealed[slot].store(chain, Ordering::Release);
        if chain.is_null() {
            self.shared.phases.leave(phase);
            return true;
        }
        // SAFETY: the caller's operation, or its place on the dirty list, holds a reference.
        unsafe { (self.retain)(self.whole) };
        let bins = Graced(self.whole, slot, phase);
        // SAFETY: the call may run at any time after this on any thread: it owns a reference to the limbo, and takes
        // the chain by a swap.
        unsafe { pinned.defer(move || bins.call()) };
        true
    }

    /// A slot of `sealed` for the caller alone.
    fn reserve(&self) -> Option<usize> {
        self.sealed.iter().position(|slot| {
            // Relaxed load: a hint. Acquire on success: what the last user of the slot did comes before what the next
            // one does; Relaxed on failure: nothing was learned.
            slot.load(Ordering::Relaxed).is_null()
                && slot
                    .compare_exchange(ptr::null_mut(), RESERVED, Ordering::Acquire, Ordering::Relaxed)
                    .is_ok()
        })
    }

    /// Runs `visit` unless the limbo is closed; a close waits until it has returned.
    fn visit(&self, visit: impl FnOnce(&Self)) {
        struct Leave<'a>(&'a AtomicUsize);
        impl Drop for Leave<'_> {
            fn drop(&mut self) {
                // Release: pairs with the Acquire load in `close`, which then sees what the visit did.
                self.0.fetch_sub(1, Ordering::Release);
            }
        }
        // (6) Relaxed and a fence: store-load against `close`.
        self.busy.fetch_add(1, Ordering::Relaxed);
        let _leave = Leave(&self.busy);
        fence(Ordering::SeqCst);
        // Relaxed: the fence orders it.
        if !self.closed.load(Ordering::Relaxed) {
            visit(self);
        }
    }

    /// Seals every open stack, for a sweep that took the limbo off the dirty list. False when slots ran out.
    pub(super) fn sweep(&self, pinned: &Pinned) -> bool {
        let mut all = true;
        self.visit(|bins| {
            // (5) Acquire: what was retired before the flag was set is seen by the seals below.
            bins.dirty.swap(false, Ordering::AcqRel);
            for (shard, open) in bins.open.iter().enumerate() {
                // (2) for an empty stack. An exchange, not a load: the next CAS (1) must read from it (5). AcqRel as in
                // `seal`. Relaxed on failure: `seal` looks again.
                let null = ptr::null_mut();
                let empty = open.compare_exchange(null, null, Ordering::AcqRel, Ordering::Relaxed).is_ok();
                all &= empty || bins.seal(shard, pinned);
            }
            if !all {
                bins.mark_dirty();
                bins.shared.count_unsealed();
            }
        });
        all
    }

    /// Disposes of everything, now.
    ///
    /// A destructor that is running in a disposal of this limbo may be what closes it: the last owner of a container may
    /// lie in the container itself. This thread then does not wait for itself, and takes over what its own disposals
    /// have not come to yet.
    ///
    /// # Safety
    /// Nobody uses the container any more.
    unsafe fn close(&self) {
        // (6) Relaxed and a fence: store-load against `visit`.
        self.closed.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        let mine = || Disposing::of_this_thread().filter(|disposing| ptr::eq(disposing.bins, self.whole));
        let inside = mine().count();
        // Acquire: pairs with the Release of the leaving visitor.
        while self.busy.load(Ordering::Acquire) != inside {
            yield_now();
        }
        for disposing in mine() {
            // SAFETY: the rest of a chain that this thread took; nobody else disposes of it.
            unsafe { self.dispose_rest(&disposing.rest) };
        }
        let chains = self.open.iter().map(|open| &**open).chain(self.sealed.iter());
        for chain in chains {
            // Acquire: pairs with (1) and (3).
            let head = chain.swap(ptr::null_mut(), Ordering::Acquire);
            if head != RESERVED {
                // SAFETY: nobody reads blocks of this container any more, and the swap made the chain ours.
                unsafe { self.dispose_chain(&Cell::new(head)) };
            }
        }
    }

    /// Disposes of a whole chain; `chain` is always the part that is still to come.
    ///
    /// # Safety
    /// The caller took the chain by a swap, and nobody reads its blocks any more.
    unsafe fn dispose_chain(&self, chain: &Cell<*mut Link>) {
        // SAFETY: the chain is ours, and its head says how much it is.
        if let Some(head) = unsafe { chain.get().as_ref() } {
            let meta = head.meta.get();
            self.shared.count_disposed(meta.count(), meta.bytes());
        }
        // SAFETY: the caller's promise.
        unsafe { self.dispose_rest(chain) };
    }

    /// # Safety
    /// As [`Bins::dispose_chain`].
    unsafe fn dispose_rest(&self, chain: &Cell<*mut Link>) {
        /// Goes on after a destructor that panicked; a second panic ends the process, as in any drop.
        struct Rest<'a>(&'a Bins, &'a Cell<*mut Link>);
        impl Rest<'_> {
            fn run(&self) {
                while !self.1.get().is_null() {
                    let block = self.1.get();
                    // SAFETY: a block of the chain, not disposed of yet.
                    let link = unsafe { &*block };
                    // Relaxed: the swap that took the chain acquired it. Written before the block's own end, which may
                    // close the limbo and so take over the rest.
                    self.1.set(link.next.load(Ordering::Relaxed));
                    let kind = link.meta.get().kind();
                    // SAFETY: invariant 1, and the caller's promise that the time has come.
                    unsafe { (self.0.dispose)(self.0.whole, block, kind) };
                }
            }
        }
        impl Drop for Rest<'_> {
            fn drop(&mut self) {
                self.run();
            }
        }
        Rest(self, chain).run();
    }
}

/// A chain that a visit is disposing of. Those of a thread lie on its stack and are linked, innermost first.
pub(super) struct Disposing {
    bins: *const Bins,
    rest: Cell<*mut Link>,
    outer: *const Disposing,
}

impl Disposing {
    fn of_this_thread() -> impl Iterator<Item = &'static Self> {
        let mut at = thread::disposing();
        core::iter::from_fn(move || {
            // SAFETY: null, or on this thread's stack further up, where it stays until the caller has returned.
            let disposing = unsafe { at.as_ref() }?;
            at = disposing.outer;
            Some(disposing)
        })
    }

    /// Disposes of the chain `head`.
    ///
    /// # Safety
    /// As [`Bins::dispose_chain`]; the caller is in a visit.
    unsafe fn run(bins: &Bins, head: *mut Link) {
        struct Done(*const Disposing);
        impl Drop for Done {
            fn drop(&mut self) {
                thread::set_disposing(self.0);
            }
        }
        let this = Self { bins: bins.whole, rest: Cell::new(head), outer: thread::disposing() };
        let _done = Done(this.outer);
        thread::set_disposing(&raw const this);
        // SAFETY: the caller's promise.
        unsafe { bins.dispose_chain(&this.rest) };
    }
}

/// Marks a slot of `sealed` whose owner has not stored its chain yet.
const RESERVED: *mut Link = ptr::without_provenance_mut(1);

/// A sealed chain on its way through the collector: limbo, slot, phase. Owns a reference to the limbo.
struct Graced(*const Bins, usize, usize);

// SAFETY: it travels to the thread that collects; the limbo is Sync, and the reference keeps it alive.
unsafe impl Send for Graced {}

impl Graced {
    /// The grace period of the chain in the slot is over.
    fn call(self) {
        let Self(bins, slot, phase) = self;
        // A destructor must not unwind; if one does, it ends here: the collector would forget the other calls of its
        // bag, and the thread's operation that happened to run this is none of the destructor's business.
        let end = catch_unwind(AssertUnwindSafe(|| {
            // SAFETY: the reference that `seal` took is given up only below.
            let bins = unsafe { &*bins };
            let _leave = bins.shared.phases.leave_on_drop(phase);
            bins.visit(|bins| {
                // (4) Acquire pairs with (3); null when the limbo was emptied by its close.
                let chain = bins.sealed[slot].swap(ptr::null_mut(), Ordering::Acquire);
                // SAFETY: sealed under a pin that has ended, with all others of its time; the swap made it ours.
                unsafe { Disposing::run(bins, chain) };
            });
        }));
        // The panic's message has been written. What it carries could panic in its own end, but not for ever.
        if let Err(panic) = end
            && let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(panic)))
        {
            core::mem::forget(again);
        }
        // SAFETY: the reference was ours, and nothing uses the limbo after this.
        unsafe { Bins::release(bins) };
    }
}
