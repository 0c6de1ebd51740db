//! The only file that names the standard library's atomics.
//!
//! Everything that orders memory comes from here, so that one switch, `--cfg loom`, replaces it by loom's instrumented
//! twins and a model checker can run the same code; another, `--cfg conex_park`, by atomics that stop a thread between two
//! accesses ([`step`]). `tests/house.rs` keeps the other files honest.

mod pair;
#[cfg(conex_park)]
pub mod step;

pub(crate) use pair::{AtomicPair, Pair, can_exchange_two, exchange_two};

#[cfg(conex_park)]
pub(crate) use step::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, fence};

#[cfg(not(any(loom, conex_park)))]
pub(crate) use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, fence};

#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, fence};

pub(crate) use core::sync::atomic::Ordering;

#[cfg(not(loom))]
pub(crate) use std::thread_local;

#[cfg(loom)]
pub(crate) use loom::thread_local;

/// Tells the processor that this is a waiting loop. Used for back-off, never to wait for another thread.
#[inline]
pub(crate) fn spin_loop() {
    #[cfg(not(loom))]
    std::hint::spin_loop();
    #[cfg(loom)]
    loom::thread::yield_now();
}

/// Lets another thread of the machine run.
#[inline]
pub(crate) fn yield_now() {
    #[cfg(not(loom))]
    std::thread::yield_now();
    #[cfg(loom)]
    loom::thread::yield_now();
}

/// A word that threads can sleep on.
///
/// Sleeping compares the word and goes to sleep in one step of the kernel; waking is one call that waits for nobody.
/// Where the system has no such calls, sleepers look again every millisecond.
pub(crate) struct Futex {
    word: AtomicU32,
    #[cfg(loom)]
    sleepers: (loom::sync::Mutex<()>, loom::sync::Condvar),
}

impl Futex {
    pub(crate) fn new(word: AtomicU32) -> Self {
        Self {
            word,
            #[cfg(loom)]
            sleepers: (loom::sync::Mutex::new(()), loom::sync::Condvar::new()),
        }
    }

    pub(crate) fn word(&self) -> &AtomicU32 {
        &self.word
    }

    /// Sleeps while the word is `value`, until woken, for `timeout` at most. May also return for no reason.
    pub(crate) fn sleep(&self, value: u32, timeout: Option<std::time::Duration>) {
        #[cfg(loom)]
        {
            // A model's sleepers have no clock: a lost wake-up shows as a deadlock.
            let _ = timeout;
            let guard = self.sleepers.0.lock().unwrap();
            // Acquire: what the waker did before is seen. The lock orders the word's change against the sleep.
            if self.word.load(Ordering::Acquire) == value {
                drop(self.sleepers.1.wait(guard).unwrap());
            }
        }
        #[cfg(all(not(loom), any(target_os = "linux", target_os = "android")))]
        {
            let timeout = timeout.map(|timeout| libc::timespec {
                tv_sec: libc::time_t::try_from(timeout.as_secs()).unwrap_or(libc::time_t::MAX),
                tv_nsec: timeout.subsec_nanos() as _,
            });
            let timeout = timeout.as_ref().map_or(core::ptr::null(), core::ptr::from_ref);
            let op = libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG;
            // SAFETY: the word outlives the call, the timeout is null or valid; a relative timeout counts on the
            // monotonic clock. The result does not matter: whatever it is, the caller looks again.
            unsafe { libc::syscall(libc::SYS_futex, self.word.as_ptr(), op, value, timeout) };
        }
        #[cfg(all(not(loom), not(any(target_os = "linux", target_os = "android"))))]
        {
            // Acquire: what the waker did before is seen.
            if self.word.load(Ordering::Acquire) == value {
                let nap = std::time::Duration::from_millis(1);
                std::thread::sleep(timeout.map_or(nap, |timeout| timeout.min(nap)));
            }
        }
    }

    /// Wakes up to `n` sleepers. The word was changed before.
    pub(crate) fn wake(&self, n: u32) {
        #[cfg(loom)]
        {
            drop(self.sleepers.0.lock().unwrap());
            for _ in 0..n.min(4) {
                self.sleepers.1.notify_one();
            }
        }
        #[cfg(all(not(loom), any(target_os = "linux", target_os = "android")))]
        {
            let op = libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG;
            let n = i32::try_from(n).unwrap_or(i32::MAX);
            // SAFETY: the address is not read, only compared with those of sleepers.
            unsafe { libc::syscall(libc::SYS_futex, self.word.as_ptr(), op, n) };
        }
        #[cfg(all(not(loom), not(any(target_os = "linux", target_os = "android"))))]
        let _ = n;
    }
}
