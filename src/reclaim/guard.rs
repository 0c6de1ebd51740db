//! The session: a pin over many operations.

use core::fmt;

use super::domain::{Domain, session_clock};
use super::pinned::Pinned;
use super::ready::SHARE;
use super::thread;
use crate::sync::Ordering;

/// A session over many operations of one thread, in one domain.
///
/// While it lives, operations on containers of the domain need no pin of their own, and references obtained under it
/// stay valid; in exchange, nothing that is retired in the domain meanwhile is freed. Keep it over a batch of work, not
/// over a wait, and call [`Guard::refresh`] between batches. It belongs to the thread that entered it.
///
/// Sessions nest; only the outermost one counts.
pub struct Guard {
    // Dropped in this order: the pin before what keeps its domain alive.
    pinned: Pinned,
    domain: Domain,
    owner: Owner,
}

/// The thread that entered a session.
#[derive(Clone, Copy)]
pub(crate) struct Owner(usize);

impl Owner {
    pub(crate) fn is_this_thread(self) -> bool {
        self.0 == thread::id()
    }
}

impl Guard {
    pub(super) fn new(domain: Domain, pinned: Pinned) -> Self {
        begin(&pinned);
        Self { pinned, domain, owner: Owner(thread::id()) }
    }

    /// The domain of the session.
    #[must_use]
    pub fn domain(&self) -> &Domain {
        &self.domain
    }

    /// Whether the calling thread is the one that entered the session. Rust's own rules see to that; the C layer asks.
    #[must_use]
    pub fn is_of_this_thread(&self) -> bool {
        self.owner.is_this_thread()
    }

    /// The same question, to be asked by any thread while the session's own uses the guard.
    #[cfg(all(feature = "capi", not(loom)))]
    pub(crate) fn owner(&self) -> Owner {
        self.owner
    }

    /// Ends the session and begins a new one: references obtained so far end (which the borrow checker sees to), and
    /// memory that this session held back can be freed. No effect while another session of this thread is active
    /// around it.
    ///
    /// Progress: lock-free. May run destructors and retire callbacks on this thread.
    pub fn refresh(&mut self) {
        let shared = self.domain.shared();
        if shared.is_held() && shared.is_held_by(thread::id()) {
            // Of an era before a fork: its pin is no pin of the present collector.
            self.pinned = self.domain.pin();
        } else {
            self.pinned.refresh();
        }
        let record = &self.pinned.record().value;
        // Relaxed: as in `new`.
        if record.sessions.load(Ordering::Relaxed) == 1 {
            record.session_since.store(session_clock(), Ordering::Relaxed);
            if self.domain.shared().ready.is_some() {
                self.pinned.work(self.domain.shared(), SHARE);
            }
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        end(&self.pinned);
    }
}

/// Counts a session of this thread.
fn begin(pinned: &Pinned) {
    let record = &pinned.record().value;
    // Relaxed, here and below: only this thread writes its record, and statistics read it.
    let sessions = record.sessions.load(Ordering::Relaxed);
    if sessions == 0 {
        record.session_since.store(session_clock(), Ordering::Relaxed);
    }
    record.sessions.store(sessions + 1, Ordering::Relaxed);
}

/// The end of a session that `begin` counted.
fn end(pinned: &Pinned) {
    let record = &pinned.record().value;
    // Relaxed, here and below: as in `begin`.
    let sessions = record.sessions.load(Ordering::Relaxed) - 1;
    record.sessions.store(sessions, Ordering::Relaxed);
    if sessions == 0 && record.orphan.load(Ordering::Relaxed) {
        record.orphan.store(false, Ordering::Relaxed);
        thread::give_back(pinned.record());
    }
}

/// Sessions without a guard, counted by the thread: nothing is allocated, and no memory is written that other threads
/// write.
#[cfg(all(feature = "capi", not(loom)))]
impl Domain {
    /// Begins a session, to be ended by [`Domain::unlock`] on this thread.
    ///
    /// # Safety
    /// The domain outlives the session.
    pub(crate) unsafe fn lock(&self) {
        let pinned = self.pin();
        begin(&pinned);
        let locks = &pinned.record().value.locks;
        // Relaxed: as in `begin`.
        locks.store(locks.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        core::mem::forget(pinned);
    }

    /// Ends a session that this thread began by [`Domain::lock`]. False if there is none.
    pub(crate) fn unlock(&self) -> bool {
        let pinned = self.pin();
        let locks = &pinned.record().value.locks;
        // Relaxed, here and below: as in `begin`.
        let open = locks.load(Ordering::Relaxed);
        if open == 0 {
            return false;
        }
        locks.store(open - 1, Ordering::Relaxed);
        end(&pinned);
        let shared = self.shared();
        if shared.is_held() && shared.is_held_by(thread::id()) && thread::end_old_lock(shared, open) {
            return true;
        }
        // SAFETY: stands for the pin that `lock` forgot: pins of one thread and domain are all alike.
        drop(unsafe { core::ptr::read(&raw const pinned) });
        true
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").finish_non_exhaustive()
    }
}
