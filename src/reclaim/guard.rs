//! The session: a pin over many operations.

use core::fmt;

use super::domain::Domain;
use super::pinned::Pinned;
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
    thread: usize,
}

impl Guard {
    pub(super) fn new(domain: Domain, pinned: Pinned) -> Self {
        let record = &pinned.record().value;
        // Relaxed, here and below: only this thread writes its record, and statistics read it.
        let sessions = record.sessions.load(Ordering::Relaxed);
        if sessions == 0 {
            record.session_since.store(domain.shared().clock(), Ordering::Relaxed);
        }
        record.sessions.store(sessions + 1, Ordering::Relaxed);
        Self { pinned, domain, thread: thread::id() }
    }

    /// The domain of the session.
    #[must_use]
    pub fn domain(&self) -> &Domain {
        &self.domain
    }

    /// Whether the calling thread is the one that entered the session. Rust's own rules see to that; the C layer asks.
    #[must_use]
    pub fn is_of_this_thread(&self) -> bool {
        self.thread == thread::id()
    }

    /// Ends the session and begins a new one: references obtained so far end (which the borrow checker sees to), and
    /// memory that this session held back can be freed. No effect while another session of this thread is active
    /// around it.
    ///
    /// Progress: lock-free. May run destructors and retire callbacks on this thread.
    pub fn refresh(&mut self) {
        self.pinned.refresh();
        let record = &self.pinned.record().value;
        // Relaxed: as in `new`.
        if record.sessions.load(Ordering::Relaxed) == 1 {
            record.session_since.store(self.domain.shared().clock(), Ordering::Relaxed);
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let record = &self.pinned.record().value;
        // Relaxed, here and below: as in `new`.
        let sessions = record.sessions.load(Ordering::Relaxed) - 1;
        record.sessions.store(sessions, Ordering::Relaxed);
        if sessions == 0 && record.orphan.load(Ordering::Relaxed) {
            record.orphan.store(false, Ordering::Relaxed);
            self.pinned.record().give_back();
        }
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").finish_non_exhaustive()
    }
}
