//! The map of elements that are described at run time: one face over the three ways to keep entries. What is done to one key
//! is in `one`, what is done to all entries in `all`.

mod all;
mod one;
mod shape;
mod target;

use core::alloc::Layout;
use core::ptr::NonNull;

use self::shape::BlobShape;
pub(crate) use self::shape::Elements;
use super::bucket::Pair;
use super::entry::{Entries, Entry, EntryMap, Shape};
use super::hash::word_of;
use super::keyed::KeyedMap;
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
