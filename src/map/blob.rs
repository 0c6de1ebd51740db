//! The map of elements that are described at run time: one face over the two codecs.

use core::alloc::Layout;
use core::ops::ControlFlow;
use core::ptr::NonNull;

use super::change::{Change, Plan};
use super::engine::Engine;
use super::entry::{Draft, Entry, EntryMap, Intent, Outcome, Shape};
use super::hash::Mixer;
use super::resize::Stats;
use super::words::{Lent, Word, Words};
use crate::mem::NoMemory;
use crate::options::Options;
use crate::reclaim::{Domain, Link, Pinned};

/// What a map must know of its keys and values.
///
/// # Safety
/// Layouts are the same at each call. The functions may be called from any thread until the map is dropped, `drop_key`
/// and `drop_value` also after it was leaked.
pub(crate) unsafe trait Elements: Send + Sync + 'static {
    /// What a function here may fail with.
    type Error: From<NoMemory>;

    /// The layout of keys; `None` for byte strings of any length.
    fn key_layout(&self) -> Option<Layout>;

    /// The layout of values.
    fn value_layout(&self) -> Layout;

    /// Whether keys are compared by their bytes, and keys and values are copied and forgotten as bytes.
    fn are_plain(&self) -> bool;

    fn hash(&self, key: &[u8]) -> u64;

    fn equal(&self, a: &[u8], b: &[u8]) -> bool;

    /// Whether a key owns something, so that its bytes alone are no second key.
    fn keys_own(&self) -> bool;

    /// Makes the map's own copy of a key.
    ///
    /// # Safety
    /// `to` has room for the key.
    unsafe fn copy_key(&self, to: *mut u8, key: &[u8]) -> Result<(), Self::Error>;

    /// # Safety
    /// `key` is a live key that nobody uses any more.
    unsafe fn drop_key(&self, key: *mut u8);

    /// # Safety
    /// `value` is a live value that nobody uses any more.
    unsafe fn drop_value(&self, value: *mut u8);
}

/// Entries of such elements: `Entry │ key length, for byte strings │ value │ key`.
struct BlobShape<T> {
    elements: T,
    /// The size of keys; `None` for byte strings.
    key_size: Option<usize>,
    value: usize,
    key: usize,
    align: usize,
}

impl<T: Elements> BlobShape<T> {
    fn new(elements: T) -> Result<Self, NoMemory> {
        let key = elements.key_layout();
        let head = match key {
            Some(_) => Layout::new::<Link>(),
            None => Layout::new::<(Link, usize)>(),
        };
        let (layout, value_at) = head.extend(elements.value_layout()).map_err(|_| NoMemory)?;
        let bytes = Layout::new::<u8>();
        let (layout, key_at) = layout.extend(key.unwrap_or(bytes)).map_err(|_| NoMemory)?;
        Ok(Self { elements, key_size: key.map(|key| key.size()), value: value_at, key: key_at, align: layout.align() })
    }
}

// SAFETY: the offsets were computed by `Layout::extend`; the drops are those of `Elements`, whose promise they are.
unsafe impl<T: Elements> Shape for BlobShape<T> {
    fn layout(&self, key_len: usize) -> Result<Layout, NoMemory> {
        let size = self.key.checked_add(key_len).ok_or(NoMemory)?;
        Layout::from_size_align(size, self.align).map_err(|_| NoMemory)
    }

    fn value(&self) -> usize {
        self.value
    }

    fn key(&self) -> usize {
        self.key
    }

    unsafe fn set_key_len(&self, entry: NonNull<Entry>, key_len: usize) {
        if self.key_size.is_none() {
            // SAFETY: the layout has a word behind the link.
            let at = unsafe { entry.cast::<u8>().add(size_of::<Link>()) };
            // SAFETY: private, aligned as the link is.
            unsafe { at.cast::<usize>().write(key_len) };
        }
    }

    unsafe fn key_len(&self, entry: NonNull<Entry>) -> usize {
        self.key_size.unwrap_or_else(|| {
            // SAFETY: as in `set_key_len`.
            let at = unsafe { entry.cast::<u8>().add(size_of::<Link>()) };
            // SAFETY: written while the entry was private, never after.
            unsafe { at.cast::<usize>().read() }
        })
    }

    unsafe fn drop_key(&self, key: *mut u8) {
        // SAFETY: the caller's promise.
        unsafe { self.elements.drop_key(key) };
    }

    unsafe fn drop_value(&self, value: *mut u8) {
        // SAFETY: the caller's promise.
        unsafe { self.elements.drop_value(value) };
    }
}

/// A map of run-time elements.
pub(crate) struct BlobMap<T: Elements> {
    inner: Inner<T>,
}

enum Inner<T: Elements> {
    Words(WordMap<T>),
    Entries(EntryMap<BlobShape<T>>),
}

struct WordMap<T> {
    engine: Engine<Words>,
    elements: T,
    key_size: usize,
}

/// What an operation of a map did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    Kept,
    Inserted,
    Replaced,
    Removed,
}

/// Where an operation writes the value that it stores.
pub(crate) struct Target<'a, 'b, T: Elements>(Kind<'a, 'b, T>);

enum Kind<'a, 'b, T: Elements> {
    Word(&'a mut u64),
    Entry { draft: &'a mut Draft<'b, BlobShape<T>>, elements: &'a T, key: &'a [u8], old: Option<NonNull<Entry>> },
}

impl<T: Elements> Target<'_, '_, T> {
    /// Room for the value, aligned. A value that is there from an earlier call, and marked as owned, is ended.
    pub(crate) fn value(&mut self) -> Result<*mut u8, T::Error> {
        match &mut self.0 {
            Kind::Word(word) => Ok(core::ptr::from_mut::<u64>(word).cast()),
            Kind::Entry { draft, elements, key, old } => {
                draft.end_value();
                let len = key.len();
                let (key_at, value_at) = draft.room(len)?;
                match old {
                    Some(old) if elements.keys_own() => {
                        draft.end_key();
                        // SAFETY: the entry that is to be replaced is readable under the pin.
                        let from = unsafe { draft.key_of(*old) };
                        // SAFETY: such keys have one size, and there is room for it.
                        unsafe { key_at.copy_from_nonoverlapping(from, len) };
                        // SAFETY: just taken over.
                        unsafe { draft.lend_key() };
                    }
                    _ if draft.owns_key() => {}
                    _ => {
                        // SAFETY: room for the key.
                        unsafe { elements.copy_key(key_at, key) }?;
                        // SAFETY: made just now.
                        unsafe { draft.own_key() };
                    }
                }
                Ok(value_at)
            }
        }
    }

    /// The value was made for this operation: if it is not stored in the end, it is dropped.
    ///
    /// # Safety
    /// It was written to where [`Target::value`] said, and nobody else will end it.
    pub(crate) unsafe fn own_value(&mut self) {
        if let Kind::Entry { draft, .. } = &mut self.0 {
            // SAFETY: the caller's promise.
            unsafe { draft.own_value() };
        }
    }
}

impl<T: Elements> BlobMap<T> {
    pub(crate) fn new(elements: T, seed: u64, capacity: usize, options: &Options) -> Result<Self, NoMemory> {
        let word = |layout: Layout| layout.size() <= 8 && layout.align() <= 8;
        let inner = match elements.key_layout() {
            Some(key) if elements.are_plain() && word(key) && word(elements.value_layout()) => {
                let (domain, allocator) = options.resolve();
                let engine = Engine::new(&domain, allocator, Words { mixer: Mixer::new(seed) }, capacity)?;
                Inner::Words(WordMap { engine, elements, key_size: key.size() })
            }
            _ => Inner::Entries(EntryMap::new(BlobShape::new(elements)?, capacity, options)?),
        };
        Ok(Self { inner })
    }

    #[inline]
    pub(crate) fn elements(&self) -> &T {
        match &self.inner {
            Inner::Words(map) => &map.elements,
            Inner::Entries(map) => &map.entries().shape.elements,
        }
    }

    pub(crate) fn domain(&self) -> &Domain {
        match &self.inner {
            Inner::Words(map) => map.engine.limbo.domain(),
            Inner::Entries(map) => map.engine.limbo.domain(),
        }
    }

    /// Calls `read` with the value of `key`, if it is there: valid for the call, and aligned.
    #[inline]
    pub(crate) fn read<R>(&self, key: &[u8], read: impl FnOnce(*const u8) -> R) -> Option<R> {
        match &self.inner {
            Inner::Words(map) => {
                let pinned = map.engine.pin();
                let word = map.word(key);
                map.engine.get(&pinned, &word).map(|pair| read((&raw const pair.value).cast()))
            }
            Inner::Entries(map) => {
                let pinned = map.engine.pin();
                // SAFETY: readable under the pin.
                find(map, &pinned, key).map(|entry| read(unsafe { map.entries().value_of(entry) }))
            }
        }
    }

    /// The value of `key`, valid until every guard that the calling thread holds now is gone.
    pub(crate) fn lend(&self, key: &[u8]) -> Result<Option<*const u8>, NoMemory> {
        match &self.inner {
            Inner::Words(map) => {
                let pinned = map.engine.pin();
                let Some(pair) = map.engine.get(&pinned, &map.word(key)) else { return Ok(None) };
                Ok(Some(Lent::new(&map.engine.limbo, &pinned, pair.value)?.cast()))
            }
            Inner::Entries(map) => {
                let pinned = map.engine.pin();
                // SAFETY: readable under the pin.
                Ok(find(map, &pinned, key).map(|entry| unsafe { map.entries().value_of(entry) }.cast_const()))
            }
        }
    }

    /// Does to the entry of `key` what `plan` says, in one atomic step. `plan` gets the present value, aligned, or `None`,
    /// and writes a value to be stored to the target. It is called again when the entry has changed meanwhile.
    #[inline]
    pub(crate) fn change(
        &self,
        key: &[u8],
        mut plan: impl FnMut(Option<*const u8>, &mut Target<'_, '_, T>) -> Result<Intent, T::Error>,
    ) -> Result<Done, T::Error> {
        match &self.inner {
            Inner::Words(map) => {
                let pinned = map.engine.pin();
                let done = map.engine.change(&pinned, &map.word(key), |old| {
                    let mut word = 0;
                    let old = old.map(|pair| pair.value);
                    let old = old.as_ref().map(|value| core::ptr::from_ref::<u64>(value).cast());
                    Ok::<_, T::Error>(match plan(old, &mut Target(Kind::Word(&mut word)))? {
                        Intent::Keep => Plan::Keep,
                        Intent::Store => Plan::Store(word),
                        Intent::Remove => Plan::Remove,
                    })
                })?;
                Ok(match done.finish() {
                    Change::Kept(_) => Done::Kept,
                    Change::Inserted => Done::Inserted,
                    Change::Replaced(_) => Done::Replaced,
                    Change::Removed(_) => Done::Removed,
                })
            }
            Inner::Entries(map) => change_entry(map, key, plan),
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
                let pinned = map.engine.pin();
                let region = map.engine.region(&pinned, first);
                region.try_for_each(map.engine.codec(), |pair| {
                    visited += 1;
                    let key = map.engine.codec().mixer.unmix(pair.key);
                    visit(map.key_bytes(&key), (&raw const pair.value).cast())
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
                    let (key, value) = unsafe { (key_of(map, entry), map.entries().value_of(entry)) };
                    visit(key, value)
                })?;
                region.next()
            }
        };
        ControlFlow::Continue((next, visited))
    }

    pub(crate) fn clear(&self) -> Result<(), NoMemory> {
        match &self.inner {
            Inner::Words(map) => map.engine.clear(|_, _| ()),
            Inner::Entries(map) => map.clear(),
        }
    }

    pub(crate) fn reserve(&self, entries: usize) -> Result<(), NoMemory> {
        match &self.inner {
            Inner::Words(map) => map.engine.reserve(entries),
            Inner::Entries(map) => map.engine.reserve(entries),
        }
    }

    pub(crate) fn shrink(&self) -> Result<(), NoMemory> {
        match &self.inner {
            Inner::Words(map) => map.engine.shrink(),
            Inner::Entries(map) => map.engine.shrink(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        match &self.inner {
            Inner::Words(map) => map.engine.len(),
            Inner::Entries(map) => map.engine.len(),
        }
    }

    pub(crate) fn stats(&self) -> Stats {
        match &self.inner {
            Inner::Words(map) => map.engine.stats(),
            Inner::Entries(map) => map.engine.stats(),
        }
    }
}

impl<T: Elements> WordMap<T> {
    /// The key under the map's bijection. Shorter keys are padded with zeros.
    #[inline(always)]
    fn word(&self, key: &[u8]) -> Word {
        let key = match <[u8; 8]>::try_from(key) {
            Ok(bytes) => u64::from_ne_bytes(bytes),
            Err(_) => short_word(key),
        };
        Word(self.engine.codec().mixer.mix(key))
    }

    /// The bytes of a key, aligned as a word.
    fn key_bytes<'a>(&self, word: &'a u64) -> &'a [u8] {
        // SAFETY: a word is at least as long as a key of this map.
        unsafe { core::slice::from_raw_parts(core::ptr::from_ref(word).cast(), self.key_size) }
    }
}

fn short_word(key: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    bytes[..key.len()].copy_from_slice(key);
    u64::from_ne_bytes(bytes)
}

/// # Safety
/// `entry` stays unfreed for `'a`.
unsafe fn key_of<'a, T: Elements>(map: &EntryMap<BlobShape<T>>, entry: NonNull<Entry>) -> &'a [u8] {
    // SAFETY: the caller's promise.
    let len = unsafe { map.entries().shape.key_len(entry) };
    // SAFETY: the caller's promise.
    let key = unsafe { map.entries().key_of(entry) };
    // SAFETY: the key's bytes, which do not change once the entry is in the map.
    unsafe { core::slice::from_raw_parts(key, len) }
}

fn find<T: Elements>(map: &EntryMap<BlobShape<T>>, pinned: &Pinned, key: &[u8]) -> Option<NonNull<Entry>> {
    let elements = &map.entries().shape.elements;
    // SAFETY: entries that the map shows to the predicate are readable under the pin.
    map.get(pinned, elements.hash(key), |entry| elements.equal(unsafe { key_of(map, entry) }, key))
}

fn change_entry<T: Elements>(
    map: &EntryMap<BlobShape<T>>,
    key: &[u8],
    mut plan: impl FnMut(Option<*const u8>, &mut Target<'_, '_, T>) -> Result<Intent, T::Error>,
) -> Result<Done, T::Error> {
    let pinned = map.engine.pin();
    let elements = &map.entries().shape.elements;
    // SAFETY: as in `find`.
    let is = |entry| elements.equal(unsafe { key_of(map, entry) }, key);
    let mut draft = map.draft();
    let outcome = map.change(&pinned, elements.hash(key), is, &mut draft, |old, draft| {
        // SAFETY: readable under the pin.
        let value = old.map(|old| unsafe { map.entries().value_of(old) }.cast_const());
        plan(value, &mut Target(Kind::Entry { draft, elements, key, old }))
    })?;
    Ok(match outcome {
        Outcome::Kept(_) => Done::Kept,
        Outcome::Inserted(_) => Done::Inserted,
        Outcome::Replaced(..) => Done::Replaced,
        Outcome::Removed(_) => Done::Removed,
    })
}
