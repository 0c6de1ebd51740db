//! The safe map of Rust types.

use core::alloc::Layout;
use core::borrow::Borrow;
use core::cell::Cell;
use core::fmt;
use core::hash::{BuildHasher, Hash};
use core::marker::PhantomData;
use core::mem::{MaybeUninit, needs_drop, offset_of};
use core::ops::ControlFlow;
use core::ptr::NonNull;

use super::entry::{Draft, Entry, EntryMap, Intent, Outcome, Shape};
use super::hash::RandomState;
use super::resize::Stats;
use crate::mem::NoMemory;
use crate::options::Options;
use crate::reclaim::{Domain, Guard, Link, Pinned};

/// An entry as it lies in memory.
#[repr(C)]
struct Typed<K, V> {
    link: Link,
    value: V,
    key: K,
}

struct TypedShape<K, V>(PhantomData<fn() -> (K, V)>);

// SAFETY: offsets and layout are the compiler's own. The drops run on any thread, also after a leaked map: `Map` demands
// `Send` and `'static`.
unsafe impl<K: Send + Sync + 'static, V: Send + Sync + 'static> Shape for TypedShape<K, V> {
    #[inline]
    fn layout(&self, _key_len: usize) -> Result<Layout, NoMemory> {
        Ok(Layout::new::<Typed<K, V>>())
    }

    #[inline]
    fn value(&self) -> usize {
        offset_of!(Typed<K, V>, value)
    }

    #[inline]
    fn key(&self) -> usize {
        offset_of!(Typed<K, V>, key)
    }

    #[inline]
    unsafe fn set_key_len(&self, _entry: NonNull<Entry>, _key_len: usize) {}

    #[inline]
    unsafe fn key_len(&self, _entry: NonNull<Entry>) -> usize {
        size_of::<K>()
    }

    #[inline]
    unsafe fn drop_key(&self, key: *mut u8) {
        if needs_drop::<K>() {
            // SAFETY: the caller's promise.
            unsafe { key.cast::<K>().drop_in_place() };
        }
    }

    #[inline]
    unsafe fn drop_value(&self, value: *mut u8) {
        if needs_drop::<V>() {
            // SAFETY: the caller's promise.
            unsafe { value.cast::<V>().drop_in_place() };
        }
    }
}

/// What [`Map::update`] is to do with the entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision<V> {
    /// Leave it as it is.
    Keep,
    /// Insert this value, or replace the present one by it.
    Store(V),
    /// Remove it.
    Remove,
}

/// What [`Map::update`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Updated {
    /// Nothing.
    Unchanged,
    /// A new entry was inserted.
    Inserted,
    /// The value was replaced.
    Replaced,
    /// The entry was removed.
    Removed,
}

/// Why [`Map::compare_exchange`] changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExchangeError<V> {
    /// The key is not there.
    NotFound,
    /// The value is another one: this.
    Mismatch(V),
}

/// Why [`Map::try_insert`] did not insert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InsertError<V> {
    /// The key is there already. The value was not used.
    Exists(V),
    /// There was no memory for the entry. The value was not used.
    NoMemory(V),
}

/// What a map is made of; see [`Map::stats`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MapStats {
    /// Entries: exact while no operation is under way.
    pub entries: usize,
    /// Buckets of the current table.
    pub buckets: usize,
    /// Bytes of the tables and of everything that is in them, without what waits for reclamation.
    pub bytes: usize,
    /// How often the map has begun to grow.
    pub growths: u64,
    /// How often the map has begun to shrink.
    pub shrinks: u64,
    /// Whether entries are being moved to a new table.
    pub resizing: bool,
}

impl From<Stats> for MapStats {
    fn from(stats: Stats) -> Self {
        let Stats { entries, buckets, bytes, growths, shrinks, resizing } = stats;
        Self { entries, buckets, bytes, growths, shrinks, resizing }
    }
}

/// Why `store` did not store.
struct NotStored<V> {
    value: V,
    /// What is there instead, readable under the pin.
    present: Option<NonNull<Entry>>,
    no_memory: bool,
}

#[cold]
fn no_memory() -> ! {
    panic!("no memory for a map's entry")
}

/// A key that an operation brings along, and that moves into the entry once there is one. It can be compared with wherever
/// it is: what compares it may be code that changes it.
struct OwnedKey<K> {
    /// Holds the key while `moved` is `None`.
    here: MaybeUninit<K>,
    moved: Cell<Option<NonNull<K>>>,
}

impl<K> OwnedKey<K> {
    fn new(key: K) -> Self {
        Self { here: MaybeUninit::new(key), moved: Cell::new(None) }
    }

    fn get(&self) -> &K {
        match self.moved.get() {
            // SAFETY: not moved.
            None => unsafe { self.here.assume_init_ref() },
            // SAFETY: the promise of `move_to`.
            Some(at) => unsafe { at.as_ref() },
        }
    }

    /// # Safety
    /// `to` is writable, and the key stays there, live, as long as this is used.
    unsafe fn move_to(&self, to: NonNull<K>) {
        // SAFETY: the caller's promise; `here` is not used any more after the next line.
        unsafe { to.copy_from_nonoverlapping(NonNull::from(&self.here).cast(), 1) };
        self.moved.set(Some(to));
    }
}

impl<K> Drop for OwnedKey<K> {
    fn drop(&mut self) {
        if self.moved.get().is_none() {
            // SAFETY: not moved, and not used after this.
            unsafe { self.here.assume_init_drop() };
        }
    }
}

/// A lock-free hash map, shared by any number of threads.
///
/// Every operation on one key is one atomic step; there is no lock anywhere, also not while the map grows or shrinks. A
/// value that was put in is not changed in place: an update puts a new one in its place, and readers of the old one keep
/// it until they are done. So values come out as clones ([`get`](Map::get)), as the result of a closure
/// ([`with`](Map::with)), or as references under a [`Guard`] ([`get_ref`](Map::get_ref)).
///
/// Keys and values are dropped on whatever thread finds that nobody reads them any more, possibly after the map has been
/// leaked; hence `Send + Sync + 'static`.
///
/// ```
/// let map = conex::Map::new();
/// assert_eq!(map.upsert("seven", 7), None);
/// assert_eq!(map.get("seven"), Some(7));
/// assert_eq!(map.upsert("seven", 8), Some(7));
/// assert_eq!(map.remove("seven"), Some(8));
/// assert_eq!(map.get("seven"), None);
/// ```
pub struct Map<K, V, S = RandomState>
where
    K: Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    raw: EntryMap<TypedShape<K, V>>,
    hasher: S,
    entries: PhantomData<(K, V)>,
}

impl<K, V> Map<K, V>
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    /// An empty map in the default domain, with a random seed.
    ///
    /// # Panics
    /// If there is no memory for it; see [`Map::with_options`].
    #[must_use]
    pub fn new() -> Self {
        Self::with_capacity(0)
    }

    /// An empty map with room for `capacity` entries.
    ///
    /// # Panics
    /// If there is no memory for it; see [`Map::with_options`].
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self::with_options(&Options::new(), capacity, RandomState::new()).expect("no memory for a map")
    }
}

impl<K, V, S> Map<K, V, S>
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Send + Sync + 'static,
    S: BuildHasher,
{
    /// An empty map in the default domain that hashes with `hasher`.
    ///
    /// # Panics
    /// If there is no memory for it; see [`Map::with_options`].
    #[must_use]
    pub fn with_hasher(hasher: S) -> Self {
        Self::with_options(&Options::new(), 0, hasher).expect("no memory for a map")
    }

    /// An empty map as `options` say, with room for `capacity` entries, that hashes with `hasher`.
    ///
    /// # Errors
    /// [`NoMemory`].
    pub fn with_options(options: &Options, capacity: usize, hasher: S) -> Result<Self, NoMemory> {
        let raw = EntryMap::new(TypedShape(PhantomData), capacity, options)?;
        Ok(Self { raw, hasher, entries: PhantomData })
    }

    fn domain(&self) -> &Domain {
        self.raw.engine.limbo.domain()
    }

    /// # Safety
    /// `entry` stays unfreed for `'a`.
    unsafe fn key<'a>(&self, entry: NonNull<Entry>) -> &'a K {
        // SAFETY: entries of this map are of the type, and not written to once they are in it.
        &unsafe { entry.cast::<Typed<K, V>>().as_ref() }.key
    }

    /// # Safety
    /// `entry` stays unfreed for `'a`.
    unsafe fn value<'a>(&self, entry: NonNull<Entry>) -> &'a V {
        // SAFETY: as in `key`.
        &unsafe { entry.cast::<Typed<K, V>>().as_ref() }.value
    }

    fn find<Q: Hash + Eq + ?Sized>(&self, pinned: &Pinned, key: &Q) -> Option<NonNull<Entry>>
    where
        K: Borrow<Q>,
    {
        // SAFETY: entries that the map shows to the predicate are readable under the pin.
        self.raw.get(pinned, self.hasher.hash_one(key), |entry| unsafe { self.key(entry) }.borrow() == key)
    }

    /// As [`EntryMap::change`], for an operation that brings its key along.
    fn change<E: From<NoMemory>>(
        &self,
        pinned: &Pinned,
        key: K,
        draft: &mut Draft<'_, TypedShape<K, V>>,
        mut plan: impl FnMut(
            Option<NonNull<Entry>>,
            &OwnedKey<K>,
            &mut Draft<'_, TypedShape<K, V>>,
        ) -> Result<Intent, E>,
    ) -> Result<Outcome, E> {
        let hash = self.hasher.hash_one(&key);
        let key = OwnedKey::new(key);
        // SAFETY: as in `find`.
        let is = |entry| *unsafe { self.key(entry) } == *key.get();
        self.raw.change(pinned, hash, is, draft, |old, draft| plan(old, &key, draft))
    }

    /// Makes the draft ready for a value: gives it room, and the key. Returns where the value is to be written.
    fn prepare(&self, draft: &mut Draft<'_, TypedShape<K, V>>, key: &OwnedKey<K>) -> Result<*mut V, NoMemory> {
        let (key_at, value_at) = draft.room(size_of::<K>())?;
        let key_at = NonNull::new(key_at).expect("inside an allocation");
        if !draft.owns_key() {
            // SAFETY: room for a key, which stays where it is as long as the draft, or the entry it becomes.
            unsafe { key.move_to(key_at.cast()) };
            // SAFETY: just moved there.
            unsafe { draft.own_key() };
        }
        Ok(value_at.cast())
    }

    /// Stores `value` if `when` holds for what is there. Returns the replaced entry, readable under the pin.
    fn store(
        &self,
        pinned: &Pinned,
        key: K,
        value: V,
        when: impl Fn(Option<&V>) -> bool,
    ) -> Result<Option<NonNull<Entry>>, NotStored<V>> {
        let mut value = Some(value);
        let mut draft = self.raw.draft();
        let outcome = self.change(pinned, key, &mut draft, |old, key, draft| {
            // SAFETY: readable under the pin.
            if !when(old.map(|old| unsafe { self.value(old) })) {
                return Ok(Intent::Keep);
            }
            let to = self.prepare(draft, key)?;
            if let Some(value) = value.take() {
                // SAFETY: room for a value.
                unsafe { to.write(value) };
                // SAFETY: written just now.
                unsafe { draft.own_value() };
            }
            Ok::<_, NoMemory>(Intent::Store)
        });
        let (present, no_memory) = match outcome {
            Ok(Outcome::Inserted(_)) => return Ok(None),
            Ok(Outcome::Replaced(old, _)) => return Ok(Some(old)),
            Ok(Outcome::Kept(present)) => (present, false),
            Ok(Outcome::Removed(_)) => unreachable!("the plan removes nothing"),
            Err(NoMemory) => (None, true),
        };
        // SAFETY: the draft gives up what was written there, and is not used any more.
        let value = value.or_else(|| draft.take_value().map(|at| unsafe { at.cast::<V>().read() }));
        Err(NotStored { value: value.expect("it is here or in the draft"), present, no_memory })
    }

    /// What `read` makes of the value of `key`.
    ///
    /// Progress: lock-free, and does not allocate. `read` runs under a pin: it should be short.
    pub fn with<Q: Hash + Eq + ?Sized, R>(&self, key: &Q, read: impl FnOnce(&V) -> R) -> Option<R>
    where
        K: Borrow<Q>,
    {
        let pinned = self.raw.engine.pin();
        // SAFETY: readable under the pin.
        self.find(&pinned, key).map(|entry| read(unsafe { self.value(entry) }))
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
        self.find(&self.raw.engine.pin(), key).is_some()
    }

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
            // SAFETY: readable under the pin.
            Err(NotStored { present: Some(now), .. }) => {
                Err(ExchangeError::Mismatch(unsafe { self.value(now) }.clone()))
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
        let outcome =
            {
            let hash = self.hasher.hash_one(key);
            self.raw.change(&pinned, hash, is, &mut self.raw.draft(), |_, _| Ok::<_, NoMemory>(Intent::Remove))?
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

    /// Calls `visit` with every entry, until it breaks. An entry that is present throughout is visited once; one that
    /// comes or goes meanwhile, once or not at all.
    ///
    /// `visit` runs under a pin that is taken anew for each few entries, and may use the map.
    ///
    /// Progress: lock-free.
    pub fn for_each<B>(&self, mut visit: impl FnMut(&K, &V) -> ControlFlow<B>) -> ControlFlow<B> {
        let mut cursor = Some(0);
        while let Some(at) = cursor {
            cursor = self.visit_region(at, &mut visit)?.0;
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
            let (key, value) = unsafe { (self.key(entry), self.value(entry)) };
            visit(key, value)
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
                let (key, value) = unsafe { (self.key(seen), self.value(seen)) };
                if keep(key, value) {
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

impl<K, V> Default for Map<K, V>
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    fn default() -> Self {
        Self::new()
    }
}

impl<K, V, S> fmt::Debug for Map<K, V, S>
where
    K: Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Map").field("len", &self.raw.engine.len()).finish_non_exhaustive()
    }
}
