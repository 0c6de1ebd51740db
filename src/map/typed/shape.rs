//! How entries of Rust types lie in memory, and how a key gets there.

use core::alloc::Layout;
use core::cell::Cell;
use core::marker::PhantomData;
use core::mem::{MaybeUninit, needs_drop, offset_of};
use core::ptr::NonNull;

use crate::map::entry::{Entry, Shape};
use crate::mem::NoMemory;
use crate::reclaim::Link;

/// An entry as it lies in memory.
#[repr(C)]
pub(super) struct Typed<K, V> {
    link: Link,
    pub(super) value: V,
    pub(super) key: K,
}

pub(super) struct TypedShape<K, V>(pub(super) PhantomData<fn() -> (K, V)>);

// SAFETY: offsets and layout are the compiler's own. The drops run on any thread, also after a leaked map: `Map` demands
// `Send` and `'static`.
unsafe impl<K: Send + Sync + 'static, V: Send + Sync + 'static> Shape for TypedShape<K, V> {
    #[inline]
    fn layout(&self, _key_len: usize) -> Result<Layout, NoMemory> {
        Ok(Layout::new::<Typed<K, V>>())
    }

    #[inline]
    fn value(&self) -> usize {
        offset_of!(Typed<K, V>, value)
    }

    #[inline]
    fn key(&self) -> usize {
        offset_of!(Typed<K, V>, key)
    }

    #[inline]
    unsafe fn set_key_len(&self, _entry: NonNull<Entry>, _key_len: usize) {}

    #[inline]
    unsafe fn key_len(&self, _entry: NonNull<Entry>) -> usize {
        size_of::<K>()
    }

    #[inline]
    unsafe fn drop_key(&self, key: *mut u8) {
        if needs_drop::<K>() {
            // SAFETY: the caller's promise.
            unsafe { key.cast::<K>().drop_in_place() };
        }
    }

    #[inline]
    unsafe fn drop_value(&self, value: *mut u8) {
        if needs_drop::<V>() {
            // SAFETY: the caller's promise.
            unsafe { value.cast::<V>().drop_in_place() };
        }
    }
}

/// A key that an operation brings along, and that moves into the entry once there is one. It can be compared with wherever
/// it is: what compares it may be code that changes it.
pub(super) struct OwnedKey<K> {
    /// Holds the key while `moved` is `None`.
    here: MaybeUninit<K>,
    moved: Cell<Option<NonNull<K>>>,
}

impl<K> OwnedKey<K> {
    pub(super) fn new(key: K) -> Self {
        Self { here: MaybeUninit::new(key), moved: Cell::new(None) }
    }

    pub(super) fn get(&self) -> &K {
        match self.moved.get() {
            // SAFETY: not moved.
            None => unsafe { self.here.assume_init_ref() },
            // SAFETY: the promise of `move_to`.
            Some(at) => unsafe { at.as_ref() },
        }
    }

    /// # Safety
    /// `to` is writable, and the key stays there, live, as long as this is used.
    pub(super) unsafe fn move_to(&self, to: NonNull<K>) {
        // SAFETY: the caller's promise; `here` is not used any more after the next line.
        unsafe { to.copy_from_nonoverlapping(NonNull::from(&self.here).cast(), 1) };
        self.moved.set(Some(to));
    }
}

impl<K> Drop for OwnedKey<K> {
    fn drop(&mut self) {
        if self.moved.get().is_none() {
            // SAFETY: not moved, and not used after this.
            unsafe { self.here.assume_init_drop() };
        }
    }
}
