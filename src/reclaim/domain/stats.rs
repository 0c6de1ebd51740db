//! What waits in a domain, in numbers.

use std::time::Duration;

use super::shared::clock;
use super::{Domain, Shared};
#[cfg(all(unix, not(any(miri, loom))))]
use crate::reclaim::thread::ThreadRecord;
use crate::sync::Ordering;

/// What [`Domain::stats`] tells; each number is an estimate while other threads work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DomainStats {
    /// Blocks and pointers that were retired and not freed yet.
    pub pending_objects: usize,
    /// Their bytes, as their retirers gave them, each rounded up to a multiple of 16.
    pub pending_bytes: usize,
    /// Sessions ([`Guard`](crate::Guard)) that are active.
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
        self.core.shared.stats()
    }
}

/// At most so many readings for one answer.
const READINGS: usize = if cfg!(loom) { 1 } else { 8 };

impl Shared {
    /// Objects and bytes that were ever retired.
    #[cfg(all(unix, not(any(miri, loom))))]
    pub(super) fn retired(&self) -> (usize, usize) {
        // Relaxed, both: statistics.
        let objects = |record: &ThreadRecord| record.retired_objects.load(Ordering::Relaxed);
        let bytes = |record: &ThreadRecord| record.retired_bytes.load(Ordering::Relaxed);
        self.threads.iter().fold((0, 0), |sum, record| {
            let record = &record.value;
            (sum.0.wrapping_add(objects(record)), sum.1.wrapping_add(bytes(record)))
        })
    }

    /// A reading takes in what is retired while it goes on, and not what is disposed of: who loses the processor in between
    /// would find thousands pending that never were at once. So of a few readings that counts in which least was disposed of.
    pub(super) fn stats(&self) -> DomainStats {
        let mut best = self.reading();
        for _ in 1..READINGS {
            if best.0 == 0 {
                break;
            }
            let next = self.reading();
            if next.0 < best.0 {
                best = next;
            }
        }
        best.1
    }

    /// One reading, and how many objects were disposed of meanwhile.
    fn reading(&self) -> (usize, DomainStats) {
        // Relaxed throughout: statistics. Disposed first, so that a block counted there is counted as retired too.
        let disposed_objects = self.disposed_objects.load(Ordering::Relaxed);
        let disposed_bytes = self.disposed_bytes.load(Ordering::Relaxed);
        let mut stats = DomainStats::default();
        let now = clock();
        let (mut objects, mut bytes, mut oldest) = (0_usize, 0_usize, now);
        for record in self.threads.iter() {
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
        // Relaxed: statistics.
        let meanwhile = self.disposed_objects.load(Ordering::Relaxed).wrapping_sub(disposed_objects);
        (meanwhile, stats)
    }
}
