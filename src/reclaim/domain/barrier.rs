//! The barrier: everything that was retired before it has been freed.

use core::fmt;
use std::time::{Duration, Instant};

use super::{Domain, Shared};
use crate::reclaim::pinned::Pinned;
use crate::reclaim::thread;

/// Why [`Domain::barrier`] returned before its work was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BarrierError {
    /// The time was up; something still holds memory back, most often a guard on another thread.
    TimedOut,
    /// The calling thread itself holds a guard of this domain, or is in a callback that runs inside an operation on it
    /// which has pinned it, so waiting would never end.
    Guarded,
}

impl fmt::Display for BarrierError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TimedOut => "the time was up before all retired memory was freed",
            Self::Guarded => {
                "the calling thread holds a guard of the domain or runs a callback of it; leave that first"
            }
        })
    }
}

impl std::error::Error for BarrierError {}

impl Domain {
    /// Waits until everything that was retired in this domain before the call, by any thread, has been freed. What maps
    /// keep because a thread names it is not waited for, but it is looked at, and freed if the thread has gone on or ended.
    ///
    /// Progress: may block, for `timeout` at most. May run destructors and retire callbacks on this thread.
    ///
    /// # Errors
    /// [`BarrierError::TimedOut`], or [`BarrierError::Guarded`] at once when this thread holds a guard of the domain or
    /// is in a retire callback or destructor that the domain runs.
    pub fn barrier(&self, timeout: Duration) -> Result<(), BarrierError> {
        let begin = Instant::now();
        let shared = &self.core.shared;
        if thread::is_pinned(shared) {
            return Err(BarrierError::Guarded);
        }
        let mut attempt = Attempt::new(shared);
        let hazards = &shared.hazards.under_way;
        let hazards_begin = hazards.now();
        let mut sealed = false;
        let mut rounds = 0_u32;
        loop {
            {
                let pinned = self.pin();
                attempt.seal(&pinned);
                pinned.flush();
                pinned.work_all(shared);
                self.scan_hazards(&pinned);
            }
            match attempt.is_over() {
                Some(true) => sealed = true,
                Some(false) => attempt = Attempt::new(shared),
                None => {}
            }
            if sealed && hazards.passed(hazards_begin) {
                return Ok(());
            }
            if begin.elapsed() >= timeout {
                return Err(BarrierError::TimedOut);
            }
            rounds += 1;
            wait(rounds);
        }
    }
}

/// One attempt of a barrier to see everything freed. Its steps, each of which starts when the one before it is over:
///
/// 1. Wait for the threads that are marking a limbo as dirty. A block that was retired before lies in a limbo that was
///    marked; once the marks are over it is on the list, or another sweep has it.
/// 2. Sweep the list. What is sealed now, by this sweep or by another one that was faster, has been counted in `phases`.
/// 3. Wait for everything that has been counted there.
///
/// Another sweep may have found no slot for a limbo it took. That is counted before its phase ends, so the attempt that
/// waited for it sees the count and does not answer for what was left; and blocks left by a sweep before the attempt
/// are marked again, by a thread that step 1 waits for.
struct Attempt<'a> {
    shared: &'a Shared,
    /// The count of [`Shared::unsealed`] at the beginning.
    unsealed: usize,
    /// Where step 1 began. Read after `unsealed`: see above.
    marks: usize,
    /// Where step 3 began.
    sealed: Option<usize>,
}

impl<'a> Attempt<'a> {
    fn new(shared: &'a Shared) -> Self {
        let unsealed = shared.unsealed();
        Self { shared, unsealed, marks: shared.marks.now(), sealed: None }
    }

    /// Goes as far as step 3, if it can.
    fn seal(&mut self, pinned: &Pinned) {
        if self.sealed.is_none() && self.shared.marks.passed(self.marks) {
            if self.shared.sweep(pinned) {
                self.sealed = Some(self.shared.phases.now());
            } else {
                *self = Self::new(self.shared);
            }
        }
    }

    /// Whether step 3 is over, and if so, whether everything was sealed before it.
    fn is_over(&self) -> Option<bool> {
        let over = self.sealed.is_some_and(|sealed| self.shared.phases.passed(sealed));
        over.then(|| self.shared.unsealed() == self.unsealed)
    }
}

/// Lets the others run: a little at first, longer as the wait goes on.
fn wait(rounds: u32) {
    if rounds < 16 {
        crate::sync::yield_now();
    } else {
        #[cfg(not(loom))]
        std::thread::sleep(Duration::from_micros(u64::from(rounds.min(100)) * 10));
        #[cfg(loom)]
        crate::sync::yield_now();
    }
}
