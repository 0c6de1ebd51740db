//! What the map's functions share: the description of keys and values, and the way of values out of the map.

use core::alloc::Layout;
use core::ffi::c_void;
use core::mem::MaybeUninit;
use core::ptr::NonNull;

use super::element::{Element, conex_clone_fn};
use super::map::{conex_equal_fn, conex_hash_fn};
use super::status::conex_status::{self, *};
use crate::map::{ByteHash, Elements, Mixer, spread, word_of};

/// The keys and values of a map.
pub(super) struct KeysAndValues {
    /// `None`: byte strings.
    pub(super) key: Option<Element>,
    pub(super) value: Element,
    pub(super) hash: conex_hash_fn,
    pub(super) equal: conex_equal_fn,
    pub(super) ctx: *mut c_void,
    pub(super) seed: u64,
    pub(super) hasher: Hasher,
}

/// How the map hashes keys, unless the user does.
pub(super) enum Hasher {
    /// Keys of at most eight bytes: one to one.
    Word(Mixer),
    Bytes(ByteHash),
}

impl Hasher {
    pub(super) fn new(key: Option<&Element>, seed: u64) -> Self {
        match key {
            // The bytes of a clone may differ from those of its original.
            Some(key) if key.layout.size() <= 8 && key.clone.is_none() => Self::Word(Mixer::new(seed)),
            _ => Self::Bytes(ByteHash::new(seed)),
        }
    }
}

// SAFETY: the callbacks and their contexts are declared callable from any thread by the header.
unsafe impl Send for KeysAndValues {}
// SAFETY: as above.
unsafe impl Sync for KeysAndValues {}

impl KeysAndValues {
    /// Whether values are bytes: copied by `memcpy`, and forgotten.
    #[inline(always)]
    pub(super) fn values_are_bytes(&self) -> bool {
        self.value.drop.is_none() && self.value.clone.is_none()
    }
}

/// The status that a callback has returned; 0 is the only good one.
pub(super) fn from_callback(status: i32) -> Result<(), conex_status> {
    const KNOWN: [conex_status; 6] = [
        CONEX_ERR_NULL,
        CONEX_ERR_INVALID,
        CONEX_ERR_NO_MEMORY,
        CONEX_ERR_HANDLE,
        CONEX_ERR_STALLED,
        CONEX_ERR_PANIC,
    ];
    if status == 0 {
        return Ok(());
    }
    Err(KNOWN.into_iter().find(|known| *known as i32 == status).unwrap_or(CONEX_ERR_INVALID))
}

/// Makes a copy by `clone`.
///
/// # Safety
/// `to` has room for an element, and `from` is one.
unsafe fn call_clone(
    clone: conex_clone_fn,
    to: *mut u8,
    from: *const u8,
    ctx: *mut c_void,
) -> Result<(), conex_status> {
    let clone = clone.expect("asked before");
    // SAFETY: the header's contract for the callback, and the caller's promise.
    from_callback(unsafe { clone(to.cast(), from.cast(), ctx) })
}

// SAFETY: the fields are never written after `conex_map_new`; what the callbacks may do is in the header.
unsafe impl Elements for KeysAndValues {
    type Error = conex_status;

    fn key_layout(&self) -> Option<Layout> {
        self.key.map(|key| key.layout)
    }

    fn value_layout(&self) -> Layout {
        self.value.layout
    }

    fn are_plain(&self) -> bool {
        self.hash.is_none() && !self.keys_own() && self.values_are_bytes()
    }

    fn values_are_plain(&self) -> bool {
        self.values_are_bytes()
    }

    #[inline]
    fn hash(&self, key: &[u8]) -> u64 {
        match self.hash {
            None => match &self.hasher {
                Hasher::Word(mixer) => mixer.mix(word_of(key)),
                Hasher::Bytes(bytes) => bytes.hash(key),
            },
            // SAFETY: the header's contract for the callback.
            Some(hash) => spread(unsafe { hash(key.as_ptr().cast(), key.len(), self.seed, self.ctx) }),
        }
    }

    #[inline]
    fn hashes_are_keys(&self) -> bool {
        self.hash.is_none() && matches!(self.hasher, Hasher::Word(_))
    }

    #[inline]
    fn equal(&self, a: &[u8], b: &[u8]) -> bool {
        match self.equal {
            None => a == b,
            // SAFETY: the header's contract for the callback.
            Some(equal) => unsafe { equal(a.as_ptr().cast(), a.len(), b.as_ptr().cast(), b.len(), self.ctx) },
        }
    }

    fn keys_own(&self) -> bool {
        self.key.is_some_and(|key| key.clone.is_some())
    }

    unsafe fn copy_key(&self, to: *mut u8, key: &[u8]) -> Result<(), conex_status> {
        match self.key {
            // SAFETY: the caller's promise.
            Some(Element { clone: clone @ Some(_), ctx, .. }) => unsafe {
                call_clone(clone, to, key.as_ptr(), ctx)
            },
            _ => {
                // SAFETY: the caller's promise.
                unsafe { to.copy_from_nonoverlapping(key.as_ptr(), key.len()) };
                Ok(())
            }
        }
    }

    unsafe fn drop_key(&self, key: *mut u8) {
        if let Some(element) = self.key {
            // SAFETY: the caller's promise.
            unsafe { element.drop(key) };
        }
    }

    unsafe fn drop_value(&self, value: *mut u8) {
        // SAFETY: the caller's promise.
        unsafe { self.value.drop(value) };
    }
}

/// Copies the bytes of an element.
///
/// # Safety
/// `from` is readable and `to` writable for an element; they do not overlap.
#[inline(always)]
pub(super) unsafe fn copy(layout: Layout, from: *const u8, to: *mut u8) {
    if layout.size() == 8 {
        // SAFETY: the caller's promise.
        let word = unsafe { from.cast::<u64>().read_unaligned() };
        // SAFETY: the caller's promise.
        unsafe { to.cast::<u64>().write_unaligned(word) };
    } else {
        // SAFETY: the caller's promise.
        unsafe { to.copy_from_nonoverlapping(from, layout.size()) };
    }
}

/// A value outside of any map, aligned, that is dropped with this if it is live.
pub(super) struct Temp<'a> {
    element: &'a Element,
    small: MaybeUninit<[u128; 4]>,
    large: Option<NonNull<u8>>,
    live: bool,
}

impl<'a> Temp<'a> {
    pub(super) fn new(element: &'a Element) -> Self {
        Self { element, small: MaybeUninit::uninit(), large: None, live: false }
    }

    /// Where the value is.
    pub(super) fn at(&mut self) -> Result<*mut u8, conex_status> {
        let layout = self.element.layout;
        if layout.size() <= size_of_val(&self.small) && layout.align() <= align_of_val(&self.small) {
            return Ok(self.small.as_mut_ptr().cast());
        }
        if self.large.is_none() {
            // SAFETY: elements have a size.
            self.large = NonNull::new(unsafe { std::alloc::alloc(layout) });
        }
        self.large.map(NonNull::as_ptr).ok_or(CONEX_ERR_NO_MEMORY)
    }

    /// Whether the value has to be dropped with this.
    ///
    /// # Safety
    /// If so, there is one.
    pub(super) unsafe fn set_made(&mut self, live: bool) {
        debug_assert_ne!(self.live, live, "made twice, or never");
        self.live = live;
    }

    /// Drops the value, if it is live.
    fn end(&mut self) {
        if core::mem::replace(&mut self.live, false)
            && let Ok(at) = self.at()
        {
            // SAFETY: live, and ours.
            unsafe { self.element.drop(at) };
        }
    }
}

impl Drop for Temp<'_> {
    fn drop(&mut self) {
        self.end();
        if let Some(large) = self.large {
            // SAFETY: allocated in `at` with this layout.
            unsafe { std::alloc::dealloc(large.as_ptr(), self.element.layout) };
        }
    }
}

/// The way of one value out of the map into an optional out-parameter: by `clone` before the operation takes effect, so
/// that a failure can stop it, or as bytes afterwards.
pub(super) struct Out<'a> {
    element: &'a Element,
    to: *mut u8,
    cloned: Option<Temp<'a>>,
}

impl<'a> Out<'a> {
    /// `CONEX_ERR_INVALID` if a value is asked for and cannot be copied.
    #[inline]
    pub(super) fn new(element: &'a Element, to: *mut c_void) -> Result<Self, conex_status> {
        if !to.is_null() && element.drop.is_some() && element.clone.is_none() {
            return Err(CONEX_ERR_INVALID);
        }
        Ok(Self { element, to: to.cast(), cloned: None })
    }

    /// The operation is about to take effect, and this is the value that would come out. May be called again.
    ///
    /// # Safety
    /// `from` is a value of the map.
    #[inline]
    pub(super) unsafe fn prepare(&mut self, from: *const u8) -> Result<(), conex_status> {
        if self.to.is_null() || self.element.clone.is_none() {
            return Ok(());
        }
        let temp = self.cloned.get_or_insert_with(|| Temp::new(self.element));
        temp.end();
        let at = temp.at()?;
        // SAFETY: room for an element; the caller's promise.
        unsafe { call_clone(self.element.clone, at, from, self.element.ctx) }?;
        temp.live = true;
        Ok(())
    }

    /// The operation has taken effect, and this is the value that comes out.
    ///
    /// # Safety
    /// It is the one that `prepare` was last called with; the out-parameter is null or writable for an element.
    #[inline]
    pub(super) unsafe fn finish(&mut self, from: *const u8) {
        if self.to.is_null() {
            return;
        }
        match &mut self.cloned {
            None => {
                debug_assert!(self.element.clone.is_none());
                // SAFETY: the caller's promise.
                unsafe { copy(self.element.layout, from, self.to) };
            }
            Some(temp) => {
                if let Ok(at) = temp.at() {
                    // SAFETY: the caller's promise.
                    unsafe { copy(self.element.layout, at, self.to) };
                    temp.live = false;
                }
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use core::ptr;

    use super::*;
    use crate::ffi::map::{conex_map_destroy, conex_map_new, conex_map_options};
    use crate::ffi::map_read::conex_map_get;
    use crate::ffi::map_write::{conex_map_insert, conex_map_remove};

    /// Where hashes stand for keys, those hashes that share a key word with another one do not.
    #[test]
    fn keys_whose_hashes_share_a_word_are_kept_apart() {
        const SEED: u64 = 42;
        type Value = [u64; 3];
        let mut options = conex_map_options { seed: SEED, ..conex_map_options::DEFAULT };
        options.value.size = size_of::<Value>();
        let mut map = ptr::null_mut();
        // SAFETY: valid pointers.
        assert_eq!(unsafe { conex_map_new(&raw const options, &raw mut map) }, CONEX_OK);
        let keys: [u64; 6] = core::array::from_fn(|hash| Mixer::new(SEED).unmix(hash as u64));
        for (i, key) in keys.iter().enumerate() {
            let value: Value = [i as u64; 3];
            let (key, value) = (ptr::from_ref(key).cast(), (&raw const value).cast());
            // SAFETY: valid pointers, of the map's sizes.
            assert_eq!(unsafe { conex_map_insert(map, key, 8, value, ptr::null_mut()) }, CONEX_OK);
        }
        for (i, key) in keys.iter().enumerate() {
            let mut value = Value::default();
            let key = ptr::from_ref(key).cast();
            // SAFETY: as above.
            assert_eq!(unsafe { conex_map_get(map, key, 8, (&raw mut value).cast()) }, CONEX_OK);
            assert_eq!(value, [i as u64; 3]);
            // SAFETY: as above.
            assert_eq!(unsafe { conex_map_remove(map, key, 8, ptr::null_mut()) }, CONEX_OK);
            // SAFETY: as above.
            assert_eq!(unsafe { conex_map_get(map, key, 8, (&raw mut value).cast()) }, CONEX_NOT_FOUND);
        }
        // SAFETY: nobody else uses it.
        assert_eq!(unsafe { conex_map_destroy(map) }, CONEX_OK);
    }
}
