//! The codec of large keys with small values: a cell holds a pointer to an immutable key, and the value itself.
//!
//! ```text
//!  key word    63        48 47                          4 3    0
//!             ┌────────────┬─────────────────────────────┬──────┐
//!             │ tag, 16 bit│ address of the key's entry   │ tag  │        lane: the value
//!             └────────────┴─────────────────────────────┴──────┘
//!  Entry { link │ key length, if it varies │ hash │ key }
//! ```
//!
//! The key's entry is allocated when the key is inserted and retired when it is removed. What happens in between to the
//! value, counting above all, is the words' business: no allocation and no retirement. The tag is twenty bits of the hash;
//! a lookup follows the pointer only where they agree, and then compares the whole hash and the key.
//!
//! The entry is an [`Entry`] whose value is the hash, so that migrations and scans can ask for it. They look at entries
//! that a valid cell, or a cell that is frozen and not yet MOVED, held while they were pinned. That is a cache miss for each;
//! so the tag's bits are those, from the thirteenth on, that tell to which child an entry of a table of 2^12 buckets and
//! more goes when that grows. The fewer of them are left to tell entries of a bucket apart: eight in a table of 2^24.

use core::cell::Cell;
use core::ptr::NonNull;

use super::bucket::{Pair, Probe};
use super::change::Rest;
use super::draft::Draft;
use super::engine::{Engine, prefetch};
use super::entry::{Entries, Entry, Shape};
use super::memory::{CODEC, Codec};
use super::plan::{Change, Plan};
use super::words::Lent;
use crate::mem::{Allocator, NoMemory};
use crate::options::Options;
use crate::reclaim::{Link, Pinned};

/// A retired key.
const KEY: u8 = CODEC;
/// A lent value.
const LENT: u8 = CODEC + 1;

const ADDRESS: u64 = ((1 << 48) - 1) & !15;

/// The bits of a hash that are its tag: twenty, from this one on.
const TAG_SHIFT: u32 = 32;
/// The bits above the tag, and those above its end.
const ABOVE: u32 = 12;
const UP_TO: u32 = 32;

/// The tag of a hash, where it stands in a key word.
#[inline(always)]
const fn tag(hash: u64) -> u64 {
    let tag = hash >> TAG_SHIFT;
    (tag << 48) | (tag >> 16 & 15)
}

/// The bits of the tag of a key word, where they stand in the hash; the others are 0.
#[inline(always)]
const fn untag(key: u64) -> u64 {
    (key >> 48 | (key & 15) << 16) << TAG_SHIFT
}

const _: () =
    assert!(untag(tag(u64::MAX)) == 0xf_ffff << TAG_SHIFT && ABOVE + 20 == UP_TO && UP_TO + TAG_SHIFT == 64);

/// See the module's text.
pub(super) struct Keys<S>(pub(super) Entries<S>);

impl<S: Shape> Keys<S> {
    #[inline(always)]
    pub(super) fn entry_of(key: u64) -> NonNull<Entry> {
        let entry = core::ptr::with_exposed_provenance_mut((key & ADDRESS) as usize);
        // SAFETY: key words of this codec are made in `KeyedMap::change`, of addresses of entries.
        unsafe { NonNull::new_unchecked(entry) }
    }

    /// The hash of a key.
    ///
    /// # Safety
    /// `entry` is not freed.
    #[inline(always)]
    unsafe fn hash_of(&self, entry: NonNull<Entry>) -> u64 {
        // SAFETY: the caller's promise.
        let hash = unsafe { self.0.value_of(entry) };
        // SAFETY: written while the entry was a draft, and never after.
        unsafe { hash.cast::<u64>().read() }
    }
}

// SAFETY: what is run is the shape's `drop_key`, whose promise it is.
unsafe impl<S: Shape> Codec for Keys<S> {
    const OWNS: bool = true;

    #[inline]
    fn position(&self, key: u64) -> u64 {
        // SAFETY: the engine asks for entries that were in the map since the calling thread pinned, or of a map that
        // nobody else uses.
        unsafe { self.hash_of(Self::entry_of(key)) }
    }

    #[inline]
    fn position_near(&self, key: u64, near: u64, known: u32, bits: u32) -> u64 {
        if known >= ABOVE && bits <= UP_TO {
            return near & !(u64::MAX >> ABOVE) | untag(key);
        }
        self.position(key)
    }

    #[inline]
    fn block(&self, entry: Pair) -> *const u8 {
        core::ptr::without_provenance(((entry.key & ADDRESS) as usize).wrapping_add(self.0.shape.value()))
    }

    unsafe fn dispose(&self, allocator: &Allocator, block: *mut Link, kind: u8) {
        if kind == LENT {
            // SAFETY: the caller's promise.
            return unsafe { Lent::release(block, allocator) };
        }
        // SAFETY: never null.
        let entry = unsafe { NonNull::new_unchecked(block.cast::<Entry>()) };
        // SAFETY: retired once; its time has come.
        unsafe { self.0.end(allocator, entry, true, false) };
    }

    unsafe fn discard(&self, allocator: &Allocator, entry: Pair) {
        // SAFETY: the caller's promise.
        unsafe { self.0.end(allocator, Self::entry_of(entry.key), true, false) };
    }
}

/// Looks for a key by hash and a predicate.
struct KeyProbe<'a, S, F> {
    keys: &'a Keys<S>,
    hash: u64,
    is: F,
    /// The key word to be inserted; there is one before a plan stores where nothing is.
    word: Cell<u64>,
}

impl<S: Shape, F: Fn(NonNull<Entry>) -> bool> Probe for KeyProbe<'_, S, F> {
    const EXACT: bool = false;

    #[inline(always)]
    fn position(&self) -> u64 {
        self.hash
    }

    #[inline(always)]
    fn may_be(&self, key: u64) -> bool {
        (key ^ tag(self.hash)) & !ADDRESS == 0
    }

    #[inline(always)]
    unsafe fn is(&self, entry: Pair) -> bool {
        let entry = Keys::<S>::entry_of(entry.key);
        // SAFETY: the caller's promise, and its pin.
        self.hash == unsafe { self.keys.hash_of(entry) } && (self.is)(entry)
    }

    #[inline(always)]
    fn key(&self) -> u64 {
        self.word.get()
    }
}

/// A map of large keys and word values.
pub(super) struct KeyedMap<S: Shape> {
    pub(super) engine: Engine<Keys<S>>,
}

impl<S: Shape> KeyedMap<S> {
    /// The shape's value is the hash: eight bytes, aligned.
    pub(super) fn new(shape: S, capacity: usize, options: &Options) -> Result<Self, NoMemory> {
        let (domain, allocator) = options.resolve()?;
        Ok(Self { engine: Engine::new(&domain, allocator, Keys(Entries { shape }), capacity)? })
    }

    pub(super) fn entries(&self) -> &Entries<S> {
        &self.engine.codec().0
    }

    fn probe<F: Fn(NonNull<Entry>) -> bool>(&self, hash: u64, is: F) -> KeyProbe<'_, S, F> {
        KeyProbe { keys: self.engine.codec(), hash, is, word: Cell::new(0) }
    }

    /// The value of the key with this hash for which `is` holds.
    #[inline]
    pub(super) fn get(&self, pinned: &Pinned, hash: u64, is: impl Fn(NonNull<Entry>) -> bool) -> Option<u64> {
        self.engine.get(pinned, &self.probe(hash, is)).map(|pair| pair.value)
    }

    /// As [`KeyedMap::get`], for a caller without a pin.
    #[inline]
    pub(super) fn get_unpinned(&self, hash: u64, is: impl Fn(NonNull<Entry>) -> bool) -> Option<u64> {
        self.engine.get_by_sight(&self.probe(hash, is), |pair| pair.value)
    }

    /// Asks for the memory of a key, once that of its bucket is there.
    #[inline]
    pub(super) fn prefetch_key(&self, pinned: &Pinned, hash: u64) {
        if let Some(pair) = self.engine.guess(pinned, &self.probe(hash, |_| false)) {
            prefetch(self.engine.codec().block(pair));
        }
    }

    /// A value that lives as long as the guards that the calling thread holds.
    pub(super) fn lend(&self, pinned: &Pinned, value: u64) -> Result<*const u64, NoMemory> {
        Lent::lend(&self.engine.limbo, pinned, value, LENT)
    }

    /// As [`Engine::change`]. `make` writes the key into a draft, once, when it is to be inserted; it must be given room of
    /// sixteen-aligned memory, which the shape sees to.
    #[inline]
    pub(super) fn change<E: From<NoMemory>>(
        &self,
        pinned: &Pinned,
        hash: u64,
        is: impl Fn(NonNull<Entry>) -> bool,
        mut plan: impl FnMut(Option<u64>) -> Result<Plan, E>,
        mut make: impl FnMut(&mut Draft<'_, S>) -> Result<(), E>,
    ) -> Result<Change, E> {
        let probe = self.probe(hash, is);
        let mut draft = Draft::new(self.entries(), self.engine.allocator());
        let mut rest = Rest::new();
        let change = self.engine.change(pinned, &probe, &mut rest, |old| {
            let what = plan(old.map(|pair| pair.value))?;
            if let (Plan::Store(_), None) = (what, old)
                && probe.word.get() == 0
            {
                make(&mut draft)?;
                let address = draft.word();
                if address & !ADDRESS != 0 {
                    // As for nodes: an address that cannot be named.
                    return Err(NoMemory.into());
                }
                // SAFETY: the draft's, and written before it is published.
                unsafe { draft.value().cast::<u64>().write(hash) };
                probe.word.set(address | tag(hash));
            }
            Ok::<_, E>(what)
        })?;
        match change {
            Change::Inserted => {
                let entry = draft.publish();
                self.engine.count_bytes(pinned, self.bytes(entry).cast_signed());
            }
            // SAFETY: this operation's header change took it out of the map, where it was once.
            Change::Removed(old) => unsafe { self.retire(pinned, old) },
            Change::Kept(_) | Change::Replaced(_) => {}
        }
        self.engine.clean_up(pinned, change, rest);
        Ok(change)
    }

    /// # Safety
    /// The calling thread's change took the entry out of the map.
    unsafe fn retire(&self, pinned: &Pinned, old: Pair) {
        let entry = Keys::<S>::entry_of(old.key);
        let bytes = self.bytes(entry);
        self.engine.count_bytes(pinned, -bytes.cast_signed());
        // SAFETY: the caller's promise.
        unsafe { self.engine.limbo.retire(pinned, entry.as_ptr().cast(), KEY, bytes) };
    }

    fn bytes(&self, entry: NonNull<Entry>) -> usize {
        let shape = &self.entries().shape;
        // SAFETY: entries that the caller has under its pin.
        let len = unsafe { shape.key_len(entry) };
        shape.layout(len).map_or(0, |layout| layout.size())
    }

    /// Takes out every entry; see [`Engine::clear`].
    pub(super) fn clear(&self) -> Result<(), NoMemory> {
        // SAFETY: the header change that called this took the entry out of the map.
        self.engine.clear(|pinned, pair| unsafe { self.retire(pinned, pair) })
    }
}
