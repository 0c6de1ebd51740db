//! The codec of small entries: keys and values of at most eight bytes, in the cells themselves.
//!
//! The key word is the key under a seeded bijection, so that it is the key's hash at the same time; the value word is the
//! value. Nothing is allocated for an entry, and nothing retired.

use super::bucket::{Pair, Probe};
use super::hash::Mixer;
use super::memory::Codec;
use crate::mem::Allocator;
use crate::reclaim::Link;

/// See the module's text.
pub(super) struct Words {
    pub(super) mixer: Mixer,
}

// SAFETY: no block of this codec is ever retired but copies, which are plain memory.
unsafe impl Codec for Words {
    #[inline]
    fn position(&self, key: u64) -> u64 {
        key
    }

    unsafe fn dispose(&self, allocator: &Allocator, block: *mut Link, _kind: u8) {
        // SAFETY: the only blocks are copies, retired once; their time has come.
        unsafe { WordCopy::release(block.cast(), allocator) };
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
