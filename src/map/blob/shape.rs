//! How entries of run-time elements lie in memory.

use core::alloc::Layout;
use core::ptr::NonNull;

use crate::map::entry::{Entry, Shape};
use crate::mem::NoMemory;
use crate::reclaim::Link;

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

    /// Whether values are copied and forgotten as bytes.
    fn values_are_plain(&self) -> bool;

    fn hash(&self, key: &[u8]) -> u64;

    /// Whether keys with equal hashes are equal, so that keys need not be compared.
    fn hashes_are_keys(&self) -> bool;

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
pub(super) struct BlobShape<T> {
    pub(super) elements: T,
    /// The size of keys; `None` for byte strings.
    key_size: Option<usize>,
    value: usize,
    key: usize,
    align: usize,
    /// Whether the place of the value holds a hash, which is not dropped.
    keys_only: bool,
}

impl<T: Elements> BlobShape<T> {
    pub(super) fn new(elements: T) -> Result<Self, NoMemory> {
        let value = elements.value_layout();
        Self::with_value(elements, value, false)
    }

    /// For entries that hold keys, and their hashes in the place of values; aligned so that the low bits of addresses are
    /// free.
    pub(super) fn of_keys(elements: T) -> Result<Self, NoMemory> {
        let mut shape = Self::with_value(elements, Layout::new::<u64>(), true)?;
        shape.align = shape.align.max(16);
        Ok(shape)
    }

    fn with_value(elements: T, value: Layout, keys_only: bool) -> Result<Self, NoMemory> {
        let key = elements.key_layout();
        let head = match key {
            Some(_) => Layout::new::<Link>(),
            None => Layout::new::<(Link, usize)>(),
        };
        let (layout, value_at) = head.extend(value).map_err(|_| NoMemory)?;
        let bytes = Layout::new::<u8>();
        let (layout, key_at) = layout.extend(key.unwrap_or(bytes)).map_err(|_| NoMemory)?;
        Ok(Self {
            elements,
            key_size: key.map(|key| key.size()),
            value: value_at,
            key: key_at,
            align: layout.align(),
            keys_only,
        })
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
        if self.keys_only {
            return;
        }
        // SAFETY: the caller's promise.
        unsafe { self.elements.drop_value(value) };
    }
}
