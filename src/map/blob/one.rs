//! Operations on one key: its value is read, lent, or changed in one step.

use core::ptr::NonNull;

use super::shape::BlobShape;
use super::target::{Kind, Target};
use super::{BlobMap, Done, Elements, Inner, key_of, value_in};
use crate::map::change::Rest;
use crate::map::draft::Draft;
use crate::map::entry::{Entries, Entry, EntryMap, Intent, Outcome};
use crate::map::hash::has_its_own_key_word;
use crate::map::keyed::KeyedMap;
use crate::map::plan::{Change, Plan};
use crate::mem::NoMemory;
use crate::reclaim::Pinned;

impl<T: Elements> BlobMap<T> {
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
