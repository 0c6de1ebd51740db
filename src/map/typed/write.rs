//! Operations that change one entry.

use core::borrow::Borrow;
use core::hash::{BuildHasher, Hash};

use super::{Decision, ExchangeError, InsertError, Map, NotStored, Updated, no_memory};
use crate::map::entry::{Intent, Outcome};
use crate::mem::NoMemory;

impl<K, V, S> Map<K, V, S>
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Send + Sync + 'static,
    S: BuildHasher,
{
    /// Inserts `key` if it is not there; otherwise gives the value back.
    ///
    /// Progress: lock-free if the allocator is. Allocates one entry.
    ///
    /// # Errors
    /// The value, if the key is there already.
    ///
    /// # Panics
    /// If there is no memory; see [`Map::try_insert`].
    pub fn insert(&self, key: K, value: V) -> Result<(), V> {
        self.try_insert(key, value).map_err(|error| match error {
            InsertError::Exists(value) => value,
            InsertError::NoMemory(_) => no_memory(),
        })
    }

    /// As [`Map::insert`], without the panic.
    ///
    /// # Errors
    /// The value, and why it was not inserted.
    pub fn try_insert(&self, key: K, value: V) -> Result<(), InsertError<V>> {
        let pinned = self.raw.engine.pin();
        match self.store(&pinned, key, value, |old| old.is_none()) {
            Ok(_) => Ok(()),
            Err(NotStored { value, no_memory: true, .. }) => Err(InsertError::NoMemory(value)),
            Err(NotStored { value, .. }) => Err(InsertError::Exists(value)),
        }
    }

    /// Inserts `key`, or replaces its value. Returns the replaced one, as a clone.
    ///
    /// Progress: lock-free if the allocator is. Allocates one entry.
    ///
    /// # Panics
    /// If there is no memory; see [`Map::try_upsert_with`].
    pub fn upsert(&self, key: K, value: V) -> Option<V>
    where
        V: Clone,
    {
        self.try_upsert_with(key, value, V::clone).unwrap_or_else(|_| no_memory())
    }

    /// Inserts `key`, or replaces its value. Returns what `read` makes of the replaced one.
    ///
    /// Progress: as [`Map::upsert`].
    ///
    /// # Errors
    /// The value, if there is no memory.
    pub fn try_upsert_with<R>(&self, key: K, value: V, read: impl FnOnce(&V) -> R) -> Result<Option<R>, V> {
        let pinned = self.raw.engine.pin();
        match self.store(&pinned, key, value, |_| true) {
            // SAFETY: readable under the pin.
            Ok(old) => Ok(old.map(|old| read(unsafe { self.value(old) }))),
            Err(NotStored { value, .. }) => Err(value),
        }
    }

    /// Replaces the value of `key`, if it is there. Returns the replaced one, as a clone; otherwise gives the value back.
    ///
    /// Progress: lock-free if the allocator is. Allocates one entry.
    ///
    /// # Errors
    /// The value, if the key is not there.
    ///
    /// # Panics
    /// If there is no memory.
    pub fn replace(&self, key: K, value: V) -> Result<V, V>
    where
        V: Clone,
    {
        let pinned = self.raw.engine.pin();
        match self.store(&pinned, key, value, |old| old.is_some()) {
            // SAFETY: readable under the pin; there was one, or it would not have been stored.
            Ok(old) => Ok(unsafe { self.value(old.expect("present")) }.clone()),
            Err(NotStored { no_memory: true, .. }) => no_memory(),
            Err(NotStored { value, .. }) => Err(value),
        }
    }

    /// Replaces the value of `key` by `desired`, if it is `expected`.
    ///
    /// Progress: lock-free if the allocator and `eq` are. Allocates one entry. `eq` may be called more than once.
    ///
    /// # Errors
    /// Why nothing was changed.
    ///
    /// # Panics
    /// If there is no memory.
    pub fn compare_exchange(&self, key: K, expected: &V, desired: V) -> Result<(), ExchangeError<V>>
    where
        V: PartialEq + Clone,
    {
        let pinned = self.raw.engine.pin();
        match self.store(&pinned, key, desired, |old| old == Some(expected)) {
            Ok(_) => Ok(()),
            Err(NotStored { no_memory: true, .. }) => no_memory(),
            Err(NotStored { present: None, .. }) => Err(ExchangeError::NotFound),
            Err(NotStored { present: Some(now), .. }) => {
                // SAFETY: readable under the pin.
                let now = unsafe { self.value(now) };
                Err(ExchangeError::Mismatch(now.clone()))
            }
        }
    }

    /// Removes `key`. Returns its value, as a clone.
    ///
    /// Progress: lock-free. Allocates only where many keys share a bucket.
    ///
    /// # Panics
    /// If it had to allocate and there was no memory; see [`Map::try_remove_with`].
    pub fn remove<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        V: Clone,
    {
        self.try_remove_with(key, V::clone).unwrap_or_else(|NoMemory| no_memory())
    }

    /// Removes `key`. Returns what `read` makes of its value.
    ///
    /// Progress: as [`Map::remove`].
    ///
    /// # Errors
    /// [`NoMemory`]: nothing was removed.
    pub fn try_remove_with<Q: Hash + Eq + ?Sized, R>(
        &self,
        key: &Q,
        read: impl FnOnce(&V) -> R,
    ) -> Result<Option<R>, NoMemory>
    where
        K: Borrow<Q>,
    {
        let pinned = self.raw.engine.pin();
        // SAFETY: as in `find`.
        let is = |entry| unsafe { self.key(entry) }.borrow() == key;
        let outcome = {
            let hash = self.hash(key);
            self.raw
                .change(&pinned, hash, is, &mut self.raw.draft(), |_, _| Ok::<_, NoMemory>(Intent::Remove))?
        };
        Ok(match outcome {
            // SAFETY: readable under the pin.
            Outcome::Removed(old) => Some(read(unsafe { self.value(old) })),
            _ => None,
        })
    }

    /// Inserts, changes, removes or leaves the entry of `key`, as `update` decides from the present value.
    ///
    /// `update` may be called more than once, each time that the entry was changed before its decision could be carried
    /// out; what it decided before is dropped. It runs under a pin, and may use the map.
    ///
    /// Progress: lock-free if the allocator and `update` are. Allocates one entry if something is stored.
    ///
    /// # Panics
    /// If there is no memory; see [`Map::try_update`].
    pub fn update(&self, key: K, update: impl FnMut(Option<&V>) -> Decision<V>) -> Updated {
        self.try_update(key, update).unwrap_or_else(|NoMemory| no_memory())
    }

    /// As [`Map::update`], without the panic.
    ///
    /// # Errors
    /// [`NoMemory`]: nothing was changed; what `update` decided was dropped.
    pub fn try_update(
        &self,
        key: K,
        mut update: impl FnMut(Option<&V>) -> Decision<V>,
    ) -> Result<Updated, NoMemory> {
        let pinned = self.raw.engine.pin();
        let outcome = self.change(&pinned, key, &mut self.raw.draft(), |old, key, draft| {
            // SAFETY: readable under the pin.
            let decision = update(old.map(|old| unsafe { self.value(old) }));
            draft.end_value();
            let value = match decision {
                Decision::Keep => return Ok(Intent::Keep),
                Decision::Remove => return Ok(Intent::Remove),
                Decision::Store(value) => value,
            };
            let to = self.prepare(draft, key)?;
            // SAFETY: room for a value.
            unsafe { to.write(value) };
            // SAFETY: written just now.
            unsafe { draft.own_value() };
            Ok::<_, NoMemory>(Intent::Store)
        })?;
        Ok(match outcome {
            Outcome::Kept(_) => Updated::Unchanged,
            Outcome::Inserted(_) => Updated::Inserted,
            Outcome::Replaced(..) => Updated::Replaced,
            Outcome::Removed(_) => Updated::Removed,
        })
    }

    /// The value of `key`, as a clone; it is `make`'s if the key was not there.
    ///
    /// `make` is called at most once, and its value dropped if another thread inserts the key first.
    ///
    /// Progress: lock-free if the allocator and `make` are.
    ///
    /// # Panics
    /// If there is no memory.
    pub fn get_or_insert_with(&self, key: K, make: impl FnOnce() -> V) -> V
    where
        V: Clone,
    {
        let pinned = self.raw.engine.pin();
        let mut make = Some(make);
        let outcome = self.change(&pinned, key, &mut self.raw.draft(), |old, key, draft| {
            if old.is_some() {
                return Ok(Intent::Keep);
            }
            let to = self.prepare(draft, key)?;
            if let Some(make) = make.take() {
                // SAFETY: room for a value.
                unsafe { to.write(make()) };
                // SAFETY: written just now.
                unsafe { draft.own_value() };
            }
            Ok::<_, NoMemory>(Intent::Store)
        });
        let entry = match outcome.unwrap_or_else(|NoMemory| no_memory()) {
            Outcome::Inserted(entry) | Outcome::Kept(Some(entry)) => entry,
            _ => unreachable!("a plan that stores when absent and keeps when present"),
        };
        // SAFETY: readable under the pin.
        unsafe { self.value(entry) }.clone()
    }
}

macro_rules! numbers {
    ($($number:ty),*) => {
        $(
            impl<K, S> Map<K, $number, S>
            where
                K: Hash + Eq + Send + Sync + 'static,
                S: BuildHasher,
            {
                /// Adds `delta` to the value of `key`, wrapping around; a key that is not there counts as 0 and is
                /// inserted. Returns the value before.
                ///
                /// Progress: lock-free if the allocator is. Allocates one entry.
                ///
                /// # Panics
                /// If there is no memory.
                pub fn fetch_add(&self, key: K, delta: $number) -> $number {
                    let mut before = 0;
                    self.update(key, |old| {
                        before = old.copied().unwrap_or(0);
                        Decision::Store(before.wrapping_add(delta))
                    });
                    before
                }
            }
        )*
    };
}

numbers!(u8, u16, u32, u64, u128, usize, i8, i16, i32, i64, i128, isize);
