//! Zero pages for large tables, straight from the kernel.
//!
//! A large block from the process allocator may have been used before, and is cleared then: a pass over all of it, in the
//! middle of one insert. Fresh pages are zero without being touched. And a table is read at random, so that with small
//! pages most lookups miss the translation cache too: large pages are asked for.

use core::ptr::{self, NonNull};

/// The size and alignment of a large page, and of the smallest block that is worth one.
const LARGE: usize = 2 << 20;
/// A multiple of the size of every platform's ordinary pages. What is left of a block behind its last large page, the few
/// bytes by which a table exceeds a power of two, is in small ones.
const SMALL: usize = 64 << 10;

/// Whether a block of `size` bytes should come from here.
pub(super) const fn are_better(size: usize) -> bool {
    size >= LARGE
}

fn length(size: usize) -> Option<usize> {
    size.checked_next_multiple_of(SMALL)
}

/// `size` zero bytes, aligned to a large page.
pub(super) fn map(size: usize) -> Option<NonNull<u8>> {
    let length = length(size)?;
    // More than is needed, so that an aligned part can be cut out.
    let raw = reserve(length.checked_add(LARGE)?)?;
    let begin = raw.as_ptr().map_addr(|addr| addr.next_multiple_of(LARGE));
    let before = begin.addr() - raw.as_ptr().addr();
    // SAFETY: the parts before and behind the aligned one belong to the mapping, and nobody uses them.
    unsafe { cut(raw.as_ptr(), before) };
    // SAFETY: in bounds of the mapping.
    let end = unsafe { begin.add(length) };
    // SAFETY: as above.
    unsafe { cut(end, LARGE - before) };
    // SAFETY: the aligned part is ours. A refusal is no harm: the pages are small then.
    unsafe { libc::madvise(begin.cast(), length, libc::MADV_HUGEPAGE) };
    NonNull::new(begin)
}

fn reserve(length: usize) -> Option<NonNull<u8>> {
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    // SAFETY: a new mapping anywhere touches no existing one.
    let raw = unsafe { libc::mmap(ptr::null_mut(), length, protection, flags, -1, 0) };
    if raw == libc::MAP_FAILED { None } else { NonNull::new(raw.cast()) }
}

/// # Safety
/// The `length` bytes at `at` are whole pages of a mapping that nobody uses.
unsafe fn cut(at: *mut u8, length: usize) {
    if length > 0 {
        // SAFETY: the caller's promise.
        unsafe { libc::munmap(at.cast(), length) };
    }
}

/// Has the kernel provide the pages of a block that is about to be written all over, in one go: that is much cheaper than a
/// fault for each of them, and one pause instead of many. Where the kernel does not know how, nothing happens.
pub(super) fn provide(block: NonNull<u8>, size: usize) {
    const PAGE: usize = 4096;
    let begin = block.as_ptr().map_addr(|addr| addr.next_multiple_of(PAGE));
    let skipped = begin.addr() - block.as_ptr().addr();
    if let Some(length) = size.checked_sub(skipped).map(|length| length / PAGE * PAGE)
        && length > 0
    {
        // SAFETY: whole pages of the block; what they contain does not change.
        unsafe { libc::madvise(begin.cast(), length, libc::MADV_POPULATE_WRITE) };
    }
}

/// Gives back what [`map`] gave for `size`.
///
/// # Safety
/// Nobody uses it any more, and this is the only call for it.
pub(super) unsafe fn unmap(block: NonNull<u8>, size: usize) {
    let length = length(size).expect("it was mapped with this length");
    // SAFETY: the caller's promise.
    unsafe { cut(block.as_ptr(), length) };
}
