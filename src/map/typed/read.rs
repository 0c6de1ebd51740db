//! Operations that read one entry.

use core::borrow::Borrow;
use core::hash::{BuildHasher, Hash};

use super::Map;
use crate::reclaim::Guard;

impl<K, V, S> Map<K, V, S>
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Send + Sync + 'static,
    S: BuildHasher,
{
    /// What `read` makes of the value of `key`.
    ///
    /// Progress: lock-free, and does not allocate. `read` runs under a pin: it should be short.
    pub fn with<Q: Hash + Eq + ?Sized, R>(&self, key: &Q, read: impl FnOnce(&V) -> R) -> Option<R>
    where
        K: Borrow<Q>,
    {
        // SAFETY: entries that the map shows to the predicate are readable under its pin.
        let is = |entry| unsafe { self.key(entry) }.borrow() == key;
        // SAFETY: as above.
        self.raw.read(self.hash(key), is, |entry| read(unsafe { self.value(entry) }))
    }

    /// A clone of the value of `key`.
    ///
    /// Progress: lock-free if `clone` is.
    pub fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        V: Clone,
    {
        self.with(key, V::clone)
    }

    /// The value of `key`, for as long as the guard is neither refreshed nor dropped.
    ///
    /// Progress: lock-free, and does not allocate.
    ///
    /// # Panics
    /// If the guard is of another domain than the map.
    pub fn get_ref<'a, Q: Hash + Eq + ?Sized>(&'a self, key: &Q, guard: &'a Guard) -> Option<&'a V>
    where
        K: Borrow<Q>,
    {
        assert!(guard.domain().is_same(self.domain()), "the guard is of another domain than the map");
        let pinned = self.raw.engine.pin();
        // SAFETY: the guard, which outlives the reference, was entered before the entry was found in the map.
        self.find(&pinned, key).map(|entry| unsafe { self.value(entry) })
    }

    /// Whether `key` is there.
    ///
    /// Progress: lock-free, and does not allocate.
    pub fn contains_key<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.with(key, |_| ()).is_some()
    }
}
