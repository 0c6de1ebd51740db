//! The safe map of Rust types.

mod all;
mod read;
mod results;
mod shape;
mod write;

use core::borrow::Borrow;
use core::fmt;
use core::hash::{BuildHasher, Hash};
use core::marker::PhantomData;
use core::ptr::NonNull;

pub use results::{Decision, ExchangeError, InsertError, MapStats, Updated};

use self::shape::{OwnedKey, Typed, TypedShape};
use super::draft::Draft;
use super::entry::{Entry, EntryMap, Intent, Outcome};
use super::hash::{RandomState, spread};
use crate::mem::NoMemory;
use crate::options::Options;
use crate::reclaim::{Domain, Pinned};

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

    fn hash<Q: Hash + ?Sized>(&self, key: &Q) -> u64 {
        spread(self.hasher.hash_one(key))
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
        self.raw.get(pinned, self.hash(key), |entry| unsafe { self.key(entry) }.borrow() == key)
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
        let hash = self.hash(&key);
        let key = OwnedKey::new(key);
        // SAFETY: as in `find`.
        let is = |entry| *unsafe { self.key(entry) } == *key.get();
        self.raw.change(pinned, hash, is, draft, |old, draft| plan(old, &key, draft))
    }

    /// Makes the draft ready for a value: gives it room, and the key. Returns where the value is to be written.
    fn prepare(
        &self,
        draft: &mut Draft<'_, TypedShape<K, V>>,
        key: &OwnedKey<K>,
    ) -> Result<*mut V, NoMemory> {
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
