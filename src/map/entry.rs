//! The codec of entries of any size: a cell holds the key's hash and a pointer to an immutable block.
//!
//! ```text
//!  Entry { link │ key length, if it varies │ value │ key }      the offsets are the shape's
//! ```
//!
//! An entry is written while it is private (a [`Draft`]), published by one header change, and retired by the thread whose
//! header change takes it out. Migrations copy the pointer; they never look at the entry.
//!
//! *Keys that are their hashes.* Plain keys of at most eight bytes are hashed one to one, so that a cell's key word tells the
//! key, and a lookup waits for the bucket and the value only. The entry has the key all the same, for those who walk.
//!
//! *Keys that are moved on.* A new value for a present key needs a new entry with the same key. If the operation has no
//! key of its own to give, the new entry takes the key's bytes over, and the old one is retired without its key. The old
//! entry's readers go on reading their bytes; what those own is ended with the new entry, whose grace period begins
//! later and so covers them.

use core::alloc::Layout;
use core::ptr::NonNull;

use super::bucket::{Pair, Probe};
use super::change::Rest;
use super::draft::Draft;
use super::engine::{Engine, prefetch, prefetch_block};
use super::hash::as_key_word;
use super::memory::{CODEC, Codec};
use super::plan::{Change, Plan};
use crate::mem::{Allocator, NoMemory};
use crate::options::Options;
use crate::reclaim::{Link, Pinned};

/// A retired entry whose key and value end with it.
const WHOLE: u8 = CODEC;
/// A retired entry whose key lives on in the entry that replaced it.
const WITHOUT_KEY: u8 = CODEC + 1;

/// The head of every entry; the rest is laid out by the [`Shape`].
#[repr(C)]
pub(super) struct Entry {
    pub(super) link: Link,
}

/// How the entries of a map are laid out, and what ends the life of keys and values.
///
/// # Safety
/// `layout(len)` begins with an [`Entry`], and has room, aligned, for a key of `len` bytes at `key` and a value at `value`;
/// the functions must give the same results each time. `drop_key` and `drop_value` meet what
/// [`Dispose`](crate::reclaim::Dispose) asks for.
pub(super) unsafe trait Shape: Send + Sync + 'static {
    /// The layout of an entry with a key of `key_len` bytes.
    fn layout(&self, key_len: usize) -> Result<Layout, NoMemory>;

    /// The offset of the value.
    fn value(&self) -> usize;

    /// The offset of the key.
    fn key(&self) -> usize;

    /// Writes the length of the key into an entry, if it varies.
    ///
    /// # Safety
    /// `entry` has the layout for it and is private.
    unsafe fn set_key_len(&self, entry: NonNull<Entry>, key_len: usize);

    /// The length of an entry's key.
    ///
    /// # Safety
    /// `entry` is one of this shape, with its length set.
    unsafe fn key_len(&self, entry: NonNull<Entry>) -> usize;

    /// Ends the life of a key.
    ///
    /// # Safety
    /// `key` is a live key that nobody uses any more.
    unsafe fn drop_key(&self, key: *mut u8);

    /// Ends the life of a value.
    ///
    /// # Safety
    /// `value` is a live value that nobody uses any more.
    unsafe fn drop_value(&self, value: *mut u8);
}

/// See the module's text.
pub(super) struct Entries<S> {
    pub(super) shape: S,
}

impl<S: Shape> Entries<S> {
    /// The value of an entry.
    ///
    /// # Safety
    /// `entry` is not freed.
    #[inline]
    pub(super) unsafe fn value_of(&self, entry: NonNull<Entry>) -> *mut u8 {
        // SAFETY: the caller's promise, and that of the shape.
        unsafe { entry.as_ptr().cast::<u8>().add(self.shape.value()) }
    }

    /// The key of an entry.
    ///
    /// # Safety
    /// `entry` is not freed.
    #[inline]
    pub(super) unsafe fn key_of(&self, entry: NonNull<Entry>) -> *mut u8 {
        // SAFETY: the caller's promise, and that of the shape.
        unsafe { entry.as_ptr().cast::<u8>().add(self.shape.key()) }
    }

    /// Ends what is marked of an entry's contents, then frees it.
    ///
    /// # Safety
    /// Nobody uses the entry any more; what is marked is live; this is the only call for it.
    pub(super) unsafe fn end(&self, allocator: &Allocator, entry: NonNull<Entry>, key: bool, value: bool) {
        /// Frees the block also when a destructor panics.
        struct Free<'a>(&'a Allocator, NonNull<Entry>, Layout);
        impl Drop for Free<'_> {
            fn drop(&mut self) {
                // SAFETY: the promise of `end`; the layout is that of the allocation.
                unsafe { self.0.release(self.1.cast(), self.2) };
            }
        }
        // SAFETY: the caller's promise.
        let len = unsafe { self.shape.key_len(entry) };
        let layout = self.shape.layout(len).expect("it was allocated with this layout");
        let _free = Free(allocator, entry, layout);
        if value {
            // SAFETY: the caller's promise.
            let at = unsafe { self.value_of(entry) };
            // SAFETY: the caller's promise.
            unsafe { self.shape.drop_value(at) };
        }
        if key {
            // SAFETY: the caller's promise.
            let at = unsafe { self.key_of(entry) };
            // SAFETY: the caller's promise.
            unsafe { self.shape.drop_key(at) };
        }
    }
}

fn entry_of(pair: Pair) -> NonNull<Entry> {
    let entry = core::ptr::with_exposed_provenance_mut(pair.value as usize);
    // SAFETY: value words of this codec come from `Draft::word`: addresses of entries.
    unsafe { NonNull::new_unchecked(entry) }
}

// SAFETY: what is run are the shape's `drop_key` and `drop_value`, whose promise it is.
unsafe impl<S: Shape> Codec for Entries<S> {
    const OWNS: bool = true;

    #[inline]
    fn position(&self, key: u64) -> u64 {
        key
    }

    #[inline]
    fn block(&self, entry: Pair) -> *const u8 {
        core::ptr::without_provenance((entry.value as usize).wrapping_add(self.shape.value()))
    }

    unsafe fn dispose(&self, allocator: &Allocator, block: *mut Link, kind: u8) {
        // SAFETY: never null.
        let entry = unsafe { NonNull::new_unchecked(block.cast::<Entry>()) };
        // SAFETY: retired with this kind, once; its time has come.
        unsafe { self.end(allocator, entry, kind == WHOLE, true) };
    }

    unsafe fn discard(&self, allocator: &Allocator, entry: Pair) {
        // SAFETY: the caller's promise.
        unsafe { self.end(allocator, entry_of(entry), true, true) };
    }
}

/// Looks for an entry by hash and a predicate.
struct EntryProbe<F> {
    hash: u64,
    is: F,
}

impl<F: Fn(NonNull<Entry>) -> bool> Probe for EntryProbe<F> {
    const EXACT: bool = false;

    #[inline]
    fn position(&self) -> u64 {
        self.hash
    }

    #[inline]
    fn may_be(&self, key: u64) -> bool {
        key == self.hash
    }

    #[inline]
    unsafe fn is(&self, entry: Pair) -> bool {
        (self.is)(entry_of(entry))
    }

    #[inline]
    fn key(&self) -> u64 {
        self.hash
    }
}

/// What an operation wants, given what is there. As [`Plan`], with the entry in the draft.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Intent {
    Keep,
    /// Insert the draft, or replace the present entry by it.
    Store,
    Remove,
}

/// What an operation did; the entries are readable until the pin ends.
#[derive(Clone, Copy, Debug)]
pub(super) enum Outcome {
    Kept(Option<NonNull<Entry>>),
    /// The new entry.
    Inserted(NonNull<Entry>),
    /// The old entry and the new one.
    Replaced(NonNull<Entry>, NonNull<Entry>),
    Removed(NonNull<Entry>),
}

/// A map of entries.
pub(super) struct EntryMap<S: Shape> {
    pub(super) engine: Engine<Entries<S>>,
}

impl<S: Shape> EntryMap<S> {
    pub(super) fn new(shape: S, capacity: usize, options: &Options) -> Result<Self, NoMemory> {
        let (domain, allocator) = options.resolve()?;
        Ok(Self { engine: Engine::new(&domain, allocator, Entries { shape }, capacity)? })
    }

    pub(super) fn entries(&self) -> &Entries<S> {
        self.engine.codec()
    }

    /// The entry with this hash for which `is` holds; readable until the pin ends.
    #[inline]
    pub(super) fn get(
        &self,
        pinned: &Pinned,
        hash: u64,
        is: impl Fn(NonNull<Entry>) -> bool,
    ) -> Option<NonNull<Entry>> {
        let probe = EntryProbe { hash: as_key_word(hash), is };
        self.engine.get(pinned, &probe).map(entry_of)
    }

    /// What `read` makes of the entry with this hash for which `is` holds; both run under a pin.
    #[inline]
    pub(super) fn read<R>(
        &self,
        hash: u64,
        is: impl Fn(NonNull<Entry>) -> bool,
        read: impl FnOnce(NonNull<Entry>) -> R,
    ) -> Option<R> {
        let probe = EntryProbe { hash: as_key_word(hash), is };
        self.engine.get_by_sight(&probe, |pair| read(entry_of(pair)))
    }

    /// See [`Engine::prefetch`].
    #[inline]
    pub(super) fn prefetch(&self, pinned: &Pinned, hash: u64) {
        self.engine.prefetch(pinned, as_key_word(hash));
    }

    /// Asks for the memory of an entry, once that of its bucket is there.
    #[inline]
    pub(super) fn prefetch_entry(&self, pinned: &Pinned, hash: u64) {
        let probe = EntryProbe { hash: as_key_word(hash), is: |_| false };
        if let Some(pair) = self.engine.guess(pinned, &probe) {
            // The words may be of no entry: an address, and no more.
            let shape = &self.entries().shape;
            let begin = shape.key().min(shape.value());
            let block = self.entries().block(pair).wrapping_sub(shape.value()).wrapping_add(begin);
            prefetch_block(block, shape.key().max(shape.value()) + 1 - begin);
        }
    }

    /// A draft for one change.
    pub(super) fn draft(&self) -> Draft<'_, S> {
        Draft::new(self.engine.codec(), self.engine.allocator())
    }

    /// As [`Engine::change`], with `plan` writing what it stores into the draft. What was taken out is retired. If the
    /// draft was not stored it still holds what was written to it.
    pub(super) fn change<E: From<NoMemory>>(
        &self,
        pinned: &Pinned,
        hash: u64,
        is: impl Fn(NonNull<Entry>) -> bool,
        draft: &mut Draft<'_, S>,
        mut plan: impl FnMut(Option<NonNull<Entry>>, &mut Draft<'_, S>) -> Result<Intent, E>,
    ) -> Result<Outcome, E> {
        let probe = EntryProbe { hash: as_key_word(hash), is };
        let mut rest = Rest::new();
        let change = self.engine.change(pinned, &probe, &mut rest, |old| {
            if let Some(old) = old {
                // Retiring it will write to it; its line comes while the new one is made.
                prefetch(entry_of(old).as_ptr());
            }
            Ok::<_, E>(match plan(old.map(entry_of), draft)? {
                Intent::Keep => Plan::Keep,
                Intent::Store => Plan::Store(draft.word()),
                Intent::Remove => Plan::Remove,
            })
        })?;
        let shared = draft.lends_key();
        let outcome = match change {
            Change::Kept(old) => Outcome::Kept(old.map(entry_of)),
            Change::Inserted => Outcome::Inserted(draft.publish()),
            Change::Replaced(old) => Outcome::Replaced(entry_of(old), draft.publish()),
            Change::Removed(old) => Outcome::Removed(entry_of(old)),
        };
        let (old, new, kind) = match outcome {
            Outcome::Kept(_) => (None, None, WHOLE),
            Outcome::Inserted(new) => (None, Some(new), WHOLE),
            Outcome::Replaced(old, new) => (Some(old), Some(new), if shared { WITHOUT_KEY } else { WHOLE }),
            Outcome::Removed(old) => (Some(old), None, WHOLE),
        };
        let bytes = |entry: Option<NonNull<Entry>>| entry.map_or(0, |entry| self.bytes(entry));
        let (taken, put) = (bytes(old), bytes(new));
        if taken != put {
            self.engine.count_bytes(pinned, put.cast_signed() - taken.cast_signed());
        }
        if let Some(old) = old {
            // SAFETY: this operation's header change took it out of the map, where it was once.
            unsafe { self.engine.limbo.retire(pinned, old.as_ptr().cast(), kind, taken) };
        }
        self.engine.clean_up(pinned, change, rest);
        Ok(outcome)
    }

    /// The size of an entry, which is readable.
    fn bytes(&self, entry: NonNull<Entry>) -> usize {
        let shape = &self.entries().shape;
        // SAFETY: entries that the caller has under its pin.
        let len = unsafe { shape.key_len(entry) };
        shape.layout(len).map_or(0, |layout| layout.size())
    }

    /// Takes out every entry; see [`Engine::clear`].
    pub(super) fn clear(&self) -> Result<(), NoMemory> {
        self.engine.clear(|pinned, pair| {
            let bytes = self.bytes(entry_of(pair));
            self.engine.count_bytes(pinned, -bytes.cast_signed());
            // SAFETY: the header change that called this took it out of the map, where it was once.
            unsafe { self.engine.limbo.retire(pinned, entry_of(pair).as_ptr().cast(), WHOLE, bytes) };
        })
    }

    /// The entry behind a pair of a region.
    pub(super) fn entry(pair: Pair) -> NonNull<Entry> {
        entry_of(pair)
    }
}
