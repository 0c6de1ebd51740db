//! The process allocator, which spoils what is freed: who reads memory that was freed while it was parked notices.

use std::alloc::{GlobalAlloc, Layout, System};

struct Heap;

#[global_allocator]
static HEAP: Heap = Heap;

// SAFETY: passes on to the system's allocator.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // No valid address, and no number that a test puts in.
        unsafe { ptr.write_bytes(0xDB, layout.size()) };
        std::hint::black_box(ptr);
        unsafe { System.dealloc(ptr, layout) };
    }
}
