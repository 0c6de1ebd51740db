//! Where a container's memory comes from.

use core::alloc::Layout;
use core::ffi::c_void;
use core::fmt;
use core::ptr::NonNull;

/// Gives `size` bytes aligned to `align`, or NULL. May be called from any thread that uses the container.
pub type AllocFn = unsafe extern "C-unwind" fn(size: usize, align: usize, ctx: *mut c_void) -> *mut c_void;

/// Takes back what [`AllocFn`] gave, with the same size and alignment. May be called from any thread.
pub type FreeFn = unsafe extern "C-unwind" fn(ptr: *mut c_void, size: usize, align: usize, ctx: *mut c_void);

/// There was no memory for what the operation needed; nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoMemory;

impl fmt::Display for NoMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no memory for the operation; nothing was changed")
    }
}

impl std::error::Error for NoMemory {}

/// The source of a container's memory: the process allocator ([`Allocator::process`]) or a pair of hooks.
///
/// Copies of an `Allocator` mean the same source.
#[derive(Clone, Copy, Debug)]
pub struct Allocator {
    hooks: Option<Hooks>,
}

#[derive(Clone, Copy, Debug)]
struct Hooks {
    alloc: AllocFn,
    free: FreeFn,
    ctx: *mut c_void,
}

// SAFETY: `Allocator::hooks` demands that the hooks may be called, with their `ctx`, from any thread.
unsafe impl Send for Allocator {}
// SAFETY: as above; the struct itself is never written after it was made.
unsafe impl Sync for Allocator {}

impl Allocator {
    /// The allocator of the process (Rust's global one, which is the system's `malloc` unless a program chose another).
    #[must_use]
    pub const fn process() -> Self {
        Self { hooks: None }
    }

    /// Memory from `alloc`, given back to `free`; both get `ctx`.
    ///
    /// # Safety
    /// Both must be callable from any thread at any time until every container made with this allocator was dropped.
    /// `alloc` must return NULL or memory of the given size and alignment that nothing else uses until it was passed
    /// to `free`. Neither may unwind.
    #[must_use]
    pub const unsafe fn hooks(alloc: AllocFn, free: FreeFn, ctx: *mut c_void) -> Self {
        Self { hooks: Some(Hooks { alloc, free, ctx }) }
    }

    /// Whether this is the allocator of the process: memory may also come from the kernel then, and sizes are free.
    pub(crate) fn is_process(&self) -> bool {
        self.hooks.is_none()
    }

    /// Memory for `layout`, uninitialised; its size must not be zero.
    #[inline]
    pub(crate) fn allocate(&self, layout: Layout) -> Result<NonNull<u8>, NoMemory> {
        debug_assert!(layout.size() > 0);
        let Some(hooks) = self.hooks else {
            // SAFETY: the size is not zero: every block of a container starts with a header.
            let ptr = unsafe { std::alloc::alloc(layout) };
            return NonNull::new(ptr).ok_or(NoMemory);
        };
        // SAFETY: `Allocator::hooks` promised that the hook may be called with any size and alignment.
        let ptr = unsafe { (hooks.alloc)(layout.size(), layout.align(), hooks.ctx) };
        let ptr = NonNull::new(ptr.cast::<u8>()).ok_or(NoMemory)?;
        if ptr.as_ptr().addr() & (layout.align() - 1) != 0 {
            // A hook that ignores the alignment is a bug of its author; going on would corrupt memory.
            // SAFETY: it came from `alloc` with this layout just now and nobody else has seen it.
            unsafe { (hooks.free)(ptr.as_ptr().cast(), layout.size(), layout.align(), hooks.ctx) };
            return Err(NoMemory);
        }
        Ok(ptr)
    }

    /// Memory for `layout`, all bytes zero. Large blocks come from the kernel's zero pages where the process allocator
    /// knows how, without being touched.
    pub(crate) fn allocate_zeroed(&self, layout: Layout) -> Result<NonNull<u8>, NoMemory> {
        debug_assert!(layout.size() > 0);
        if self.hooks.is_none() {
            // SAFETY: the size is not zero.
            let ptr = unsafe { std::alloc::alloc_zeroed(layout) };
            return NonNull::new(ptr).ok_or(NoMemory);
        }
        let ptr = self.allocate(layout)?;
        // SAFETY: the block is `layout.size()` bytes long, fresh, and ours alone.
        unsafe { ptr.as_ptr().write_bytes(0, layout.size()) };
        Ok(ptr)
    }

    /// Gives a block back.
    ///
    /// # Safety
    /// `ptr` came from this allocator with this layout, is not used any more and was not given back before.
    #[inline]
    pub(crate) unsafe fn release(&self, ptr: NonNull<u8>, layout: Layout) {
        match self.hooks {
            // SAFETY: the caller's promise.
            None => unsafe { std::alloc::dealloc(ptr.as_ptr(), layout) },
            // SAFETY: the caller's promise, and that of `Allocator::hooks`.
            Some(hooks) => unsafe {
                (hooks.free)(ptr.as_ptr().cast(), layout.size(), layout.align(), hooks.ctx);
            },
        }
    }
}

impl Default for Allocator {
    fn default() -> Self {
        Self::process()
    }
}
