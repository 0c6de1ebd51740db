//! The size, alignment and copying of an element.

use core::alloc::Layout;
use core::marker::PhantomData;

/// What an engine knows of the elements it holds: their layout, and how their bytes are copied.
///
/// # Safety
/// `layout` must be the same at each call, and its size a multiple of its alignment.
pub(crate) unsafe trait Slot: Copy + Send + Sync {
    /// Size and alignment of one element.
    fn layout(self) -> Layout;

    /// Copies the bytes of `n` elements that stand one after the other.
    ///
    /// # Safety
    /// `from` is readable and `to` writable for `n` elements and the two do not overlap. Neither needs to be aligned.
    #[inline(always)]
    unsafe fn copy(self, from: *const u8, to: *mut u8, n: usize) {
        let bytes = self.layout().size() * n;
        // SAFETY: the caller's promise.
        unsafe { core::ptr::copy_nonoverlapping(from, to, bytes) };
    }
}

/// An element of the Rust type `T`. Its layout is a constant, and a copy of one word is one instruction.
pub(crate) struct Typed<T>(PhantomData<fn(T) -> T>);

impl<T> Typed<T> {
    pub(crate) const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T> Clone for Typed<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Typed<T> {}

// SAFETY: the layout of a type is a constant, and Rust's sizes are multiples of the alignment.
unsafe impl<T> Slot for Typed<T> {
    #[inline(always)]
    fn layout(self) -> Layout {
        Layout::new::<T>()
    }
}

/// An element of a layout that is known at run time only.
#[derive(Clone, Copy)]
pub(crate) struct Blob(Layout);

impl Blob {
    /// `layout` padded to a multiple of its alignment.
    pub(crate) fn new(layout: Layout) -> Self {
        Self(layout.pad_to_align())
    }
}

// SAFETY: the field is private and never written after `new`, which pads it.
unsafe impl Slot for Blob {
    #[inline(always)]
    fn layout(self) -> Layout {
        self.0
    }
}
