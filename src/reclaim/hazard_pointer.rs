//! Hazard pointers for users' own structures (Michael 2004; the shape of C++26's).
//!
//! # Problem
//!
//! A guard holds back everything that is retired in its domain while it lives. A reader that may take long, or stop for
//! ever, wants to hold back the one object that it reads and no more: it writes that object's address where those who
//! free can see it.
//!
//! # Shape
//!
//! ```text
//!  HazardPointer ─► slot: P      one a hazard pointer, taken from the domain's registry, written by its owner only
//!  HazardPointer ─► slot: -
//!
//!  retire ──► retired: block ► block ► block        one CAS; a counter says how many
//!                 │  every SLACK + 2 · (slots) of them: a scan takes the whole list
//!                 ▼
//!             compare with all slots ── named ──► back to the list
//!                 └─ not named ──► disposed of
//! ```
//!
//! # Invariants
//!
//! 1. A retired object was unlinked before from every pointer that it can be protected through, for good.
//! 2. *Protection.* Let a thread write `P` to its slot, and later load `P` from a pointer that it can be protected
//!    through, the slot unchanged. Then no scan finds `P` free while the slot stays as it is. For if the scan's fence
//!    comes before the write, the load comes after the unlinking and cannot see `P`; and if it comes after, the scan sees
//!    the slot. It does not matter when before the load the slot was written: so a pointer that is protected again costs
//!    a load and a comparison.
//! 3. A block is in the list, or in the hands of one scan.
//!
//! # Ordering pairs
//!
//! - (1) the SeqCst store of a slot and the SeqCst load of the source after it ↔ (2) the SeqCst fence between the
//!   unlinking and the scan's look at the slots: store-load on both sides, as in invariant 2.
//! - (3) the Release store that overwrites a slot → (4) the Acquire load of the scan that finds the object named no more:
//!   all that was done with the object happens before its end.
//! - (5) the Release half of the CAS that pushes blocks → (6) the Acquire swap of the scan that takes them.
//!
//! # Bounds
//!
//! With `H` hazard pointers (the largest number that there ever was at once) and `T` threads that retire, a scan begins
//! when `64 + 2 H` blocks wait, and leaves at most `H`. So at most `64 + 2 H + T` wait at any time, and each retirement
//! pays for about two comparisons by binary search. A thread that stands still in the middle of a scan keeps what it took,
//! at most as many once more.
//!
//! # Progress
//!
//! Protecting is lock-free: it repeats only when the source has changed. Retiring is lock-free: a CAS fails only because
//! another block was pushed; a scan is a bounded number of steps. Taking a hazard pointer walks over those that there are.

mod scan;

use core::ffi::c_void;
use core::fmt;
use core::ptr;

pub(super) use self::scan::UserHazards;
use self::scan::{PHASE_SHIFT, Slot};
use super::domain::Domain;
use super::limbo::{Link, Meta};
use super::pinned::Pinned;
#[cfg(not(loom))]
use super::retired::Node;
use super::retired::{RetireFn, Retired};
use crate::mem::{NoMemory, Record};
use crate::sync::{AtomicPtr, Ordering, fence};

impl Domain {
    /// A hazard pointer of this domain, which protects nothing yet.
    ///
    /// Progress: lock-free if the process allocator is; takes time in the number of hazard pointers of the domain.
    ///
    /// # Errors
    /// [`NoMemory`].
    pub fn hazard_pointer(&self) -> Result<HazardPointer, NoMemory> {
        let slot: *const _ = self.shared().hazards.slots.try_take(Slot::default)?;
        // (1) A scan whose fence comes after this one sees the slot among the others.
        fence(Ordering::SeqCst);
        Ok(HazardPointer { slot, domain: self.clone() })
    }

    /// Calls `call(ptr, ctx)` once, on any thread, when no [`HazardPointer`] of this domain protects `ptr`. Guards do
    /// not matter to it. `bytes` feeds the statistics.
    ///
    /// Progress: lock-free if the process allocator is; allocates one small block. May run retire callbacks of the
    /// domain on this thread, for up to `64 + 2 H` objects at each so-many-th call (`H`: hazard pointers of the domain).
    ///
    /// # Errors
    /// [`NoMemory`]: nothing was retired, `ptr` is still the caller's.
    ///
    /// # Safety
    /// No pointer leads to `ptr` any more that it can be protected through, and `call(ptr, ctx)` must be sound at any
    /// later time on any thread. It must not unwind.
    pub unsafe fn retire_hazardous(
        &self,
        ptr: *mut c_void,
        bytes: usize,
        call: RetireFn,
        ctx: *mut c_void,
    ) -> Result<(), NoMemory> {
        let block = Retired::block(ptr, call, ctx)?;
        // SAFETY: a new block; the caller vouches for `ptr`.
        unsafe { self.retire_block_hazardous(block, 0, bytes) };
        Ok(())
    }

    /// As [`Domain::retire_hazardous`], in room that the object brings along: allocates nothing, and cannot fail.
    ///
    /// # Safety
    /// As there; and `node` is writable, and nobody else's until the call of `call`.
    #[cfg(not(loom))]
    pub unsafe fn retire_hazardous_in(
        &self,
        node: *mut Node,
        ptr: *mut c_void,
        bytes: usize,
        call: RetireFn,
        ctx: *mut c_void,
    ) {
        // SAFETY: the caller's promise.
        let block = unsafe { Retired::block_in(node, ptr, call, ctx) };
        // SAFETY: as above.
        unsafe { self.retire_block_hazardous(block, Retired::IN_NODE, bytes) };
    }

    /// # Safety
    /// As [`Domain::retire_hazardous`], for what `block` stands for; the block is the caller's.
    unsafe fn retire_block_hazardous(&self, block: *mut Link, kind: u8, bytes: usize) {
        let hazards = &self.shared().hazards;
        let pinned = self.pin();
        let phase = hazards.under_way.enter() as u8;
        let units = Meta::units(bytes);
        // SAFETY: the caller's.
        unsafe { (*block).set_meta(Meta::NONE.on_top(kind | phase << PHASE_SHIFT, units)) };
        pinned.count_retired(units as usize * 16);
        // SAFETY: one block, the caller's.
        if unsafe { hazards.push(block, block, 1) } {
            self.scan_hazards(&pinned);
            self.shared().check_limit();
        }
    }

    /// One scan, unless this thread is in a callback of the domain: that must not nest ever deeper.
    pub(super) fn scan_hazards(&self, pinned: &Pinned) {
        pinned.collecting(|| self.shared().hazards.scan(self.shared()));
    }
}

/// Protects one object at a time from being freed: what it protects that was retired by
/// [`Domain::retire_hazardous`] is not freed before the protection ends.
///
/// Make one and use it again and again: making one costs more than protecting. It may go from thread to thread.
pub struct HazardPointer {
    slot: *const Record<Slot>,
    domain: Domain,
}

// SAFETY: its owner alone writes the slot, wherever it is; the record lives as long as the domain.
unsafe impl Send for HazardPointer {}
// SAFETY: nothing can be done with a shared reference.
unsafe impl Sync for HazardPointer {}

impl HazardPointer {
    fn slot(&self) -> &AtomicPtr<c_void> {
        // SAFETY: the domain keeps the registry alive.
        let record = unsafe { &*self.slot };
        &record.value
    }

    /// (1) Names `ptr`.
    #[inline]
    fn name(&self, ptr: *mut c_void) {
        // (1), and (3): ends the use of what was named before.
        self.slot().store(ptr, Ordering::SeqCst);
        // Loom knows sequential consistency of fences only.
        #[cfg(loom)]
        fence(Ordering::SeqCst);
    }

    /// The domain whose retired objects it protects.
    #[must_use]
    pub fn domain(&self) -> &Domain {
        &self.domain
    }

    #[inline]
    fn protect_shared<T>(&self, source: &AtomicPtr<T>) -> *mut T {
        // (1) SeqCst: after the write of the slot, whenever that was.
        let mut found = source.load(Ordering::SeqCst);
        // Relaxed: only the owner writes the slot.
        while !ptr::eq(self.slot().load(Ordering::Relaxed), found.cast()) {
            self.name(found.cast());
            // (1)
            found = source.load(Ordering::SeqCst);
        }
        found
    }

    #[inline]
    fn try_protect_shared<T>(&self, ptr: *mut T, source: &AtomicPtr<T>) -> Result<(), *mut T> {
        // Relaxed: only the owner writes the slot.
        if !ptr::eq(self.slot().load(Ordering::Relaxed), ptr.cast()) {
            self.name(ptr.cast());
        }
        // (1)
        let found = source.load(Ordering::SeqCst);
        if ptr::eq(found, ptr) {
            return Ok(());
        }
        self.clear();
        Err(found)
    }

    #[inline]
    fn clear(&self) {
        // (3)
        self.slot().store(ptr::null_mut(), Ordering::Release);
    }

    /// Loads `source` and protects what it points to, in place of what was protected before: until this hazard pointer
    /// protects something else or is reset or dropped, that object is not freed. Null protects nothing.
    ///
    /// Progress: lock-free: it repeats only when `source` has changed. Protecting what is protected already costs a load
    /// and a comparison.
    #[inline]
    pub fn protect<T>(&mut self, source: &AtomicPtr<T>) -> *mut T {
        self.protect_shared(source)
    }

    /// Protects `ptr` if `source` still holds it; else protects nothing, and answers what `source` holds.
    ///
    /// Progress: wait-free.
    ///
    /// # Errors
    /// What `source` holds, if it is not `ptr`.
    #[inline]
    pub fn try_protect<T>(&mut self, ptr: *mut T, source: &AtomicPtr<T>) -> Result<(), *mut T> {
        self.try_protect_shared(ptr, source)
    }

    /// Protects nothing any more.
    ///
    /// Progress: wait-free.
    #[inline]
    pub fn reset(&mut self) {
        self.clear();
    }

    /// Protects `ptr`, in place of what was protected before. Right only if it cannot be retired before the call
    /// returns, as an object that is not shared yet; [`HazardPointer::protect`] is for all others.
    ///
    /// Progress: wait-free.
    #[inline]
    pub fn reset_to<T>(&mut self, ptr: *const T) {
        self.name(ptr.cast_mut().cast());
    }
}

/// The same for pointers of C, which cannot promise to be the only ones: what two threads do with one hazard pointer at
/// the same time protects nothing, and no more.
#[cfg(all(feature = "capi", not(loom)))]
impl HazardPointer {
    /// # Safety
    /// `source` is aligned, and an atomic pointer of the program.
    #[inline]
    pub(crate) unsafe fn protect_at(&self, source: *const *mut c_void) -> *mut c_void {
        // SAFETY: the caller's promise; an atomic pointer is laid out as a pointer.
        self.protect_shared(unsafe { &*source.cast::<AtomicPtr<c_void>>() })
    }

    /// # Safety
    /// As [`HazardPointer::protect_at`].
    #[inline]
    pub(crate) unsafe fn try_protect_at(
        &self,
        ptr: *mut c_void,
        source: *const *mut c_void,
    ) -> Result<(), *mut c_void> {
        // SAFETY: as above.
        self.try_protect_shared(ptr, unsafe { &*source.cast::<AtomicPtr<c_void>>() })
    }

    #[inline]
    pub(crate) fn reset_at(&self, ptr: *const c_void) {
        if ptr.is_null() {
            self.clear();
        } else {
            self.name(ptr.cast_mut());
        }
    }
}

impl Drop for HazardPointer {
    fn drop(&mut self) {
        self.reset();
        // SAFETY: the domain keeps the registry alive.
        unsafe { &*self.slot }.give_back();
    }
}

impl fmt::Debug for HazardPointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HazardPointer").finish_non_exhaustive()
    }
}
