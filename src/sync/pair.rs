//! A pointer and a number that are exchanged together, so that a pointer that comes back can be told from one that stayed.
//!
//! # Problem
//!
//! A thread reads a pointer, sleeps, and exchanges it for another one if it is still the same. It may be the same because
//! it left and came back in the meantime (ABA). With a number beside it that every exchange raises, and that has 64 bits
//! and so never comes back, the exchange succeeds only if nothing happened at all.
//!
//! # Shape
//!
//! Where the processor can, two words that one instruction exchanges: `cmpxchg16b` of x86-64, `casp` or a pair of
//! `ldaxp`/`stlxp` on 64-bit Arm. All x86-64 processors since 2006 have it, but a compiler may not assume it, so it is
//! asked for: once, when a pair is made, and by maps each time that they have use for it. Elsewhere the pair is *boxed*: the first word points to a block that holds
//! pointer and number and is never written again, and an exchange replaces the block. Epochs say when a block can be
//! freed. This is as correct and as lock-free, but slow, and lets a stalled thread hold back blocks: a way to run at all.
//! Numbers of boxed pairs have their highest bit set, so that what kind a pair is costs no look at memory.
//!
//! # Loads
//!
//! A load reads first the number, then the pointer, each as a word. If an exchange comes between the two, the result is
//! a pair that never was: its number is older than the pointer. An exchange that expects it fails, because the number is
//! never current again. The pointer was current at its load, which is all that protection asks for.
//!
//! To the compiler the two words are two atomics, and the exchange is an assembly block that changes them. For Miri and
//! ThreadSanitizer, which cannot see into one, the exchange is the compiler's own; and for Miri so is the load, because
//! it accepts no accesses of different sizes.

#[cfg(not(loom))]
mod boxed;
#[cfg(all(test, not(loom)))]
mod tests;
#[cfg(not(loom))]
mod wide;

use core::marker::PhantomData;

use super::Ordering;

/// What an [`AtomicPair`] holds: a pointer, and how many exchanges brought it there.
#[derive(Debug)]
pub(crate) struct Pair<T> {
    pub(crate) ptr: *mut T,
    pub(crate) tag: u64,
}

impl<T> Clone for Pair<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Pair<T> {}

impl<T> PartialEq for Pair<T> {
    fn eq(&self, other: &Self) -> bool {
        (self.ptr, self.tag) == (other.ptr, other.tag)
    }
}

/// See the module's text.
#[derive(Debug)]
pub(crate) struct AtomicPair<T> {
    words: Words,
    pointee: PhantomData<*mut T>,
}

// SAFETY: it hands out pointers by value, and never looks at what they point to.
unsafe impl<T> Send for AtomicPair<T> {}
// SAFETY: as above; the words are atomics.
unsafe impl<T> Sync for AtomicPair<T> {}

impl<T> AtomicPair<T> {
    pub(crate) fn new(ptr: *mut T) -> Self {
        Self { words: Words::new(ptr.expose_provenance() as u64), pointee: PhantomData }
    }

    fn pair([ptr, tag]: [u64; 2]) -> Pair<T> {
        Pair { ptr: core::ptr::with_exposed_provenance_mut(ptr as usize), tag }
    }

    /// Acquire: pairs with the Release of the exchange that brought the pointer, and of those before it.
    #[cfg_attr(conex_park, track_caller)]
    #[inline(always)]
    pub(crate) fn load(&self) -> Pair<T> {
        Self::pair(self.words.load())
    }

    /// Puts `new` in the place of `old`, with the next number. If there is something else, that is the error. The ordering
    /// is that of a success; a failure is Acquire.
    #[cfg_attr(conex_park, track_caller)]
    #[inline(always)]
    pub(crate) fn exchange(&self, old: Pair<T>, new: *mut T, success: Ordering) -> Result<(), Pair<T>> {
        let old = [old.ptr.addr() as u64, old.tag];
        // 2^63 exchanges take a hundred years.
        let new = [new.expose_provenance() as u64, old[1].wrapping_add(1)];
        self.words.exchange(old, new, success).map_err(Self::pair)
    }
}

#[cfg(loom)]
use packed::Words;
#[cfg(not(loom))]
use words::Words;

/// In a model: pointer and number in one word, 48 and 16 bits. Models make few exchanges.
#[cfg(loom)]
mod packed {
    use super::super::{AtomicU64, Ordering};

    #[derive(Debug)]
    pub(super) struct Words(AtomicU64);

    fn pack([ptr, tag]: [u64; 2]) -> u64 {
        assert!(ptr >> 48 == 0 && tag >> 16 == 0, "a pair too large for a model");
        ptr | tag << 48
    }

    fn unpack(word: u64) -> [u64; 2] {
        [word << 16 >> 16, word >> 48]
    }

    impl Words {
        pub(super) fn new(ptr: u64) -> Self {
            Self(AtomicU64::new(pack([ptr, 0])))
        }

        pub(super) fn load(&self) -> [u64; 2] {
            // Acquire: see `AtomicPair::load`.
            unpack(self.0.load(Ordering::Acquire))
        }

        pub(super) fn exchange(
            &self,
            old: [u64; 2],
            new: [u64; 2],
            success: Ordering,
        ) -> Result<(), [u64; 2]> {
            // Acquire on failure: as a load.
            let done = self.0.compare_exchange(pack(old), pack(new), success, Ordering::Acquire);
            done.map(|_| ()).map_err(unpack)
        }
    }
}

#[cfg(not(loom))]
mod words {
    use super::super::{AtomicU64, Ordering};
    use super::{boxed, wide};

    /// What the second word of a boxed pair is.
    const BOXED: u64 = u64::MAX;
    /// Numbers of boxed pairs begin here.
    const BOXED_TAGS: u64 = 1 << 63;

    #[derive(Debug)]
    #[repr(C, align(16))]
    pub(super) struct Words {
        /// The pointer; of a boxed pair, the block.
        first: AtomicU64,
        /// The number; of a boxed pair, `BOXED`.
        second: AtomicU64,
    }

    impl Words {
        pub(super) fn new(ptr: u64) -> Self {
            if wide::is_there() && !cfg!(conex_boxed) {
                Self { first: AtomicU64::new(ptr), second: AtomicU64::new(0) }
            } else {
                Self::boxed(ptr)
            }
        }

        #[cold]
        pub(super) fn boxed(ptr: u64) -> Self {
            let block = boxed::block([ptr, BOXED_TAGS]);
            Self { first: AtomicU64::new(block), second: AtomicU64::new(BOXED) }
        }

        #[cfg_attr(conex_park, track_caller)]
        #[inline(always)]
        pub(super) fn load(&self) -> [u64; 2] {
            if cfg!(miri) && wide::is_there() && !cfg!(conex_boxed) {
                // SAFETY: aligned, and there. It changes nothing, or zeros for zeros.
                let now = unsafe { wide::exchange(self.as_ptr(), [0; 2], [0; 2], Ordering::AcqRel) };
                return if now[1] == BOXED { boxed::load(&self.first) } else { now };
            }
            // Acquire, so that the pointer is read after the number.
            let tag = self.second.load(Ordering::Acquire);
            if tag == BOXED {
                return boxed::load(&self.first);
            }
            // Acquire: see `AtomicPair::load`.
            [self.first.load(Ordering::Acquire), tag]
        }

        #[cfg_attr(conex_park, track_caller)]
        #[inline(always)]
        pub(super) fn exchange(
            &self,
            old: [u64; 2],
            new: [u64; 2],
            success: Ordering,
        ) -> Result<(), [u64; 2]> {
            if old[1] >= BOXED_TAGS {
                return boxed::exchange(&self.first, old, new);
            }
            #[cfg(conex_park)]
            super::super::step::step();
            // SAFETY: the words are two, aligned to 16; the numbers of a pair that is not boxed say that it is there.
            let now = unsafe { wide::exchange(self.as_ptr(), old, new, success) };
            if now == old { Ok(()) } else { Err(now) }
        }

        #[inline(always)]
        fn as_ptr(&self) -> *mut u64 {
            core::ptr::from_ref(self).cast_mut().cast()
        }
    }

    impl Drop for Words {
        fn drop(&mut self) {
            // Relaxed: `&mut self`.
            if self.second.load(Ordering::Relaxed) == BOXED {
                boxed::free(&self.first);
            }
        }
    }
}

/// Whether [`exchange_two`] can be called. Not in Miri, which accepts no accesses of different sizes, nor in models. Nor under
/// ThreadSanitizer, whose exchange of two words is a lock and two stores: to one word of them alone it is not atomic.
#[inline(always)]
pub(crate) fn can_exchange_two() -> bool {
    #[cfg(not(any(loom, miri, conex_boxed, conex_instrumented)))]
    return wide::is_there();
    #[cfg(any(loom, miri, conex_boxed, conex_instrumented))]
    false
}

/// Exchanges two words beside each other for `new`, if they are `old`. Says whether they were.
///
/// Others may load the words, and exchange one of them, each alone: that an access of sixteen bytes is one step for them too
/// is a promise of the architectures (x86-64: a locked instruction on one cache line; Arm: single-copy atomicity of a pair of
/// exclusive accesses, or of `casp`), not of the language.
///
/// # Safety
/// `words` points to two atomics, aligned to 16, and [`can_exchange_two`] was true.
#[cfg_attr(conex_park, track_caller)]
#[inline(always)]
pub(crate) unsafe fn exchange_two(words: *mut u64, old: [u64; 2], new: [u64; 2], success: Ordering) -> bool {
    #[cfg(conex_park)]
    super::step::step();
    #[cfg(not(loom))]
    // SAFETY: the caller's promise.
    return unsafe { wide::exchange(words, old, new, success) } == old;
    #[cfg(loom)]
    {
        let _ = (words, old, new, success);
        unreachable!("models have no such exchange")
    }
}
