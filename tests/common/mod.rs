//! What the integration tests share.

#![allow(dead_code, reason = "each test binary uses some of it")]

#[cfg(all(not(loom), feature = "capi"))]
pub(crate) mod c;
#[cfg(all(not(loom), feature = "capi"))]
pub(crate) mod map;
#[cfg(not(loom))]
pub(crate) mod retiring;

use std::alloc::Layout;
use std::ffi::c_void;
use std::sync::atomic::{AtomicIsize, AtomicUsize, Ordering};

use conex::Allocator;

/// The process allocator, which counts what it gave out to each thread: tests of one binary run side by side.
#[derive(Debug)]
pub(crate) struct Heap;

#[global_allocator]
static HEAP: Heap = Heap;

thread_local! {
    static LIVE: std::cell::Cell<isize> = const { std::cell::Cell::new(0) };
    static UNTIL_FAILURE: std::cell::Cell<usize> = const { std::cell::Cell::new(usize::MAX) };
}

impl Heap {
    /// Bytes that this thread allocated, less those that it freed.
    pub(crate) fn live() -> isize {
        LIVE.get()
    }

    /// Runs `call`, in which this thread's allocation after `successes` ones fails.
    pub(crate) fn failing_after<R>(successes: usize, call: impl FnOnce() -> R) -> R {
        UNTIL_FAILURE.set(successes);
        let answer = call();
        UNTIL_FAILURE.set(usize::MAX);
        answer
    }
}

// SAFETY: passes on to the system's allocator.
unsafe impl std::alloc::GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let left = UNTIL_FAILURE.get();
        UNTIL_FAILURE.set(left.wrapping_sub(1));
        if left == 0 {
            return std::ptr::null_mut();
        }
        LIVE.set(LIVE.get() + layout.size() as isize);
        // SAFETY: the caller's promise.
        unsafe { std::alloc::System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        LIVE.set(LIVE.get() - layout.size() as isize);
        // SAFETY: the caller's promise.
        unsafe { std::alloc::System.dealloc(ptr, layout) }
    }
}

/// `n`, or little of it under Miri, which is a thousand times slower.
pub(crate) fn scaled(n: usize) -> usize {
    if cfg!(miri) { (n / 500).clamp(4, 40) } else { n }
}

/// An element that counts itself as long as it lives.
#[derive(Debug)]
pub(crate) struct Counted<'a>(&'a AtomicUsize, Box<u32>);

impl<'a> Counted<'a> {
    pub(crate) fn new(live: &'a AtomicUsize) -> Self {
        live.fetch_add(1, Ordering::SeqCst);
        Self(live, Box::new(0xC0FF_EE00))
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        assert_eq!(*self.1, 0xC0FF_EE00, "dropped twice, or never made");
        *self.1 = 0;
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// An allocator that counts what it gave out, and whose N-th allocation fails.
#[derive(Debug)]
pub(crate) struct Failing {
    until_failure: AtomicIsize,
    outstanding: AtomicIsize,
}

impl Failing {
    /// The allocation after `successes` ones fails; those after it do not.
    pub(crate) fn new(successes: isize) -> Self {
        Self { until_failure: AtomicIsize::new(successes), outstanding: AtomicIsize::new(0) }
    }

    pub(crate) fn allocator(&self) -> Allocator {
        // SAFETY: the tests drop their containers before this; the hooks pass on to the global allocator.
        unsafe { Allocator::hooks(Self::alloc, Self::free, std::ptr::from_ref(self).cast_mut().cast()) }
    }

    /// Bytes that were given out and not given back.
    pub(crate) fn outstanding(&self) -> isize {
        self.outstanding.load(Ordering::SeqCst)
    }

    pub(crate) unsafe extern "C-unwind" fn alloc(size: usize, align: usize, ctx: *mut c_void) -> *mut c_void {
        // SAFETY: `ctx` is what `allocator` gave.
        let this = unsafe { &*ctx.cast::<Self>() };
        if this.until_failure.fetch_sub(1, Ordering::SeqCst) == 0 {
            return std::ptr::null_mut();
        }
        this.outstanding.fetch_add(size as isize, Ordering::SeqCst);
        let layout = Layout::from_size_align(size, align).expect("a valid layout");
        // SAFETY: containers never ask for nothing.
        unsafe { std::alloc::alloc(layout) }.cast()
    }

    pub(crate) unsafe extern "C-unwind" fn free(
        ptr: *mut c_void,
        size: usize,
        align: usize,
        ctx: *mut c_void,
    ) {
        // SAFETY: as in `alloc`.
        let this = unsafe { &*ctx.cast::<Self>() };
        this.outstanding.fetch_sub(size as isize, Ordering::SeqCst);
        let layout = Layout::from_size_align(size, align).expect("a valid layout");
        // SAFETY: it came from `alloc` with this layout.
        unsafe { std::alloc::dealloc(ptr.cast(), layout) };
    }
}
