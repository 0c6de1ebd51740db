//! What a stack hands on: elements, nodes, chunks and their headers, the caches of threads.

use std::alloc::Layout;
use std::cell::Cell;
use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::OnceLock;
use std::thread;

use conex::{Allocator, Stack};

use super::options;
use super::turns::{Turn, relay, until};

fn stack<T>() -> Stack<T> {
    Stack::with_options(&options()).expect("memory")
}

/// Pair (1) → (2).
#[test]
fn an_element_of_a_stack() {
    let stack = stack();
    relay(&[
        (0, &|| stack.push(Box::new(7))),
        (1, &|| until(|| stack.pop().is_some_and(|element| *element == 7))),
        (1, &|| assert!(stack.push_n(vec![Box::new(1), Box::new(2)]).is_ok())),
        (0, &|| assert_eq!(stack.pop_n(1, &mut Vec::new()), 1)),
        (2, &|| assert_eq!(stack.pop_all(|element| assert_eq!(*element, 1)), 1)),
    ]);
}

/// An element of which a chunk has seven, and of which a thread keeps one free node.
type Large = [u64; 1024];

/// Pair (6): the second run that is given back to one chunk, whose header is on the list already.
#[test]
fn a_node_of_a_stack() {
    let stack = stack::<Large>();
    let push = |n| (0..n).for_each(|_| stack.push([1; 1024]));
    let pop = |n| (0..n).for_each(|_| assert!(stack.pop().is_some()));
    relay(&[
        (0, &|| push(5)),
        // Two nodes go back with those that were never used, two more later, and a fifth one stays in use.
        (0, &|| pop(4)),
        (1, &|| push(6)),
        (1, &|| pop(7)),
    ]);
}

/// Pairs (7), (9): headers that another thread has made; and the records of threads.
#[test]
fn a_header_of_a_stack() {
    let stack = stack();
    relay(&[(0, &|| stack.push(1_u64)), (1, &|| stack.push(2)), (2, &|| stack.push(3))]);
}

/// Pair (9), without turns: only between two of its steps does a thread show the headers that it has made before those are on
/// a list. Miri needs some hundred seeds, and many preemptions, to stop it there; loom's `headers_are_made_at_once` does so each time.
#[test]
fn headers_of_a_stack_made_at_once() {
    let stack = stack();
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| stack.push(1_u64));
        }
    });
}

/// Pair (7) the other way: a header that was vacant again.
#[test]
fn a_header_of_a_stack_that_comes_back() {
    let stack = stack::<Large>();
    let push = |n| (0..n).for_each(|_| stack.push([1; 1024]));
    let pop = |n| (0..n).for_each(|_| assert!(stack.pop().is_some()));
    relay(&[
        // Of two chunks one becomes free, and its header vacant, by what the same thread has given back.
        (0, &|| push(14)),
        (0, &|| pop(10)),
        (1, &|| push(14)),
        (1, &|| pop(18)),
    ]);
}

/// Pair (10): the counters of another thread's cache.
#[test]
fn a_cache_of_a_stack() {
    let stack = stack();
    relay(&[(0, &|| stack.push(1_u64)), (1, &|| assert!(stack.len() <= 1))]);
}

/// Pair (8): a chunk that became free after a thread had found that it needs one. Until it was given the headers for it, in
/// the allocator's hook, another thread empties the last of the chunks that there are.
#[test]
fn a_chunk_of_a_stack() {
    static TURN: OnceLock<Turn> = OnceLock::new();
    thread_local! {
        static WAITS: Cell<bool> = const { Cell::new(false) };
    }
    unsafe extern "C-unwind" fn alloc(size: usize, align: usize, _: *mut c_void) -> *mut c_void {
        if WAITS.replace(false) {
            let turn = TURN.get().expect("there is one");
            turn.pass(1, || ());
            turn.wait(2);
        }
        // SAFETY: a container asks for more than nothing.
        unsafe { std::alloc::alloc(Layout::from_size_align(size, align).unwrap()).cast() }
    }
    unsafe extern "C-unwind" fn free(ptr: *mut c_void, size: usize, align: usize, _: *mut c_void) {
        // SAFETY: from `alloc` with this layout.
        unsafe { std::alloc::dealloc(ptr.cast(), Layout::from_size_align(size, align).unwrap()) };
    }
    // SAFETY: the hooks may be called at any time.
    let allocator = unsafe { Allocator::hooks(alloc, free, null_mut()) };
    let stack = Stack::<Large>::with_options(&options().allocator(allocator)).expect("memory");
    // All nodes of six chunks, and with them all headers that are made at first.
    (0..42).for_each(|_| stack.push([1; 1024]));
    let turn = TURN.get_or_init(Turn::new);
    thread::scope(|scope| {
        scope.spawn(|| {
            // Has its cache before.
            let top = stack.pop().expect("filled");
            stack.push(top);
            WAITS.set(true);
            stack.push([2; 1024]);
            assert!(!WAITS.get(), "else this tests nothing");
        });
        scope.spawn(|| {
            turn.wait(1);
            // The seven of one chunk; the eighth brings the last of their nodes back.
            turn.pass(2, || (0..8).for_each(|_| assert!(stack.pop().is_some())));
        });
    });
}

/// Pair (1) → (2) of the registry: the number of a thread that has ended, and with it the cache.
#[test]
fn a_record_of_an_ended_thread() {
    let stack = stack();
    let turn = Turn::new();
    thread::scope(|scope| {
        let heir = scope.spawn(|| {
            turn.wait(1);
            stack.push(2_u64);
        });
        let first = scope.spawn(|| stack.push(1_u64));
        first.join().unwrap();
        turn.pass(1, || ());
        heir.join().unwrap();
    });
}
