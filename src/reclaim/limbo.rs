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
//!             the domain's ready chains : each operation disposes of a share of one (see `ready`)
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
//! 2. A chain in `sealed` was unlinked before its seal. The deferred call of that seal, after the grace period, puts its slot
//!    among the domain's ready ones, and who takes it from there disposes of it; or the limbo's drop does, when nobody uses
//!    the container any more. The swap decides which.
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
//! - (3) the Release store of a chain, or of its rest, in `sealed` → (4) the Acquire swap that takes it for disposal.
//! - (9) the Release store that makes a slot free → the Acquire half of the exchange that reserves it: what its last user
//!   did with it comes before what the next one does.
//! - (5) the sweep's clearing of `dirty` happens before its exchange (2) of each open stack, an empty one too; a retirer
//!   whose CAS (1) comes after that exchange therefore reads `dirty` as cleared and puts the limbo on the list again.
//! - (6) `closed` against `busy`, a store-load pair with a SeqCst fence on either side: either the visitor sees the
//!   limbo closed, or the closer sees the visitor and waits for it.
//! - (10) the Release store by which the last pin of an era before a fork lets go → the Acquire load in `seal`: what was
//!   read under that pin comes before what is sealed now is disposed of.
//! - (8) the Release half of the swap that sets `dirty` → the Acquire load of it in `retire`: a retirer that leaves the
//!   marking to another thread has seen that thread counted in `marks`, and so has every barrier after it.
//! - (11) the swap that sets `dirty` after something was spared → the sweep's clearing of it before it asks for what is
//!   spared: either it finds that, or the swap comes after the clearing and marks the limbo anew.
//! - (7) the Release store of a retired block's link → Acquire loads of that link by readers that still walk over it.
//!
//! # Progress
//!
//! `retire` and `seal` are lock-free: a CAS fails only because another block was pushed. Dropping the limbo waits for
//! threads that are disposing of a share of its chains at that moment (they run destructors that must have run when the
//! drop returns) or sweeping it (a few steps, and nobody else's code: a destructor that runs in a sweep may drop the
//! very limbo that is being swept). A thread that is suspended for ever there keeps the drop waiting for ever.

mod bins;
mod dispose;
#[cfg(all(unix, not(any(miri, loom))))]
mod fork;
mod link;
mod slot;
mod spared;

use core::ptr;

use crossbeam_utils::CachePadded;

pub(super) use dispose::Disposing;
pub(crate) use link::Link;
pub(super) use link::Meta;
pub(super) use slot::Slot;
pub(crate) use spared::Spared;

use super::domain::{Domain, Shared};
use super::pinned::Pinned;
use super::ready::SHARE;
#[cfg(all(unix, not(any(miri, loom))))]
use crate::mem::Entry;
use crate::mem::{Counted, NoMemory};
use crate::sync::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};

/// Open stacks of a limbo: threads share them by number, so that few meet on one line.
const SHARDS: usize = if cfg!(loom) { 1 } else { 4 };
/// Sealed chains a limbo can have under way.
const SLOTS: usize = if cfg!(loom) { 2 } else { 16 };

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

    /// Retires what the container has unlinked and *spared* so far, because a hazard named it, as far as that is over. True:
    /// some is left, and the next sweep asks again. Runs nobody else's code, except in the limbo's drop, where all of it goes.
    ///
    /// Called by the domain's sweeps that come to this limbo, as each does after [`Limbo::spares`], and by the limbo's drop.
    fn retire_spared(&self, _spared: &Spared<'_>) -> bool {
        false
    }
}

/// The untyped part of a limbo, as the domain's lists and the deferred calls see it.
pub(super) struct Bins {
    open: [CachePadded<AtomicPtr<Link>>; SHARDS],
    sealed: [Slot; SLOTS],
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
    retire_spared: unsafe fn(*const Bins, &Spared<'_>) -> bool,
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
    #[cfg(all(unix, not(any(miri, loom))))]
    entry: *const Entry<Bins>,
}

// SAFETY: what `Inner` says; the entry is only given back.
unsafe impl<D: Dispose> Send for Owned<D> {}
// SAFETY: as above.
unsafe impl<D: Dispose> Sync for Owned<D> {}

impl<D: Dispose> Drop for Owned<D> {
    fn drop(&mut self) {
        #[cfg(all(unix, not(any(miri, loom))))]
        // SAFETY: from the `enlist` of `new`.
        unsafe {
            self.inner.bins.shared.limbos.strike(self.entry);
        }
    }
}

impl<D: Dispose> Owned<D> {
    pub(super) fn new(shared: &Counted<Shared>, dispose: D) -> Result<Self, NoMemory> {
        let bins = Bins {
            open: core::array::from_fn(|_| CachePadded::new(AtomicPtr::new(ptr::null_mut()))),
            sealed: core::array::from_fn(|_| Slot::new()),
            busy: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
            dirty: AtomicBool::new(false),
            next_dirty: AtomicPtr::new(ptr::null_mut()),
            shared: shared.clone(),
            whole: ptr::null(),
            dispose: dispose_of::<D>,
            retire_spared: retire_spared_of::<D>,
            retain: retain::<D>,
            release: release::<D>,
        };
        let inner = Counted::new(Inner { bins, dispose })?;
        let whole = Counted::as_raw(&inner).cast::<Bins>();
        // SAFETY: the first field of the fresh `Inner`, which nobody else has seen.
        let fresh = unsafe { &mut *whole.cast_mut() };
        fresh.whole = whole;
        fresh.sealed.iter_mut().for_each(|slot| slot.bins = whole);
        Ok(Self {
            #[cfg(all(unix, not(any(miri, loom))))]
            entry: shared.limbos.enlist(whole)?,
            inner,
        })
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

    /// Tries to move the clock on, and disposes of a share of what is ready.
    pub(crate) fn push_on(&self, pinned: &Pinned) {
        let shared = self.domain.shared();
        if !shared.is_held() {
            pinned.flush();
            pinned.work(shared, SHARE);
        }
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

    /// The container spares something that it has unlinked: from now on sweeps of the domain ask for it, until
    /// [`Dispose::retire_spared`] says that nothing is left. To be called again whenever more is spared, afterwards.
    pub(crate) fn spares(&self) {
        self.owned.inner.bins.mark_dirty();
    }
}

unsafe fn retire_spared_of<D: Dispose>(bins: *const Bins, spared: &Spared<'_>) -> bool {
    // SAFETY: as in `dispose_of`.
    let inner = unsafe { &*bins.cast::<Inner<D>>() };
    inner.dispose.retire_spared(spared)
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
