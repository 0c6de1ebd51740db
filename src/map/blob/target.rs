//! Where an operation writes the value that it stores.

use core::ptr::NonNull;

use super::shape::{BlobShape, Elements};
use crate::map::draft::Draft;
use crate::map::entry::Entry;

/// Where an operation writes the value that it stores.
pub(crate) struct Target<'a, 'b, T: Elements>(pub(super) Kind<'a, 'b, T>);

pub(super) enum Kind<'a, 'b, T: Elements> {
    Word(&'a mut u64),
    Entry {
        draft: &'a mut Draft<'b, BlobShape<T>>,
        elements: &'a T,
        key: &'a [u8],
        old: Option<NonNull<Entry>>,
    },
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
