//! Pointers that users retire themselves: each in a small block, with the call that ends it. The block comes from the
//! process allocator, or lies in the object itself.

use core::alloc::Layout;
use core::ffi::c_void;
#[cfg(not(loom))]
use core::mem::MaybeUninit;
use core::ptr::NonNull;

use super::limbo::{Dispose, Link};
use super::shared::Counter;
use crate::mem::{Allocator, NoMemory};

/// Ends the life of `ptr`. Called once, on any thread; must not unwind.
pub type RetireFn = unsafe extern "C-unwind" fn(ptr: *mut c_void, ctx: *mut c_void);

#[repr(C)]
pub(super) struct Block {
    link: Link,
    pub(super) ptr: *mut c_void,
    call: RetireFn,
    ctx: *mut c_void,
}

/// Room for one retirement inside an object, so that retiring it needs no memory. It may hold anything before; from the
/// retirement until the object's end it is the library's.
#[cfg(not(loom))]
#[derive(Debug)]
#[repr(C)]
pub struct Node {
    room: MaybeUninit<[u64; 6]>,
}

#[cfg(not(loom))]
const _: () = assert!(size_of::<Block>() <= size_of::<Node>() && align_of::<Block>() <= align_of::<Node>());

#[cfg(not(loom))]
impl Node {
    /// Room that is empty.
    #[must_use]
    pub const fn new() -> Self {
        Self { room: MaybeUninit::uninit() }
    }
}

#[cfg(not(loom))]
impl Default for Node {
    fn default() -> Self {
        Self::new()
    }
}

/// Disposes of user-retired pointers.
pub(super) struct Retired;

impl Retired {
    /// Set in the kind of a block that lies in a [`Node`].
    pub(super) const IN_NODE: u8 = 1;
    /// The kind of what is no such block, but the memory of a counted value.
    pub(super) const COUNTED: u8 = 4;

    /// A block of its own.
    pub(super) fn block(ptr: *mut c_void, call: RetireFn, ctx: *mut c_void) -> Result<*mut Link, NoMemory> {
        let block = Allocator::process().allocate(Layout::new::<Block>())?.cast::<Block>();
        // SAFETY: fresh memory of the layout of `Block`.
        unsafe { block.write(Block { link: Link::new(), ptr, call, ctx }) };
        Ok(block.as_ptr().cast())
    }

    /// A block in `node`, to be retired as [`Retired::IN_NODE`].
    ///
    /// # Safety
    /// `node` is writable, and nobody else's until the call of `call`.
    #[cfg(not(loom))]
    pub(super) unsafe fn block_in(
        node: *mut Node,
        ptr: *mut c_void,
        call: RetireFn,
        ctx: *mut c_void,
    ) -> *mut Link {
        let block = node.cast::<Block>();
        // SAFETY: the caller's promise; a block fits in, as is asserted above.
        unsafe { block.write(Block { link: Link::new(), ptr, call, ctx }) };
        block.cast()
    }
}

// SAFETY: `Domain::retire` demands of `call` what `Dispose` does; nothing else is used.
unsafe impl Dispose for Retired {
    unsafe fn dispose(&self, block: *mut Link, kind: u8) {
        if kind == Self::COUNTED {
            // SAFETY: only `Domain::retire_counted` retires with this kind.
            unsafe { Counter::free(block) };
            return;
        }
        let block = block.cast::<Block>();
        // SAFETY: only blocks of `Retired` are retired here, and this is the only call for it.
        let Block { ptr, call, ctx, .. } = unsafe { block.read() };
        if kind & Self::IN_NODE == 0 {
            // SAFETY: never null; allocated with this layout.
            let memory = unsafe { NonNull::new_unchecked(block.cast::<u8>()) };
            // SAFETY: read out above; nothing refers to it any more.
            unsafe { Allocator::process().release(memory, Layout::new::<Block>()) };
        }
        // SAFETY: the promise of `Domain::retire`.
        unsafe { call(ptr, ctx) };
    }
}
