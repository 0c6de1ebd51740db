//! Pointers that users retire themselves: each in a small block of its own, with the call that ends it.

use core::alloc::Layout;
use core::ffi::c_void;
use core::ptr::NonNull;

use super::limbo::{Dispose, Link};
use crate::mem::{Allocator, NoMemory};

/// Ends the life of `ptr`. Called once, on any thread; must not unwind.
pub type RetireFn = unsafe extern "C-unwind" fn(ptr: *mut c_void, ctx: *mut c_void);

#[repr(C)]
struct Block {
    link: Link,
    ptr: *mut c_void,
    call: RetireFn,
    ctx: *mut c_void,
}

/// Disposes of user-retired pointers; their blocks come from the process allocator.
pub(super) struct Retired;

impl Retired {
    pub(super) fn block(ptr: *mut c_void, call: RetireFn, ctx: *mut c_void) -> Result<*mut Link, NoMemory> {
        let block = Allocator::process().allocate(Layout::new::<Block>())?.cast::<Block>();
        // SAFETY: fresh memory of the layout of `Block`.
        unsafe { block.write(Block { link: Link::new(), ptr, call, ctx }) };
        Ok(block.as_ptr().cast())
    }
}

// SAFETY: `Domain::retire` demands of `call` what `Dispose` does; nothing else is used.
unsafe impl Dispose for Retired {
    unsafe fn dispose(&self, block: *mut Link, _kind: u8) {
        let block = block.cast::<Block>();
        // SAFETY: only blocks of `Retired::block` are retired here, and this is the only call for it.
        let Block { ptr, call, ctx, .. } = unsafe { block.read() };
        // SAFETY: never null; allocated with this layout.
        let memory = unsafe { NonNull::new_unchecked(block.cast::<u8>()) };
        // SAFETY: read out above; nothing refers to it any more.
        unsafe { Allocator::process().release(memory, Layout::new::<Block>()) };
        // SAFETY: the promise of `Domain::retire`.
        unsafe { call(ptr, ctx) };
    }
}
