//! The codec of small entries: keys and values of at most eight bytes, in the cells themselves.
//!
//! The key word is the key under a seeded bijection, so that it is the key's hash at the same time; the value word is the
//! value. Nothing is allocated for an entry, and nothing retired.

use core::alloc::Layout;
use core::ptr::NonNull;

use super::bucket::{Pair, Probe};
use super::hash::Mixer;
use super::memory::{CODEC, Codec, Memory};
use crate::mem::{Allocator, NoMemory};
use crate::reclaim::{Limbo, Link, Pinned};

/// See the module's text.
pub(super) struct Words {
    pub(super) mixer: Mixer,
}

/// What a reference into a map of words refers to: a word of its own, which lives as long as the guard.
#[repr(C)]
pub(super) struct Lent {
    link: Link,
    value: u64,
}

impl Lent {
    const LAYOUT: Layout = Layout::new::<Self>();

    /// A copy of `value` that lives until `pinned`, and all that were pinned before this call, are gone.
    pub(super) fn lend(
        limbo: &Limbo<Memory<Words>>,
        pinned: &Pinned,
        value: u64,
    ) -> Result<*const u64, NoMemory> {
        let lent = limbo.memory().allocator.allocate(Self::LAYOUT)?.cast::<Self>();
        // SAFETY: fresh memory of this layout.
        unsafe { lent.write(Self { link: Link::new(), value }) };
        // SAFETY: in bounds.
        let value = unsafe { &raw const (*lent.as_ptr()).value };
        // SAFETY: it starts with a link; nobody but the caller, who is pinned, ever learns of it.
        unsafe { limbo.retire(pinned, lent.as_ptr().cast(), CODEC, Self::LAYOUT.size()) };
        Ok(value)
    }
}

// SAFETY: the only blocks of this codec are lent words, which are plain memory.
unsafe impl Codec for Words {
    #[inline]
    fn position(&self, key: u64) -> u64 {
        key
    }

    unsafe fn dispose(&self, allocator: &Allocator, block: *mut Link, _kind: u8) {
        // SAFETY: not null.
        let block = unsafe { NonNull::new_unchecked(block.cast::<u8>()) };
        // SAFETY: made in `Lent::lend`, retired once; its time has come.
        unsafe { allocator.release(block, Lent::LAYOUT) };
    }

    unsafe fn discard(&self, _allocator: &Allocator, _entry: Pair) {}
}

/// A key under the map's bijection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Word(pub(super) u64);

impl Probe for Word {
    #[inline(always)]
    fn position(&self) -> u64 {
        self.0
    }

    #[inline(always)]
    fn may_be(&self, key: u64) -> bool {
        key == self.0
    }

    #[inline(always)]
    unsafe fn is(&self, _entry: Pair) -> bool {
        true
    }

    #[inline(always)]
    fn key(&self) -> u64 {
        self.0
    }
}
