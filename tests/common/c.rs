//! What the tests of the C functions share: callbacks, and a domain that ends with its test.

use std::alloc::Layout;
use std::cell::{Cell, RefCell};
use std::ffi::c_void;
use std::ptr::{null, null_mut};

use conex::ffi::domain::{conex_domain, conex_domain_destroy, conex_domain_new};
use conex::ffi::status::conex_status::CONEX_OK;

/// A domain of one test.
#[derive(Debug)]
pub(crate) struct OwnDomain(pub(crate) *mut conex_domain);

impl OwnDomain {
    pub(crate) fn new() -> Self {
        let mut domain = null_mut();
        // SAFETY: valid pointers.
        assert_eq!(unsafe { conex_domain_new(null(), &mut domain) }, CONEX_OK);
        Self(domain)
    }
}

impl Drop for OwnDomain {
    fn drop(&mut self) {
        // SAFETY: nobody else uses it.
        assert_eq!(unsafe { conex_domain_destroy(self.0) }, CONEX_OK);
    }
}

/// The words that `note` was called with.
#[derive(Debug, Default)]
pub(crate) struct Calls(RefCell<Vec<u64>>);

impl Calls {
    pub(crate) fn ctx(&self) -> *mut c_void {
        std::ptr::from_ref(self).cast_mut().cast()
    }

    pub(crate) fn words(&self) -> Vec<u64> {
        self.0.borrow().clone()
    }
}

/// Notes the word at `element` in the `Calls` at `ctx`.
pub(crate) unsafe extern "C-unwind" fn note(element: *mut c_void, ctx: *mut c_void) {
    // SAFETY: the tests pass a word.
    let word = unsafe { element.cast::<u64>().read() };
    // SAFETY: the tests pass their `Calls`, on their own thread.
    unsafe { &*ctx.cast::<Calls>() }.0.borrow_mut().push(word);
}

/// An allocator's `ctx`: gives so many blocks, then none.
#[derive(Debug)]
pub(crate) struct Memory {
    left: Cell<usize>,
    outstanding: Cell<isize>,
}

impl Memory {
    pub(crate) fn new(blocks: usize) -> Self {
        Self { left: Cell::new(blocks), outstanding: Cell::new(0) }
    }

    pub(crate) fn allow(&self, blocks: usize) {
        self.left.set(blocks);
    }

    pub(crate) fn ctx(&self) -> *mut c_void {
        std::ptr::from_ref(self).cast_mut().cast()
    }

    /// Bytes that were given out and not given back.
    pub(crate) fn outstanding(&self) -> isize {
        self.outstanding.get()
    }
}

pub(crate) unsafe extern "C-unwind" fn alloc(size: usize, align: usize, ctx: *mut c_void) -> *mut c_void {
    // SAFETY: the tests pass their `Memory`, on their own thread.
    let memory = unsafe { &*ctx.cast::<Memory>() };
    let Some(left) = memory.left.get().checked_sub(1) else { return null_mut() };
    memory.left.set(left);
    memory.outstanding.set(memory.outstanding.get() + size as isize);
    // SAFETY: a container asks for more than nothing.
    unsafe { std::alloc::alloc(Layout::from_size_align(size + align, align).unwrap()) }.cast()
}

/// As `alloc`, one byte off.
pub(crate) unsafe extern "C-unwind" fn alloc_misaligned(
    size: usize,
    align: usize,
    ctx: *mut c_void,
) -> *mut c_void {
    // SAFETY: the caller's promise.
    let block = unsafe { alloc(size, align, ctx) };
    if block.is_null() { block } else { block.wrapping_byte_add(1) }
}

pub(crate) unsafe extern "C-unwind" fn free(ptr: *mut c_void, size: usize, align: usize, ctx: *mut c_void) {
    // SAFETY: as in `alloc`.
    let memory = unsafe { &*ctx.cast::<Memory>() };
    memory.outstanding.set(memory.outstanding.get() - size as isize);
    let block = ptr.wrapping_byte_sub(ptr.addr() & (align - 1));
    // SAFETY: as `alloc` gave it, less the byte of `alloc_misaligned`.
    unsafe { std::alloc::dealloc(block.cast(), Layout::from_size_align(size + align, align).unwrap()) };
}
