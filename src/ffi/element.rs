//! What a container holds is described once, when it is made, by a `conex_element`: the size of an element, its
//! alignment, and what must be done to end its life or to copy it. Elements lie *inline* in the container: pushing a
//! struct of 100 bytes moves 100 bytes in, popping moves them out, and no further memory is allocated for it.
//!
//! To *move* an element is to copy its bytes and forget the source. That is right for all plain data and for most C
//! structs; it is wrong for a type that keeps a pointer to itself. Such an element is held by pointer.
//!
//! Pointers to elements that are passed to functions need not be aligned; pointers that a container gives out are.

use core::alloc::Layout;
use core::ffi::c_void;

use super::status::conex_status::{self, CONEX_ERR_INVALID};
use crate::mem::Allocator;

/// Ends the life of `*element`. It must not unwind (a C++ exception that leaves it ends the process). It may call every
/// function of the library, except for the container that is being destroyed.
pub type conex_drop_fn = Option<unsafe extern "C-unwind" fn(element: *mut c_void, ctx: *mut c_void)>;

/// Makes `*to`, which is uninitialised, a copy of `*from`. Returns 0, or a negative `conex_status` that the operation
/// then returns, with nothing changed. It must not unwind. It runs on the thread that called the operation, under a
/// guard.
pub type conex_clone_fn =
    Option<unsafe extern "C-unwind" fn(to: *mut c_void, from: *const c_void, ctx: *mut c_void) -> i32>;

/// The description of an element. Its layout is final: it is embedded by value in the options.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct conex_element {
    /// Bytes of one element: at least 1, at most 2^30, and a multiple of `align`, as `sizeof` always is.
    pub size: usize,
    /// Alignment in bytes: a power of two, at most 4096.
    pub align: usize,
    /// Called for each element that the container still holds when it is destroyed, or that it discards. NULL: nothing
    /// needs to be done.
    pub drop: conex_drop_fn,
    /// Called where a map copies a value or a key. NULL: the bytes are copied, if `drop` is NULL too; else the element
    /// cannot be copied.
    pub clone: conex_clone_fn,
    /// Passed to `drop` and `clone`. It must stay valid until the container is destroyed.
    pub ctx: *mut c_void,
}

/// Gives `size` bytes aligned to `align`, or NULL; memory that is not so aligned is given back at once and counts as
/// NULL. The alignment is a power of two: that of the elements or 128 bytes in most cases, but 4096 or more for the chunks
/// of a stack. Called from any thread that uses the container, at the same time too. It must not unwind.
pub type conex_alloc_fn =
    Option<unsafe extern "C-unwind" fn(size: usize, align: usize, ctx: *mut c_void) -> *mut c_void>;

/// Takes back what a `conex_alloc_fn` gave, with the same size and alignment. Called from any thread that uses the
/// container's domain, inside any call that does, at the same time too. It must not unwind.
pub type conex_free_fn =
    Option<unsafe extern "C-unwind" fn(ptr: *mut c_void, size: usize, align: usize, ctx: *mut c_void)>;

/// Where the memory of a container comes from: both functions, or neither for the allocator of the process. All that
/// was allocated has been given back when the container's destroy function returns. Operations that allocate are as
/// lock-free as `alloc` is, and all are only if `free` is. The handle itself and the bookkeeping of the reclamation come
/// from the process's allocator.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct conex_allocator {
    /// Gives memory.
    pub alloc: conex_alloc_fn,
    /// Takes it back.
    pub free: conex_free_fn,
    /// Passed to both.
    pub ctx: *mut c_void,
}

impl conex_element {
    /// `CONEX_ELEMENT_WORD`.
    pub(super) const WORD: Self =
        Self { size: 8, align: 8, drop: None, clone: None, ctx: core::ptr::null_mut() };
}

/// An element description that has been checked.
#[derive(Clone, Copy)]
pub(super) struct Element {
    pub(super) layout: Layout,
    pub(super) drop: conex_drop_fn,
    pub(super) clone: conex_clone_fn,
    pub(super) ctx: *mut c_void,
}

// SAFETY: the callbacks and their `ctx` are declared callable from any thread by the header.
unsafe impl Send for Element {}
// SAFETY: as above.
unsafe impl Sync for Element {}

impl Element {
    const MAX_SIZE: usize = 1 << 30;
    const MAX_ALIGN: usize = 4096;

    pub(super) fn check(element: &conex_element) -> Result<Self, conex_status> {
        let conex_element { size, align, drop, clone, ctx } = *element;
        if size == 0 || size > Self::MAX_SIZE || align > Self::MAX_ALIGN {
            return Err(CONEX_ERR_INVALID);
        }
        let layout = Layout::from_size_align(size, align).map_err(|_| CONEX_ERR_INVALID)?;
        if size % align != 0 {
            return Err(CONEX_ERR_INVALID);
        }
        Ok(Self { layout, drop, clone, ctx })
    }

    /// Whether it is a plain word, for which the engines have a path of their own.
    pub(super) fn is_word(&self) -> bool {
        self.layout.size() == 8 && self.layout.align() <= 8
    }

    /// Ends the life of an element.
    ///
    /// # Safety
    /// `element` is a live element that nobody uses any more.
    pub(super) unsafe fn drop(&self, element: *mut u8) {
        if let Some(drop) = self.drop {
            // SAFETY: the header's contract for `drop`, and the caller's promise.
            unsafe { drop(element.cast(), self.ctx) };
        }
    }
}

impl conex_allocator {
    /// The allocator of the process.
    pub(super) const PROCESS: Self = Self { alloc: None, free: None, ctx: core::ptr::null_mut() };

    pub(super) fn check(&self) -> Result<Allocator, conex_status> {
        match (self.alloc, self.free) {
            (None, None) => Ok(Allocator::process()),
            // SAFETY: the header's contract for the two functions.
            (Some(alloc), Some(free)) => Ok(unsafe { Allocator::hooks(alloc, free, self.ctx) }),
            _ => Err(CONEX_ERR_INVALID),
        }
    }
}
