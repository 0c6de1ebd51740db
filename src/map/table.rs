//! A table: an array of buckets, ordered by hash, and the progress of the migration out of it.
//!
//! The bucket of a hash is its top bits. So the buckets of any two tables nest, and hash order is bucket order in every
//! size: a cursor that is a hash means the same in all of them.

use core::alloc::Layout;
use core::ptr::{self, NonNull};

use super::bucket::Bucket;
#[cfg(all(target_os = "linux", not(miri), not(loom)))]
use super::pages;
use crate::mem::{Allocator, NoMemory};
use crate::reclaim::{Link, Pinned};
use crate::sync::{AtomicPtr, AtomicUsize, Ordering};

/// The smallest table: 2 to this power.
pub(super) const MIN_LOG2: u32 = if cfg!(loom) { 1 } else { 2 };
/// The largest table.
pub(super) const MAX_LOG2: u32 = if usize::BITS == 64 { 48 } else { 24 };

/// How far the migration out of a table is.
#[derive(Default)]
pub(super) struct Progress {
    /// Groups below this were handed out.
    pub(super) cursor: AtomicUsize,
    /// Groups that those they were handed to have reported as moved.
    pub(super) done: AtomicUsize,
    /// All groups below this are moved, as found by walking over them.
    pub(super) mark: AtomicUsize,
}

/// One allocation: this header, then the buckets, on the next multiple of their alignment.
#[repr(C)]
pub(super) struct Table {
    link: Link,
    next: AtomicPtr<Table>,
    buckets: *const Bucket,
    log2: u32,
    period: u32,
    /// Keeps what every operation reads off the line that migrating threads write. A padding and not an alignment: see
    /// [`Table::layout`].
    _apart: [u64; 12],
    pub(super) progress: Progress,
    /// For the models: see [`Table::assert_held`].
    #[cfg(loom)]
    retired: crate::sync::AtomicBool,
}

/// The alignment of a table's block.
const BLOCK_ALIGN: usize = 16;

const _: () = assert!(cfg!(loom) || align_of::<Table>() <= BLOCK_ALIGN);

/// The size from which on the allocator is expected to have a table's pages from the kernel, untouched.
#[cfg(all(target_os = "linux", not(miri), not(loom)))]
const SMALL_PAGES: usize = 128 << 10;

/// Whether the block of a large table comes from the kernel and not from the allocator.
#[cfg(all(target_os = "linux", not(miri), not(loom)))]
fn from_kernel(allocator: &Allocator, layout: Layout) -> bool {
    allocator.is_process() && pages::are_better(layout.size())
}

fn zeroed(allocator: &Allocator, layout: Layout) -> Result<NonNull<u8>, NoMemory> {
    #[cfg(all(target_os = "linux", not(miri), not(loom)))]
    if from_kernel(allocator, layout) {
        return pages::map(layout.size()).ok_or(NoMemory);
    }
    allocator.allocate_zeroed(layout)
}

/// # Safety
/// `block` came from `zeroed` with the same arguments, is not used any more and was not given back before.
unsafe fn release(allocator: &Allocator, block: NonNull<u8>, layout: Layout) {
    #[cfg(all(target_os = "linux", not(miri), not(loom)))]
    if from_kernel(allocator, layout) {
        // SAFETY: the caller's promise.
        return unsafe { pages::unmap(block, layout.size()) };
    }
    // SAFETY: the caller's promise.
    unsafe { allocator.release(block, layout) };
}

impl Table {
    /// The block of a table of 2^`log2` buckets. Its alignment is that of a word on purpose: what asks for no more than
    /// the process allocator's natural alignment gets zero pages from the kernel, untouched; a cache line's alignment
    /// would be bought with a pass over all of it.
    fn layout(log2: u32) -> Result<Layout, NoMemory> {
        let buckets =
            size_of::<Bucket>().checked_shl(log2).filter(|&size| size >> log2 == size_of::<Bucket>());
        let size =
            buckets.and_then(|b| b.checked_add(size_of::<Self>() + align_of::<Bucket>())).ok_or(NoMemory)?;
        Layout::from_size_align(size, BLOCK_ALIGN).map_err(|_| NoMemory)
    }

    /// The size of the block of a table of 2^`log2` buckets.
    pub(super) fn bytes(log2: u32) -> usize {
        Self::layout(log2).map_or(usize::MAX, |layout| layout.size())
    }

    /// A table of virgin buckets.
    pub(super) fn new(allocator: &Allocator, log2: u32) -> Result<NonNull<Self>, NoMemory> {
        debug_assert!((MIN_LOG2..=MAX_LOG2).contains(&log2));
        let block = zeroed(allocator, Self::layout(log2)?)?;
        let table = block.cast::<Self>();
        // SAFETY: the block is larger than the header.
        let end = unsafe { table.as_ptr().add(1) };
        let buckets = end.map_addr(|addr| addr.next_multiple_of(align_of::<Bucket>())).cast::<Bucket>();
        #[cfg(loom)]
        for index in 0..1 << log2 {
            // SAFETY: within the block, which has room for all buckets.
            let bucket = unsafe { buckets.add(index) };
            // SAFETY: fresh memory.
            unsafe { bucket.write(Bucket::new()) };
        }
        let header = Self {
            link: Link::new(),
            next: AtomicPtr::new(ptr::null_mut()),
            buckets,
            log2,
            period: super::resize::period(log2) as u32,
            _apart: [0; 12],
            progress: Progress::default(),
            #[cfg(loom)]
            retired: crate::sync::AtomicBool::new(false),
        };
        // SAFETY: within the block, aligned, ours.
        unsafe { table.write(header) };
        Ok(table)
    }

    /// Prepares a new table for a migration, which writes to every bucket.
    pub(super) fn prepare(&self, allocator: &Allocator) {
        #[cfg(all(target_os = "linux", not(miri), not(loom)))]
        {
            let size = Self::bytes(self.log2);
            // Large pages are provided one by one.
            if allocator.is_process() && size >= SMALL_PAGES && !pages::are_better(size) {
                pages::provide(NonNull::from(self).cast(), size);
            }
        }
        #[cfg(not(all(target_os = "linux", not(miri), not(loom))))]
        let _ = allocator;
    }

    /// Frees a table.
    ///
    /// # Safety
    /// It came from `allocator`, nobody uses it any more, and this is the only call for it.
    pub(super) unsafe fn release(table: *mut Self, allocator: &Allocator) {
        // SAFETY: the caller's promise.
        let log2 = unsafe { (*table).log2 };
        let layout = Self::layout(log2).expect("it was allocated with this layout");
        // SAFETY: not null.
        let block = unsafe { NonNull::new_unchecked(table.cast::<u8>()) };
        // SAFETY: the caller's promise.
        unsafe { release(allocator, block, layout) };
    }

    #[inline]
    pub(super) fn log2(&self) -> u32 {
        self.log2
    }

    /// How often to look at the load: see [`period`](super::resize::period).
    #[inline]
    pub(super) fn period(&self) -> usize {
        self.period as usize
    }

    /// The number of buckets.
    #[inline]
    pub(super) fn len(&self) -> usize {
        1 << self.log2
    }

    #[inline]
    pub(super) fn index(&self, position: u64) -> usize {
        (position >> (64 - self.log2)) as usize
    }

    #[inline]
    pub(super) fn at(&self, index: usize) -> &Bucket {
        debug_assert!(index < self.len());
        // SAFETY: there are `len` buckets.
        let bucket = unsafe { self.buckets.add(index) };
        // SAFETY: zeroed memory is a bucket, and it lives as long as the table.
        unsafe { &*bucket }
    }

    /// The bucket of a hash.
    #[inline]
    pub(super) fn bucket(&self, position: u64) -> &Bucket {
        self.at(self.index(position))
    }

    /// The first hash that belongs to a bucket.
    #[inline]
    pub(super) fn first_of(&self, index: usize) -> u64 {
        (index as u64) << (64 - self.log2)
    }

    /// The last hash that belongs to the bucket of `position`.
    pub(super) fn last_of(&self, position: u64) -> u64 {
        position | (u64::MAX >> self.log2)
    }

    /// Whether `position` is the first hash that belongs to its bucket.
    pub(super) fn is_first(&self, position: u64) -> bool {
        position & (u64::MAX >> self.log2) == 0
    }

    /// The table that this one migrates to, for a caller that came to this one from the current table under `pinned`: not
    /// by its slot, which does not keep the next one.
    #[inline]
    pub(super) fn next<'p>(&'p self, _pinned: &'p Pinned) -> Option<&'p Self> {
        // SAFETY: null, or published by `set_next`. It is retired after this table was unlinked, and so after the pin.
        unsafe { self.next_ptr().as_ref() }
    }

    /// The same as the pointer that its maker had: one that may be stored, and freed.
    #[inline]
    pub(super) fn next_ptr(&self) -> *mut Self {
        // (4) Acquire: the new table's fields and its zeroed buckets.
        self.next.load(Ordering::Acquire)
    }

    /// Whether a migration out of this table was begun.
    #[inline]
    pub(super) fn is_migrating(&self) -> bool {
        // Relaxed: a hint; whoever acts on it calls `next`.
        !self.next.load(Ordering::Relaxed).is_null()
    }

    /// Begins a migration. False if there was one already; the caller keeps `next` then.
    pub(super) fn set_next(&self, next: NonNull<Self>) -> bool {
        // (4) Release publishes the new table. Relaxed on failure: nothing is read through the value.
        self.next
            .compare_exchange(ptr::null_mut(), next.as_ptr(), Ordering::Release, Ordering::Relaxed)
            .is_ok()
    }

    /// The table below this one in a list of unlinked tables.
    pub(super) fn below(&self) -> *mut Self {
        // Relaxed: acquired with the list.
        self.link.next.load(Ordering::Relaxed).cast()
    }

    pub(super) fn set_below(&self, below: *mut Self) {
        // Relaxed: published with the list.
        self.link.next.store(below.cast(), Ordering::Relaxed);
    }

    /// In a model, makes sure that the table has not been retired while a slot protects it.
    #[inline(always)]
    pub(super) fn assert_held(&self) {
        // Relaxed: the model tries every value that it may see.
        #[cfg(loom)]
        assert!(!self.retired.load(Ordering::Relaxed), "retired under a reader");
    }

    /// In a model, says that the table is retired now.
    pub(super) fn note_retired(&self) {
        // Relaxed: as in `assert_held`.
        #[cfg(loom)]
        self.retired.store(true, Ordering::Relaxed);
    }

    /// The number of groups of a migration to `next`: a group is one parent and its children, or one child and its
    /// parents.
    pub(super) fn groups(&self, next: &Self) -> usize {
        1 << self.log2.min(next.log2)
    }

    /// The group of a hash.
    pub(super) fn group_of(&self, next: &Self, position: u64) -> usize {
        (position >> (64 - self.log2.min(next.log2))) as usize
    }

    /// The buckets of this table that belong to `group`, when the other table of the migration has 2^`other` buckets.
    pub(super) fn members(&self, other: u32, group: usize) -> core::ops::Range<usize> {
        let spread = self.log2 - self.log2.min(other);
        group << spread..(group + 1) << spread
    }
}
