//! The exchange of two words by one step of the processor, where it has one. Each architecture says whether it is there, and
//! how it is done; what else a pair is, and when the exchange may be used, is in `pair`.

pub(super) use arch::{exchange, is_there};

/// The instruction that exchanges two words, of x86-64.
#[cfg(target_arch = "x86_64")]
mod arch {
    use crate::sync::Ordering;

    pub(in crate::sync::pair) fn is_there() -> bool {
        std::is_x86_feature_detected!("cmpxchg16b")
    }

    /// Returns what was there. A full barrier, whatever the ordering.
    ///
    /// # Safety
    /// `words` points to two atomics, aligned to 16; the instruction is there.
    #[cfg(not(any(miri, conex_instrumented)))]
    #[inline(always)]
    pub(in crate::sync::pair) unsafe fn exchange(
        words: *mut u64,
        old: [u64; 2],
        new: [u64; 2],
        _: Ordering,
    ) -> [u64; 2] {
        let (low, high): (u64, u64);
        // SAFETY: the caller's promise; rbx, which the compiler keeps for itself, is as before.
        unsafe {
            core::arch::asm!(
                "xchg {new}, rbx",
                "lock cmpxchg16b [rdi]",
                "mov rbx, {new}",
                new = inout(reg) new[0] => _,
                in("rcx") new[1],
                inlateout("rax") old[0] => low,
                inlateout("rdx") old[1] => high,
                in("rdi") words,
                options(nostack),
            );
        }
        [low, high]
    }

    /// As above, for tools that must see it.
    ///
    /// # Safety
    /// As above.
    #[cfg(any(miri, conex_instrumented))]
    #[target_feature(enable = "cmpxchg16b")]
    pub(in crate::sync::pair) unsafe fn exchange(
        words: *mut u64,
        old: [u64; 2],
        new: [u64; 2],
        success: Ordering,
    ) -> [u64; 2] {
        let one = |[low, high]: [u64; 2]| u128::from(low) | u128::from(high) << 64;
        let (old, new) = (one(old), one(new));
        // SAFETY: the caller's promise.
        let now = unsafe {
            // Acquire on failure: as a load.
            core::arch::x86_64::cmpxchg16b(words.cast(), old, new, success, Ordering::Acquire)
        };
        [now as u64, (now >> 64) as u64]
    }
}

/// The instructions that exchange two words, of 64-bit Arm. The crate has them for each level of the architecture; without
/// its default features it is lock-free or does not compile.
#[cfg(target_arch = "aarch64")]
mod arch {
    use crate::sync::Ordering;

    pub(in crate::sync::pair) fn is_there() -> bool {
        portable_atomic::AtomicU128::is_always_lock_free()
    }

    /// Returns what was there.
    ///
    /// # Safety
    /// `words` points to two atomics, aligned to 16.
    #[inline(always)]
    pub(in crate::sync::pair) unsafe fn exchange(
        words: *mut u64,
        old: [u64; 2],
        new: [u64; 2],
        success: Ordering,
    ) -> [u64; 2] {
        // The first word is the one at the lower address.
        let one = |words: [u64; 2]| u128::from_ne_bytes(bytes(words));
        // SAFETY: the caller's promise.
        let atomic = unsafe { portable_atomic::AtomicU128::from_ptr(words.cast()) };
        // Acquire on failure: as a load.
        let now = atomic.compare_exchange(one(old), one(new), success, Ordering::Acquire);
        let now = now.unwrap_or_else(|now| now).to_ne_bytes();
        let word = |at: usize| u64::from_ne_bytes(core::array::from_fn(|byte| now[at + byte]));
        [word(0), word(8)]
    }

    fn bytes(words: [u64; 2]) -> [u8; 16] {
        core::array::from_fn(|byte| words[byte / 8].to_ne_bytes()[byte % 8])
    }
}

/// Elsewhere there is none.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
mod arch {
    use crate::sync::Ordering;

    pub(in crate::sync::pair) const fn is_there() -> bool {
        false
    }

    /// # Safety
    /// Not to be called.
    pub(in crate::sync::pair) unsafe fn exchange(
        _: *mut u64,
        _: [u64; 2],
        _: [u64; 2],
        _: Ordering,
    ) -> [u64; 2] {
        unreachable!("pairs are boxed on this architecture")
    }
}
