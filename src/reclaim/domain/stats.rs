//! What waits in a domain, in numbers.

use std::time::Duration;

use super::Domain;
use super::shared::clock;
use crate::sync::Ordering;

/// What [`Domain::stats`] tells; each number is an estimate while other threads work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DomainStats {
    /// Blocks and pointers that were retired and not freed yet.
    pub pending_objects: usize,
    /// Their bytes, as their retirers gave them, each rounded up to a multiple of 16.
    pub pending_bytes: usize,
    /// Sessions ([`Guard`]) that are active.
    pub guards: usize,
    /// How long the oldest of them has been active without a refresh.
    pub oldest_guard: Duration,
}

impl Domain {
    /// What waits in the domain, and for whom.
    ///
    /// Progress: wait-free, in the number of threads that ever used the domain at once.
    #[must_use]
    pub fn stats(&self) -> DomainStats {
        let shared = &self.core.shared;
        // Relaxed throughout: statistics. Disposed first, so that a block counted there is counted as retired too.
        let disposed_objects = shared.disposed_objects.load(Ordering::Relaxed);
        let disposed_bytes = shared.disposed_bytes.load(Ordering::Relaxed);
        let mut stats = DomainStats::default();
        let now = clock();
        let (mut objects, mut bytes, mut oldest) = (0_usize, 0_usize, now);
        for record in shared.threads.iter() {
            let record = &record.value;
            // Relaxed, all four: statistics.
            objects = objects.wrapping_add(record.retired_objects.load(Ordering::Relaxed));
            bytes = bytes.wrapping_add(record.retired_bytes.load(Ordering::Relaxed));
            let sessions = record.sessions.load(Ordering::Relaxed);
            if sessions > 0 {
                stats.guards += sessions;
                oldest = oldest.min(record.session_since.load(Ordering::Relaxed));
            }
        }
        let positive = |n: usize| if n > usize::MAX / 2 { 0 } else { n };
        stats.pending_objects = positive(objects.wrapping_sub(disposed_objects));
        stats.pending_bytes = positive(bytes.wrapping_sub(disposed_bytes));
        stats.oldest_guard = Duration::from_nanos(now.saturating_sub(oldest));
        stats
    }
}
