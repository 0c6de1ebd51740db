//! The map of elements that are described at run time: one face over the two codecs.

mod shape;
mod target;

use core::alloc::Layout;
use core::ops::ControlFlow;
use core::ptr::NonNull;

use self::shape::BlobShape;
pub(crate) use self::shape::Elements;
use self::target::{Kind, Target};
use super::bucket::Pair;
use super::change::Rest;
use super::draft::Draft;
use super::entry::{Entries, Entry, EntryMap, Intent, Outcome, Shape};
use super::hash::{has_its_own_key_word, word_of};
use super::keyed::{KeyedMap, Keys};
use super::plan::{Change, Plan};
use super::resize::Stats;
use super::words::{Word, WordMap};
use crate::mem::NoMemory;
use crate::options::Options;
use crate::reclaim::{Domain, Pinned};

/// A map of run-time elements.
pub(crate) struct BlobMap<T: Elements> {
    inner: Inner<T>,
}

enum Inner<T: Elements> {
    Words(SmallMap<T>),
    Keyed(KeyedMap<BlobShape<T>>),
    Entries(EntryMap<BlobShape<T>>),
}

/// A map of keys and values of at most a word, padded with zeros.
struct SmallMap<T> {
    words: WordMap,
    elements: T,
    key_size: usize,
    /// Whether both are whole words.
    whole: bool,
}

/// What an operation of a map did, with the value that was there before: aligned, and readable while the operation's last
/// callback runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    /// Nothing; this is there.
    Kept(Option<*const u8>),
    Inserted,
    Replaced(*const u8),
    Removed(*const u8),
}

impl<T: Elements> BlobMap<T> {
    pub(crate) fn new(elements: T, seed: u64, capacity: usize, options: &Options) -> Result<Self, NoMemory> {
        let word = |layout: Layout| layout.size() <= 8 && layout.align() <= 8;
        let inner = match elements.key_layout() {
            Some(key) if elements.are_plain() && word(key) && word(elements.value_layout()) => {
                let words = WordMap::new(seed, capacity, options)?;
                let whole = key.size() == 8 && elements.value_layout().size() == 8;
                Inner::Words(SmallMap { words, elements, key_size: key.size(), whole })
            }
            _ if elements.values_are_plain() && word(elements.value_layout()) => {
                Inner::Keyed(KeyedMap::new(BlobShape::of_keys(elements)?, capacity, options)?)
            }
            _ => Inner::Entries(EntryMap::new(BlobShape::new(elements)?, capacity, options)?),
        };
        Ok(Self { inner })
    }

    /// The map as one from words to words, if it is one.
    #[inline(always)]
    pub(crate) fn words(&self) -> Option<&WordMap> {
        match &self.inner {
            Inner::Words(map) if map.whole => Some(&map.words),
            _ => None,
        }
    }

    #[inline]
    pub(crate) fn elements(&self) -> &T {
        match &self.inner {
            Inner::Words(map) => &map.elements,
            Inner::Keyed(map) => &map.entries().shape.elements,
            Inner::Entries(map) => &map.entries().shape.elements,
        }
    }

    pub(crate) fn domain(&self) -> &Domain {
        match &self.inner {
            Inner::Words(map) => map.words.engine.limbo.domain(),
            Inner::Keyed(map) => map.engine.limbo.domain(),
            Inner::Entries(map) => map.engine.limbo.domain(),
        }
    }

    /// Calls `read` with the value of `key`, if it is there: valid for the call, and aligned.
    #[inline]
    pub(crate) fn read<R>(&self, key: &[u8], read: impl FnOnce(*const u8) -> R) -> Option<R> {
        match &self.inner {
            Inner::Words(map) => map.words.engine.get_word(map.word(key)).map(|pair| read(value_in(&pair))),
            Inner::Keyed(map) => {
                let elements = &map.entries().shape.elements;
                // SAFETY: entries that the map shows to the predicate are readable under its pin.
                let is = |entry| elements.equal(unsafe { key_of(map.entries(), entry) }, key);
                map.get_unpinned(elements.hash(key), is).map(|value| read((&raw const value).cast()))
            }
            Inner::Entries(map) => {
                let hash = map.entries().shape.elements.hash(key);
                // SAFETY: as above.
                let is = |entry| unsafe { is_of(map.entries(), entry, hash, key) };
                // SAFETY: as above.
                map.read(hash, is, |entry| read(unsafe { map.entries().value_of(entry) }))
            }
        }
    }

    /// The value of `key`, valid until every guard that the calling thread holds now is gone.
    pub(crate) fn lend(&self, key: &[u8]) -> Result<Option<*const u8>, NoMemory> {
        match &self.inner {
            Inner::Words(map) => {
                let pinned = map.words.engine.pin();
                let Some(pair) = map.words.engine.get(&pinned, &map.word(key)) else { return Ok(None) };
                Ok(Some(map.words.lend(&pinned, pair.value)?.cast()))
            }
            Inner::Keyed(map) => {
                let pinned = map.engine.pin();
                let Some(value) = find_key(map, &pinned, key) else { return Ok(None) };
                Ok(Some(map.lend(&pinned, value)?.cast()))
            }
            Inner::Entries(map) => {
                let pinned = map.engine.pin();
                // SAFETY: readable under the pin.
                Ok(find(map, &pinned, key).map(|entry| unsafe { map.entries().value_of(entry) }.cast_const()))
            }
        }
    }

    /// Does to the entry of `key` what `plan` says, in one atomic step. `plan` gets the present value, aligned, or `None`,
    /// and writes a value to be stored to the target. It is called again when the entry has changed meanwhile. `end` makes
    /// the result of what was done.
    #[inline]
    pub(crate) fn change<R>(
        &self,
        key: &[u8],
        mut plan: impl FnMut(Option<*const u8>, &mut Target<'_, '_, T>) -> Result<Intent, T::Error>,
        end: impl FnOnce(Done) -> R,
    ) -> Result<R, T::Error> {
        match &self.inner {
            Inner::Words(map) => {
                let pinned = map.words.engine.pin();
                let mut rest = Rest::new();
                let change = map.words.engine.change(&pinned, &map.word(key), &mut rest, |old| {
                    plan_word(old.map(|pair| pair.value), &mut plan)
                })?;
                map.words.engine.clean_up(&pinned, change, rest);
                Ok(end(done_of(&change)))
            }
            Inner::Keyed(map) => {
                let pinned = map.engine.pin();
                let elements = &map.entries().shape.elements;
                // SAFETY: entries that the map shows to the predicate are readable under the pin.
                let is = |entry| elements.equal(unsafe { key_of(map.entries(), entry) }, key);
                let make = |draft: &mut Draft<'_, BlobShape<T>>| {
                    let (at, _) = draft.room(key.len())?;
                    // SAFETY: room for the key.
                    unsafe { elements.copy_key(at, key) }?;
                    // SAFETY: made just now.
                    unsafe { draft.own_key() };
                    Ok(())
                };
                let plan = |old| plan_word(old, &mut plan);
                Ok(end(done_of(&map.change(&pinned, elements.hash(key), is, plan, make)?)))
            }
            Inner::Entries(map) => change_entry(map, key, plan, end),
        }
    }

    /// Calls `visit` with the entries of one region, from `first` on; see [`Engine::region`]. Returns where the next one
    /// begins, and how many entries this one had.
    pub(crate) fn visit_region<B>(
        &self,
        first: u64,
        mut visit: impl FnMut(&[u8], *const u8) -> ControlFlow<B>,
    ) -> ControlFlow<B, (Option<u64>, usize)> {
        let mut visited = 0;
        let next = match &self.inner {
            Inner::Words(map) => {
                let pinned = map.words.engine.pin();
                let region = map.words.engine.region(&pinned, first);
                region.try_for_each(map.words.engine.codec(), |pair| {
                    visited += 1;
                    let key = map.words.engine.codec().mixer.unmix(pair.key);
                    visit(map.key_bytes(&key), value_in(&pair))
                })?;
                region.next()
            }
            Inner::Keyed(map) => {
                let pinned = map.engine.pin();
                let region = map.engine.region(&pinned, first);
                region.try_for_each(map.engine.codec(), |pair| {
                    visited += 1;
                    let entry = Keys::<BlobShape<T>>::entry_of(pair.key);
                    // SAFETY: readable under the pin.
                    visit(unsafe { key_of(map.entries(), entry) }, value_in(&pair))
                })?;
                region.next()
            }
            Inner::Entries(map) => {
                let pinned = map.engine.pin();
                let region = map.engine.region(&pinned, first);
                region.try_for_each(map.entries(), |pair| {
                    visited += 1;
                    let entry = EntryMap::<BlobShape<T>>::entry(pair);
                    // SAFETY: readable under the pin.
                    let key = unsafe { key_of(map.entries(), entry) };
                    // SAFETY: readable under the pin.
                    visit(key, unsafe { map.entries().value_of(entry) })
                })?;
                region.next()
            }
        };
        ControlFlow::Continue((next, visited))
    }

    /// Calls `visit` with the entries of some regions, from `first` on, under one pin. Returns where the next one begins.
    pub(crate) fn visit_some<B>(
        &self,
        first: u64,
        mut visit: impl FnMut(&[u8], *const u8) -> ControlFlow<B>,
    ) -> ControlFlow<B, Option<u64>> {
        match &self.inner {
            Inner::Words(map) => {
                let mixer = map.words.mixer;
                map.words.engine.run_of_regions(first, |pair| {
                    let key = mixer.unmix(pair.key);
                    visit(map.key_bytes(&key), value_in(&pair))
                })
            }
            Inner::Keyed(map) => map.engine.run_of_regions(first, |pair| {
                let entry = Keys::<BlobShape<T>>::entry_of(pair.key);
                // SAFETY: readable under the pin.
                visit(unsafe { key_of(map.entries(), entry) }, value_in(&pair))
            }),
            Inner::Entries(map) => map.engine.run_of_regions(first, |pair| {
                let entry = EntryMap::<BlobShape<T>>::entry(pair);
                // SAFETY: readable under the pin.
                let key = unsafe { key_of(map.entries(), entry) };
                // SAFETY: readable under the pin.
                visit(key, unsafe { map.entries().value_of(entry) })
            }),
        }
    }

    /// Removes the entries for which `keep` is false, each only if its value is still the one that `keep` saw; otherwise
    /// `keep` is asked again. Returns how many there were, and the error that ended it early.
    pub(crate) fn retain(
        &self,
        mut keep: impl FnMut(&[u8], *const u8) -> Result<bool, T::Error>,
    ) -> (usize, Result<(), T::Error>) {
        let mut removed = 0;
        let mut cursor = Some(0);
        while let Some(at) = cursor {
            let region = self.visit_region(at, |key, seen| {
                let result = (|| {
                    if keep(key, seen)? {
                        return Ok(());
                    }
                    let plan = |old: Option<*const u8>, _: &mut Target<'_, '_, T>| match old {
                        None => Ok(Intent::Keep),
                        Some(now) if self.is_same(now, seen) => Ok(Intent::Remove),
                        Some(now) => Ok(if keep(key, now)? { Intent::Keep } else { Intent::Remove }),
                    };
                    removed +=
                        self.change(key, plan, |done| usize::from(matches!(done, Done::Removed(_))))?;
                    Ok(())
                })();
                match result {
                    Ok(()) => ControlFlow::Continue(()),
                    Err(error) => ControlFlow::Break(error),
                }
            });
            match region {
                ControlFlow::Continue((next, _)) => cursor = next,
                ControlFlow::Break(error) => return (removed, Err(error)),
            }
        }
        (removed, Ok(()))
    }

    /// Whether two values that were shown under one pin are one: the same entry, or equal words.
    fn is_same(&self, a: *const u8, b: *const u8) -> bool {
        match &self.inner {
            Inner::Words(_) | Inner::Keyed(_) => {
                // SAFETY: it points to a word, of a callback that is still running.
                let a = unsafe { a.cast::<u64>().read() };
                // SAFETY: as above.
                a == unsafe { b.cast::<u64>().read() }
            }
            Inner::Entries(_) => core::ptr::eq(a, b),
        }
    }

    /// Asks for the memory of a key's bucket, so that it is there when an operation comes.
    #[inline]
    pub(crate) fn prefetch(&self, key: &[u8]) {
        match &self.inner {
            Inner::Words(map) => map.words.engine.prefetch(&map.words.engine.pin(), map.word(key).0),
            Inner::Keyed(map) => {
                map.engine.prefetch(&map.engine.pin(), map.entries().shape.elements.hash(key));
            }
            Inner::Entries(map) => map.prefetch(&map.engine.pin(), map.entries().shape.elements.hash(key)),
        }
    }

    /// Asks for the memory of a key's entry, once that of its bucket is there.
    #[inline]
    pub(crate) fn prefetch_entry(&self, pinned: &Pinned, key: &[u8]) {
        match &self.inner {
            Inner::Words(_) => {}
            Inner::Keyed(map) => map.prefetch_key(pinned, map.entries().shape.elements.hash(key)),
            Inner::Entries(map) => map.prefetch_entry(pinned, map.entries().shape.elements.hash(key)),
        }
    }

    /// A pin around many operations, so that they need none of their own.
    pub(crate) fn pin(&self) -> Pinned {
        match &self.inner {
            Inner::Words(map) => map.words.engine.pin(),
            Inner::Keyed(map) => map.engine.pin(),
            Inner::Entries(map) => map.engine.pin(),
        }
    }

    pub(crate) fn clear(&self) -> Result<(), NoMemory> {
        match &self.inner {
            Inner::Words(map) => map.words.engine.clear(|_, _| ()),
            Inner::Keyed(map) => map.clear(),
            Inner::Entries(map) => map.clear(),
        }
    }

    pub(crate) fn reserve(&self, entries: usize) -> Result<(), NoMemory> {
        match &self.inner {
            Inner::Words(map) => map.words.engine.reserve(entries),
            Inner::Keyed(map) => map.engine.reserve(entries),
            Inner::Entries(map) => map.engine.reserve(entries),
        }
    }

    pub(crate) fn shrink(&self) -> Result<(), NoMemory> {
        match &self.inner {
            Inner::Words(map) => map.words.engine.shrink(),
            Inner::Keyed(map) => map.engine.shrink(),
            Inner::Entries(map) => map.engine.shrink(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        match &self.inner {
            Inner::Words(map) => map.words.engine.len(),
            Inner::Keyed(map) => map.engine.len(),
            Inner::Entries(map) => map.engine.len(),
        }
    }

    pub(crate) fn stats(&self) -> Stats {
        match &self.inner {
            Inner::Words(map) => map.words.engine.stats(),
            Inner::Keyed(map) => map.engine.stats(),
            Inner::Entries(map) => map.engine.stats(),
        }
    }
}

impl<T: Elements> SmallMap<T> {
    /// The key under the map's bijection.
    #[inline(always)]
    fn word(&self, key: &[u8]) -> Word {
        self.words.word(word_of(key))
    }

    /// The bytes of a key, aligned as a word.
    fn key_bytes<'a>(&self, word: &'a u64) -> &'a [u8] {
        // SAFETY: a word is at least as long as a key of this map.
        unsafe { core::slice::from_raw_parts(core::ptr::from_ref(word).cast(), self.key_size) }
    }
}

/// The value of a pair of words, as bytes.
fn value_in(pair: &Pair) -> *const u8 {
    (&raw const pair.value).cast()
}

/// # Safety
/// `entry` stays unfreed for `'a`.
unsafe fn key_of<'a, T: Elements>(entries: &Entries<BlobShape<T>>, entry: NonNull<Entry>) -> &'a [u8] {
    // SAFETY: the caller's promise.
    let len = unsafe { entries.shape.key_len(entry) };
    // SAFETY: the caller's promise.
    let key = unsafe { entries.key_of(entry) };
    // SAFETY: the key's bytes, which do not change once the entry is in the map.
    unsafe { core::slice::from_raw_parts(key, len) }
}

fn find_key<T: Elements>(map: &KeyedMap<BlobShape<T>>, pinned: &Pinned, key: &[u8]) -> Option<u64> {
    let elements = &map.entries().shape.elements;
    // SAFETY: entries that the map shows to the predicate are readable under the pin.
    map.get(pinned, elements.hash(key), |entry| elements.equal(unsafe { key_of(map.entries(), entry) }, key))
}

/// Plans a change of a word.
#[inline(always)]
fn plan_word<T: Elements>(
    old: Option<u64>,
    plan: &mut impl FnMut(Option<*const u8>, &mut Target<'_, '_, T>) -> Result<Intent, T::Error>,
) -> Result<Plan, T::Error> {
    let mut word = 0;
    let old = old.as_ref().map(|value| core::ptr::from_ref::<u64>(value).cast());
    Ok(match plan(old, &mut Target(Kind::Word(&mut word)))? {
        Intent::Keep => Plan::Keep,
        Intent::Store => Plan::Store(word),
        Intent::Remove => Plan::Remove,
    })
}

/// What was done to a word.
#[inline(always)]
fn done_of(change: &Change) -> Done {
    match change {
        Change::Kept(old) => Done::Kept(old.as_ref().map(value_in)),
        Change::Inserted => Done::Inserted,
        Change::Replaced(old) => Done::Replaced(value_in(old)),
        Change::Removed(old) => Done::Removed(value_in(old)),
    }
}

fn find<T: Elements>(map: &EntryMap<BlobShape<T>>, pinned: &Pinned, key: &[u8]) -> Option<NonNull<Entry>> {
    let hash = map.entries().shape.elements.hash(key);
    // SAFETY: entries that the map shows to the predicate are readable under the pin.
    map.get(pinned, hash, |entry| unsafe { is_of(map.entries(), entry, hash, key) })
}

/// Whether an entry that has the key word of `hash`, the hash of `key`, is the key's. Looks into the entry only if it must.
///
/// # Safety
/// The entry is not freed.
#[inline]
unsafe fn is_of<T: Elements>(
    entries: &Entries<BlobShape<T>>,
    entry: NonNull<Entry>,
    hash: u64,
    key: &[u8],
) -> bool {
    let elements = &entries.shape.elements;
    // SAFETY: the caller's promise.
    elements.hashes_are_keys() && has_its_own_key_word(hash)
        || elements.equal(unsafe { key_of(entries, entry) }, key)
}

fn change_entry<T: Elements, R>(
    map: &EntryMap<BlobShape<T>>,
    key: &[u8],
    mut plan: impl FnMut(Option<*const u8>, &mut Target<'_, '_, T>) -> Result<Intent, T::Error>,
    end: impl FnOnce(Done) -> R,
) -> Result<R, T::Error> {
    let pinned = map.engine.pin();
    let elements = &map.entries().shape.elements;
    let hash = elements.hash(key);
    // SAFETY: as in `find`.
    let is = |entry| unsafe { is_of(map.entries(), entry, hash, key) };
    let mut draft = map.draft();
    let outcome = map.change(&pinned, hash, is, &mut draft, |old, draft| {
        // SAFETY: readable under the pin.
        let value = old.map(|old| unsafe { map.entries().value_of(old) }.cast_const());
        plan(value, &mut Target(Kind::Entry { draft, elements, key, old }))
    })?;
    // SAFETY: readable under the pin.
    let value = |entry| unsafe { map.entries().value_of(entry) }.cast_const();
    Ok(end(match outcome {
        Outcome::Kept(old) => Done::Kept(old.map(value)),
        Outcome::Inserted(_) => Done::Inserted,
        Outcome::Replaced(old, _) => Done::Replaced(value(old)),
        Outcome::Removed(old) => Done::Removed(value(old)),
    }))
}
