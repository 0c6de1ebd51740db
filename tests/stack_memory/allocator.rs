//! An allocator that has nothing to give, or that uses the stack itself.

use std::alloc::Layout;
use std::ffi::c_void;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use conex::{Allocator, Stack};

use super::common::{Counted, Failing};
use super::private;

/// For every allocation of a scenario: if it fails, the caller has its elements back and the stack is as it was; and at
/// the end all memory was given back.
#[test]
fn survives_any_failed_allocation() {
    for fail_at in 0.. {
        let memory = Failing::new(fail_at);
        let live = AtomicUsize::new(0);
        let mut failed = false;
        {
            let stack = Stack::with_options(&private().allocator(memory.allocator())).unwrap();
            for _ in 0..4 {
                if let Err(element) = stack.try_push(Counted::new(&live)) {
                    failed = true;
                    drop(element);
                }
            }
            let len = stack.len();
            let batch = if cfg!(miri) { 260 } else { 2_000 };
            if let Err(elements) = stack.push_n((0..batch).map(|_| Counted::new(&live)).collect()) {
                failed = true;
                assert_eq!((elements.len(), stack.len()), (batch, len));
            }
            assert_eq!(live.load(Ordering::SeqCst), stack.len());
            while stack.pop().is_some() {}
        }
        assert_eq!(live.load(Ordering::SeqCst), 0);
        assert_eq!(memory.outstanding(), 0, "all memory is back when the stack is gone");
        if !failed {
            assert!(fail_at >= 4, "a cache, headers, two chunks");
            break;
        }
    }
}

/// A thread whose first operation is a pop, when there is no memory for its cache.
#[test]
fn a_pop_needs_no_memory() {
    unsafe extern "C-unwind" fn allocate(size: usize, align: usize, ctx: *mut c_void) -> *mut c_void {
        // SAFETY: the counter below.
        let left = unsafe { &*ctx.cast::<AtomicUsize>() };
        if left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_err() {
            return std::ptr::null_mut();
        }
        // SAFETY: a container never asks for nothing.
        unsafe { std::alloc::alloc(Layout::from_size_align(size, align).expect("a layout")).cast() }
    }
    unsafe extern "C-unwind" fn free(ptr: *mut c_void, size: usize, align: usize, _: *mut c_void) {
        // SAFETY: allocated above with this layout.
        unsafe { std::alloc::dealloc(ptr.cast(), Layout::from_size_align(size, align).expect("a layout")) };
    }
    let left = AtomicUsize::new(1_000);
    // SAFETY: both may be called from anywhere while the counter lives.
    let allocator = unsafe { Allocator::hooks(allocate, free, std::ptr::from_ref(&left).cast_mut().cast()) };
    let mut stack = Stack::with_options(&private().allocator(allocator)).expect("memory");
    let many = if cfg!(miri) { 280 } else { 600 };
    stack.extend(0..many);
    left.store(0, Ordering::SeqCst);
    thread::scope(|scope| {
        scope.spawn(|| {
            assert_eq!(stack.pop(), Some(many - 1));
            let mut popped = Vec::new();
            assert_eq!(stack.pop_n(many - 100, &mut popped), many - 100);
            assert_eq!(stack.len(), 99);
            assert_eq!(stack.try_push(1), Err(1), "without a cache there is no node");
            assert_eq!(stack.pop_all(|element| popped.push(element)), 99);
            assert_eq!(popped, (0..many - 1).rev().collect::<Vec<_>>());
        });
    });
    assert_eq!((stack.len(), stack.is_empty()), (0, true));
    // What the pops gave back can be pushed again, without new memory, by a thread that has a cache.
    stack.extend(0..many / 2);
    assert_eq!(stack.len(), many / 2);
}

/// An allocator hook that uses the very stack it serves, on the same thread.
#[test]
fn a_hook_may_use_the_stack() {
    type Shared = OnceLock<Stack<usize>>;
    // Not in the cell: destruction runs the hooks as well, and the stack is not for them then.
    static DEPTH: AtomicUsize = AtomicUsize::new(0);
    /// Pops and pushes; at most so deep, for a push may need memory.
    fn disturb(ctx: *mut c_void) {
        // SAFETY: the cell below.
        let stack = || unsafe { &*ctx.cast::<Shared>() }.get();
        if DEPTH.fetch_add(1, Ordering::Relaxed) < 3
            && let Some(stack) = stack()
        {
            let mut popped = Vec::new();
            stack.pop_n(70, &mut popped);
            if let Some(element) = popped.pop() {
                stack.push(element);
            }
            popped.extend(stack.pop());
            stack.push_n(popped).expect("memory");
        }
        DEPTH.fetch_sub(1, Ordering::Relaxed);
    }
    unsafe extern "C-unwind" fn allocate(size: usize, align: usize, ctx: *mut c_void) -> *mut c_void {
        disturb(ctx);
        // SAFETY: a container never asks for nothing.
        unsafe { std::alloc::alloc(Layout::from_size_align(size, align).expect("a layout")).cast() }
    }
    unsafe extern "C-unwind" fn free(ptr: *mut c_void, size: usize, align: usize, ctx: *mut c_void) {
        disturb(ctx);
        // SAFETY: allocated above with this layout.
        unsafe { std::alloc::dealloc(ptr.cast(), Layout::from_size_align(size, align).expect("a layout")) };
    }
    let shared = Box::new(Shared::new());
    // SAFETY: both may be called from anywhere while the cell lives.
    let allocator =
        unsafe { Allocator::hooks(allocate, free, std::ptr::from_ref(&*shared).cast_mut().cast()) };
    let stack = Stack::with_options(&private().allocator(allocator)).expect("memory");
    let stack = shared.get_or_init(|| stack);
    let many = if cfg!(miri) { 400 } else { 20_000 };
    for round in 0..if cfg!(miri) { 1 } else { 3 } {
        for number in 0..many {
            stack.push(number);
        }
        assert_eq!(stack.len(), many);
        let mut seen = vec![false; many];
        let mut saw = |number: usize| assert!(!std::mem::replace(&mut seen[number], true));
        while stack.len() > many / 2 {
            saw(stack.pop().expect("an element"));
        }
        stack.pop_all(saw);
        assert!(seen.iter().all(|seen| *seen), "round {round}");
    }
    DEPTH.store(3, Ordering::Relaxed);
}
