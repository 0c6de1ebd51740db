//! An entry that is being written.

use core::ptr::NonNull;

use super::entry::{Entries, Entry, Shape};
use crate::mem::{Allocator, NoMemory};
use crate::reclaim::Link;

/// A part of a draft.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// Uninitialised, or bytes that stay somebody else's: nothing to be done.
    Foreign,
    /// Bytes taken over from the entry that the draft is to replace.
    Lent,
    /// Live, and to be ended if the draft is not published.
    Own,
}

/// An entry that is being written and may come to nothing. Dropping it ends what it owns.
pub(super) struct Draft<'a, S: Shape> {
    entries: &'a Entries<S>,
    allocator: &'a Allocator,
    block: Option<(NonNull<Entry>, usize)>,
    key: Part,
    value: Part,
}

impl<'a, S: Shape> Draft<'a, S> {
    pub(super) fn new(entries: &'a Entries<S>, allocator: &'a Allocator) -> Self {
        Self { entries, allocator, block: None, key: Part::Foreign, value: Part::Foreign }
    }

    /// Makes room for an entry with a key of `key_len` bytes, unless there is room of this size already. Returns where
    /// key and value are to be written. What the draft owned before stays, if the room does; else it is ended.
    pub(super) fn room(&mut self, key_len: usize) -> Result<(*mut u8, *mut u8), NoMemory> {
        if self.block.is_none_or(|(_, len)| len != key_len) {
            self.reset();
            let layout = self.entries.shape.layout(key_len)?;
            let entry = self.allocator.allocate(layout)?.cast::<Entry>();
            // SAFETY: fresh memory that begins with an entry.
            unsafe { entry.write(Entry { link: Link::new() }) };
            // SAFETY: private, of this layout.
            unsafe { self.entries.shape.set_key_len(entry, key_len) };
            self.block = Some((entry, key_len));
        }
        let entry = self.entry();
        // SAFETY: not freed.
        let key = unsafe { self.entries.key_of(entry) };
        // SAFETY: not freed.
        Ok((key, unsafe { self.entries.value_of(entry) }))
    }

    fn entry(&self) -> NonNull<Entry> {
        self.block.expect("`room` comes first").0
    }

    /// Where the value is to be written.
    pub(super) fn value(&self) -> *mut u8 {
        // SAFETY: not freed.
        unsafe { self.entries.value_of(self.entry()) }
    }

    /// The key of another entry of the map.
    ///
    /// # Safety
    /// `entry` is not freed.
    pub(super) unsafe fn key_of(&self, entry: NonNull<Entry>) -> *mut u8 {
        // SAFETY: the caller's promise.
        unsafe { self.entries.key_of(entry) }
    }

    /// Whether the key's bytes were taken over.
    pub(super) fn lends_key(&self) -> bool {
        self.key == Part::Lent
    }

    /// Whether the key is live and the draft's own.
    pub(super) fn owns_key(&self) -> bool {
        self.key == Part::Own
    }

    /// The key was written, and ends with the draft unless that is published.
    ///
    /// # Safety
    /// It is live, and nobody else will end it.
    pub(super) unsafe fn own_key(&mut self) {
        self.key = Part::Own;
    }

    /// The key's bytes were taken over from the entry that is to be replaced; that entry is retired without its key then.
    ///
    /// # Safety
    /// They were, from the entry that `plan` was called with.
    pub(super) unsafe fn lend_key(&mut self) {
        debug_assert!(self.key != Part::Own);
        self.key = Part::Lent;
    }

    /// The value was written, and ends with the draft unless that is published.
    ///
    /// # Safety
    /// It is live, and nobody else will end it.
    pub(super) unsafe fn own_value(&mut self) {
        self.value = Part::Own;
    }

    /// Gives up the value, if it is the draft's own: the caller takes the bytes that are at the result, before it uses the
    /// draft again.
    pub(super) fn take_value(&mut self) -> Option<*mut u8> {
        let own = core::mem::replace(&mut self.value, Part::Foreign) == Part::Own;
        // SAFETY: not freed.
        own.then(|| unsafe { self.entries.value_of(self.entry()) })
    }

    /// Ends the key, if it is the draft's own, so that another can be written.
    pub(super) fn end_key(&mut self) {
        let own = core::mem::replace(&mut self.key, Part::Foreign) == Part::Own;
        if let (true, Some((entry, _))) = (own, self.block) {
            // SAFETY: not freed.
            let key = unsafe { self.entries.key_of(entry) };
            // SAFETY: live and ours; marked as gone above.
            unsafe { self.entries.shape.drop_key(key) };
        }
    }

    /// Ends the value, if it is the draft's own, so that another can be written.
    pub(super) fn end_value(&mut self) {
        let own = core::mem::replace(&mut self.value, Part::Foreign) == Part::Own;
        if let (true, Some((entry, _))) = (own, self.block) {
            // SAFETY: not freed.
            let value = unsafe { self.entries.value_of(entry) };
            // SAFETY: live and ours; marked as gone above.
            unsafe { self.entries.shape.drop_value(value) };
        }
    }

    pub(super) fn word(&self) -> u64 {
        self.entry().as_ptr().expose_provenance() as u64
    }

    /// The entry is the map's now, with all that is in it.
    pub(super) fn publish(&mut self) -> NonNull<Entry> {
        let entry = self.entry();
        self.block = None;
        self.key = Part::Foreign;
        self.value = Part::Foreign;
        entry
    }

    fn reset(&mut self) {
        let own = |part: &mut Part| core::mem::replace(part, Part::Foreign) == Part::Own;
        let (key, value) = (own(&mut self.key), own(&mut self.value));
        if let Some((entry, _)) = self.block.take() {
            // SAFETY: never published; what is marked as own is live.
            unsafe { self.entries.end(self.allocator, entry, key, value) };
        }
    }
}

impl<S: Shape> Drop for Draft<'_, S> {
    fn drop(&mut self) {
        self.reset();
    }
}
