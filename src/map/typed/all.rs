//! Operations on all entries.

use core::hash::{BuildHasher, Hash};
use core::ops::ControlFlow;

use super::shape::TypedShape;
use super::{Map, MapStats, no_memory};
use crate::map::entry::{EntryMap, Intent, Outcome};
use crate::mem::NoMemory;

impl<K, V, S> Map<K, V, S>
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Send + Sync + 'static,
    S: BuildHasher,
{
    /// Calls `visit` with every entry, until it breaks. An entry that is present throughout is visited once; one that
    /// comes or goes meanwhile, once or not at all.
    ///
    /// `visit` runs under a pin that is taken anew for each few entries, and may use the map.
    ///
    /// Progress: lock-free.
    pub fn for_each<B>(&self, mut visit: impl FnMut(&K, &V) -> ControlFlow<B>) -> ControlFlow<B> {
        let mut cursor = Some(0);
        while let Some(at) = cursor {
            cursor = self.raw.engine.run_of_regions(at, |pair| {
                let entry = EntryMap::<TypedShape<K, V>>::entry(pair);
                // SAFETY: readable under the pin.
                let key = unsafe { self.key(entry) };
                // SAFETY: readable under the pin.
                visit(key, unsafe { self.value(entry) })
            })?;
        }
        ControlFlow::Continue(())
    }

    /// Calls `visit` with some entries, from `cursor` on, and returns the cursor to go on with; `None` at the end. Begin
    /// with 0. It stops after the first `limit` entries and those that cannot be separated from them.
    ///
    /// The cursor is all the state there is: it stays good while the map changes, grows and shrinks, for as long as one
    /// likes. An entry that is present from the first call to the last is visited exactly once.
    ///
    /// Progress: lock-free.
    pub fn scan(&self, cursor: u64, limit: usize, mut visit: impl FnMut(&K, &V)) -> Option<u64> {
        let mut visited = 0;
        let mut cursor = Some(cursor);
        while let Some(at) = cursor
            && visited < limit.max(1)
        {
            let region = self.visit_region(at, &mut |key: &K, value: &V| {
                visit(key, value);
                ControlFlow::<core::convert::Infallible>::Continue(())
            });
            let ControlFlow::Continue((next, some)) = region;
            visited += some;
            cursor = next;
        }
        cursor
    }

    /// Visits one region; returns where the next one begins, and how many entries this one had.
    fn visit_region<B>(
        &self,
        first: u64,
        visit: &mut impl FnMut(&K, &V) -> ControlFlow<B>,
    ) -> ControlFlow<B, (Option<u64>, usize)> {
        let pinned = self.raw.engine.pin();
        let region = self.raw.engine.region(&pinned, first);
        let mut visited = 0;
        region.try_for_each(self.raw.entries(), |pair| {
            visited += 1;
            let entry = EntryMap::<TypedShape<K, V>>::entry(pair);
            // SAFETY: readable under the pin.
            let key = unsafe { self.key(entry) };
            // SAFETY: readable under the pin.
            visit(key, unsafe { self.value(entry) })
        })?;
        ControlFlow::Continue((region.next(), visited))
    }

    /// Removes every entry for which `keep` is false. Returns how many.
    ///
    /// Each entry is removed only if its value is still the one that `keep` saw; otherwise `keep` is asked again.
    ///
    /// Progress: lock-free if `keep` is.
    ///
    /// # Panics
    /// If it had to allocate and there was no memory.
    pub fn retain(&self, mut keep: impl FnMut(&K, &V) -> bool) -> usize {
        let mut removed = 0;
        let mut cursor = Some(0);
        while let Some(at) = cursor {
            let pinned = self.raw.engine.pin();
            let region = self.raw.engine.region(&pinned, at);
            let visited = region.try_for_each(self.raw.entries(), |pair| {
                let seen = EntryMap::<TypedShape<K, V>>::entry(pair);
                // SAFETY: readable under the pin.
                let key = unsafe { self.key(seen) };
                // SAFETY: readable under the pin.
                if keep(key, unsafe { self.value(seen) }) {
                    return ControlFlow::<core::convert::Infallible>::Continue(());
                }
                // SAFETY: as in `find`.
                let is = |entry| unsafe { self.key(entry) } == key;
                let outcome = self.raw.change(&pinned, pair.key, is, &mut self.raw.draft(), |old, _| {
                    Ok::<_, NoMemory>(match old {
                        None => Intent::Keep,
                        Some(now) if now == seen => Intent::Remove,
                        // SAFETY: readable under the pin.
                        Some(now) if keep(key, unsafe { self.value(now) }) => Intent::Keep,
                        Some(_) => Intent::Remove,
                    })
                });
                let outcome = outcome.unwrap_or_else(|NoMemory| no_memory());
                removed += usize::from(matches!(outcome, Outcome::Removed(_)));
                ControlFlow::Continue(())
            });
            let ControlFlow::Continue(()) = visited;
            cursor = region.next();
        }
        removed
    }

    /// Removes every entry, a few at a time: what other threads insert meanwhile may stay.
    ///
    /// Progress: lock-free.
    pub fn clear(&self) {
        // It may need memory to finish a migration; then what is left is taken out one by one, or not at all.
        if self.raw.clear().is_err() {
            self.retain(|_, _| false);
        }
    }

    /// Makes room for `entries` in all, so that inserts up to that number do not grow the map.
    ///
    /// Progress: lock-free if the allocator is.
    ///
    /// # Errors
    /// [`NoMemory`]: the map works on with the room it has.
    pub fn reserve(&self, entries: usize) -> Result<(), NoMemory> {
        self.raw.engine.reserve(entries)
    }

    /// Brings the table down to what the entries need. The map also does so by itself, later.
    ///
    /// Progress: lock-free if the allocator is.
    ///
    /// # Errors
    /// [`NoMemory`]: the map works on with the table it has.
    pub fn shrink(&self) -> Result<(), NoMemory> {
        self.raw.engine.shrink()
    }

    /// How many entries there are: exact while no other operation is under way, otherwise near it.
    ///
    /// Progress: wait-free.
    #[must_use]
    pub fn len(&self) -> usize {
        self.raw.engine.len()
    }

    /// Whether [`Map::len`] is 0.
    ///
    /// Progress: wait-free.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What the map is made of.
    ///
    /// Progress: lock-free.
    #[must_use]
    pub fn stats(&self) -> MapStats {
        self.raw.engine.stats().into()
    }
}
