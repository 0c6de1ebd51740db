//! The traits of a queue that make it a collection, and its end. Iterators are in `iter`; what threads may do with a queue is
//! said beside its type.

use core::fmt;

use super::{Queue, RawQueue};
use crate::mem::Typed;

/// Drops what is in a queue, and goes on with the rest when a destructor panics. A second panic ends the process, as it
/// does in a vector.
fn drop_elements<T>(raw: &mut RawQueue<Typed<T>>) {
    struct Rest<'a, T>(&'a mut RawQueue<Typed<T>>);
    impl<T> Drop for Rest<'_, T> {
        fn drop(&mut self) {
            // SAFETY: the engine hands each element over once.
            self.0.drain(|element| unsafe { element.cast::<T>().drop_in_place() });
        }
    }
    if core::mem::needs_drop::<T>() {
        let rest = Rest(raw);
        // SAFETY: as above. `rest` takes over if this panics, and finds nothing if it does not.
        rest.0.drain(|element| unsafe { element.cast::<T>().drop_in_place() });
    }
}

impl<T> Drop for Queue<T> {
    fn drop(&mut self) {
        drop_elements(&mut self.raw);
    }
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Extend<T> for Queue<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, elements: I) {
        elements.into_iter().for_each(|element| self.push(element));
    }
}

impl<T> FromIterator<T> for Queue<T> {
    fn from_iter<I: IntoIterator<Item = T>>(elements: I) -> Self {
        let mut queue = Self::new();
        queue.extend(elements);
        queue
    }
}

impl<T> fmt::Debug for Queue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").field("len", &self.len()).finish_non_exhaustive()
    }
}
