//! The codec of small entries: keys and values of at most eight bytes, in the cells themselves.
//!
//! The key word is the key under a seeded bijection, so that it is the key's hash at the same time; the value word is the
//! value. Nothing is allocated for an entry, and nothing retired.

use core::alloc::Layout;
use core::ptr::NonNull;

use super::bucket::{Pair, Probe, WordProbe};
use super::engine::Engine;
use super::hash::Mixer;
use super::memory::{CODEC, Codec, Memory};
use super::plan::{Change, Plan};
use crate::mem::{Allocator, NoMemory};
use crate::options::Options;
use crate::reclaim::{Limbo, Link, Pinned};

/// See the module's text.
pub(super) struct Words {
    pub(super) mixer: Mixer,
}

/// A map from words to words.
pub(crate) struct WordMap {
    pub(super) engine: Engine<Words>,
    /// As the codec's; nearer.
    pub(super) mixer: Mixer,
}

impl WordMap {
    pub(super) fn new(seed: u64, capacity: usize, options: &Options) -> Result<Self, NoMemory> {
        let (domain, allocator) = options.resolve()?;
        let mixer = Mixer::new(seed);
        Ok(Self { engine: Engine::new(&domain, allocator, Words { mixer }, capacity)?, mixer })
    }

    #[inline(always)]
    pub(super) fn word(&self, key: u64) -> Word {
        Word(self.mixer.mix(key))
    }

    /// A value that lives as long as the guards that the calling thread holds.
    pub(super) fn lend(&self, pinned: &Pinned, value: u64) -> Result<*const u64, NoMemory> {
        Lent::lend(&self.engine.limbo, pinned, value, CODEC)
    }

    /// The value of `key`.
    #[inline(always)]
    pub(crate) fn get(&self, key: u64) -> Option<u64> {
        self.engine.get_word(self.word(key)).map(|pair| pair.value)
    }

    /// Stores what `new` makes of the present value, if anything. Returns the present value.
    #[inline(always)]
    fn store(&self, key: u64, new: impl Fn(Option<u64>) -> Option<u64>) -> Result<Option<u64>, NoMemory> {
        let done = self.engine.change_word(self.word(key), |old| {
            new(old.map(|pair| pair.value)).map_or(Plan::Keep, Plan::Store)
        })?;
        Ok(before(done))
    }

    /// Inserts `key`, if it is not there. Returns the present value if it is.
    #[inline]
    pub(crate) fn insert(&self, key: u64, value: u64) -> Result<Option<u64>, NoMemory> {
        self.store(key, |old| if old.is_some() { None } else { Some(value) })
    }

    /// Inserts `key` or replaces its value. Returns the replaced one.
    #[inline]
    pub(crate) fn upsert(&self, key: u64, value: u64) -> Result<Option<u64>, NoMemory> {
        self.store(key, |_| Some(value))
    }

    /// Replaces the value of `key`, if it is there. Returns the replaced one.
    #[inline]
    pub(crate) fn replace(&self, key: u64, value: u64) -> Result<Option<u64>, NoMemory> {
        self.store(key, |old| old.and(Some(value)))
    }

    /// Replaces the value of `key` by `desired`, if it is `expected`. Returns the value before.
    #[inline]
    pub(crate) fn compare_exchange(
        &self,
        key: u64,
        expected: u64,
        desired: u64,
    ) -> Result<Option<u64>, NoMemory> {
        self.store(key, |old| if old == Some(expected) { Some(desired) } else { None })
    }

    /// Adds to the value of `key`, which counts as 0 if it is not there. Returns the value before.
    #[inline]
    pub(crate) fn fetch_add(&self, key: u64, delta: u64) -> Result<u64, NoMemory> {
        let before = self.store(key, |old| Some(old.unwrap_or(0).wrapping_add(delta)))?;
        Ok(before.unwrap_or(0))
    }

    /// Removes `key`. Returns its value.
    #[inline]
    pub(crate) fn remove(&self, key: u64) -> Result<Option<u64>, NoMemory> {
        Ok(before(self.engine.change_word(self.word(key), |_| Plan::Remove)?))
    }
}

/// The value that was there before a change.
#[inline(always)]
fn before(change: Change) -> Option<u64> {
    match change {
        Change::Kept(pair) => pair.map(|pair| pair.value),
        Change::Inserted => None,
        Change::Replaced(pair) | Change::Removed(pair) => Some(pair.value),
    }
}

/// What a reference into a map of words refers to: a word of its own, which lives as long as the guard.
#[repr(C)]
pub(super) struct Lent {
    link: Link,
    value: u64,
}

impl Lent {
    const LAYOUT: Layout = Layout::new::<Self>();

    /// Frees a lent word that was retired.
    ///
    /// # Safety
    /// As [`Dispose::dispose`](crate::reclaim::Dispose::dispose).
    pub(super) unsafe fn release(block: *mut Link, allocator: &Allocator) {
        // SAFETY: not null.
        let block = unsafe { NonNull::new_unchecked(block.cast::<u8>()) };
        // SAFETY: made in `Lent::lend`, retired once; its time has come.
        unsafe { allocator.release(block, Self::LAYOUT) };
    }

    /// A copy of `value`, retired with `kind`, that lives until `pinned`, and all that were pinned before this call, are gone.
    pub(super) fn lend<C: Codec>(
        limbo: &Limbo<Memory<C>>,
        pinned: &Pinned,
        value: u64,
        kind: u8,
    ) -> Result<*const u64, NoMemory> {
        let lent = limbo.memory().allocator.allocate(Self::LAYOUT)?.cast::<Self>();
        // SAFETY: fresh memory of this layout.
        unsafe { lent.write(Self { link: Link::new(), value }) };
        // SAFETY: in bounds.
        let value = unsafe { &raw const (*lent.as_ptr()).value };
        // SAFETY: it starts with a link; nobody but the caller, who is pinned, ever learns of it.
        unsafe { limbo.retire(pinned, lent.as_ptr().cast(), kind, Self::LAYOUT.size()) };
        Ok(value)
    }
}

// SAFETY: the only blocks of this codec are lent words, which are plain memory.
unsafe impl Codec for Words {
    const OWNS: bool = false;

    #[inline]
    fn position(&self, key: u64) -> u64 {
        key
    }

    fn block(&self, _entry: Pair) -> *const u8 {
        core::ptr::null()
    }

    unsafe fn dispose(&self, allocator: &Allocator, block: *mut Link, _kind: u8) {
        // SAFETY: the caller's promise.
        unsafe { Lent::release(block, allocator) };
    }

    unsafe fn discard(&self, _allocator: &Allocator, _entry: Pair) {}
}

/// A key under the map's bijection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Word(pub(super) u64);

impl Probe for Word {
    const EXACT: bool = true;

    #[inline(always)]
    fn position(&self) -> u64 {
        self.0
    }

    #[inline(always)]
    fn may_be(&self, key: u64) -> bool {
        key == self.0
    }

    #[inline(always)]
    unsafe fn is(&self, _entry: Pair) -> bool {
        true
    }

    #[inline(always)]
    fn key(&self) -> u64 {
        self.0
    }
}

impl WordProbe for Word {}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::reclaim::Domain;

    /// Else the bucket's entries would all come to live in overflow nodes.
    #[test]
    fn the_cells_of_removed_keys_are_used_again() {
        let map = WordMap::new(7, 0, &Options::new().domain(&Domain::new().unwrap())).unwrap();
        let empty = map.engine.stats().bytes;
        for image in 2..20 {
            let key = map.mixer.unmix(image);
            assert_eq!((map.insert(key, 1), map.engine.stats().bytes), (Ok(None), empty));
            assert_eq!(map.remove(key), Ok(Some(1)));
        }
    }

    /// With all cells in use, updates claim the free lane, bring values home, and exchange the spare lane with the header.
    #[test]
    fn threads_add_to_the_values_of_a_full_bucket() {
        let each = if cfg!(miri) { 20 } else { 4_000_000 };
        let map = WordMap::new(7, 0, &Options::new().domain(&Domain::new().unwrap())).unwrap();
        let keys: [u64; 7] = core::array::from_fn(|image| map.mixer.unmix(image as u64 + 2));
        for key in keys {
            assert_eq!(map.insert(key, 0), Ok(None));
        }
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let (map, keys) = (&map, &keys);
                scope.spawn(move || {
                    for i in 0..each {
                        // Mostly the thread's own, so that different lanes are wanted.
                        let key = if i % 4 == 0 { keys[i % 7] } else { keys[thread] };
                        map.fetch_add(key, 1).unwrap();
                    }
                });
            }
        });
        assert_eq!(keys.map(|key| map.get(key).unwrap()).iter().sum::<u64>(), 4 * each as u64);
    }

    /// Those that mark cells: an entry of such a key lives in an overflow node, beside others in cells.
    #[test]
    fn keys_whose_images_are_marks() {
        let map = WordMap::new(7, 0, &Options::new().domain(&Domain::new().unwrap())).unwrap();
        // All in the first bucket.
        let keys = [0, 1, 2, 3, 4].map(|image| map.mixer.unmix(image));
        for (key, value) in keys.into_iter().zip(10..) {
            assert_eq!((map.get(key), map.insert(key, value)), (None, Ok(None)));
            assert_eq!((map.get(key), map.insert(key, 0)), (Some(value), Ok(Some(value))));
        }
        for (key, value) in keys.into_iter().zip(10..) {
            assert_eq!(map.upsert(key, value + 10), Ok(Some(value)));
            assert_eq!((map.remove(key), map.get(key)), (Ok(Some(value + 10)), None));
        }
        assert_eq!(map.engine.len(), 0);
    }
}
