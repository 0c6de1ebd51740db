//! The memory of the stack: how much there is, that it comes back, and what happens when there is none.

#![cfg(not(loom))]

#[path = "../common/mod.rs"]
mod common;

use std::alloc::Layout;
use std::cell::OnceCell;
use std::ffi::c_void;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, OnceLock};
use std::thread;

use common::{Counted, Failing, scaled};
use conex::{Allocator, Domain, Options, Stack};

/// The bytes of a chunk of small elements.
const CHUNK: isize = 4096;

/// Options with a domain of their own, so that nothing is left at the end of the test.
fn private() -> Options {
    Options::new().domain(&Domain::new().expect("memory"))
}

/// Counts what is allocated, and never fails.
fn ledger() -> Failing {
    Failing::new(isize::MAX)
}

#[test]
fn memory_comes_back_while_the_stack_is_in_use() {
    let ledger = ledger();
    let stack = Stack::<u64>::with_options(&private().allocator(ledger.allocator())).expect("memory");
    assert!(ledger.outstanding() + size_of_val(&stack) as isize <= 2048, "an unused stack is small");
    stack.push(1);
    assert!(ledger.outstanding() <= CHUNK + 512, "a chunk, a cache, some headers: {}", ledger.outstanding());
    let many = if cfg!(miri) { 800 } else { 1_000_000 };
    for round in 0..if cfg!(miri) { 1 } else { 3 } {
        for number in 0..many {
            stack.push(number);
        }
        let peak = ledger.outstanding();
        assert!(2 * peak < many as isize * 33 + 40_000, "{peak} bytes for {many} words");
        for number in (0..many).rev() {
            assert_eq!(stack.pop(), Some(number));
        }
        // Headers stay, 24 bytes for each chunk that there was; and few chunks.
        let bound = 8 * CHUNK + many as isize / 10;
        let left = ledger.outstanding();
        assert!(
            left <= bound,
            "a drained stack has {left} bytes after round {round}, at most {bound} allowed"
        );
    }
    assert_eq!(stack.pop(), Some(1));
    drop(stack);
    assert_eq!(ledger.outstanding(), 0);
}

/// Batches come and go at constant size, and in chunks that different threads have filled.
#[test]
fn churn_is_flat() {
    let ledger = ledger();
    let stack = Stack::<u64>::with_options(&private().allocator(ledger.allocator())).expect("memory");
    let rounds = scaled(2_000);
    let peak = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut popped = Vec::new();
                for round in 0..rounds {
                    let n = 1 + round * 7 % 100;
                    stack.push_n((0..n as u64).collect()).expect("memory");
                    popped.clear();
                    stack.pop_n(n, &mut popped);
                    peak.fetch_max(ledger.outstanding() as usize, Ordering::Relaxed);
                }
            });
        }
    });
    // Of three threads, no more than 300 elements; caches and chunks in hand besides.
    let peak = peak.into_inner() as isize;
    assert!(peak <= 3 * 80 * CHUNK, "{peak} bytes for 300 words");
    drop(stack);
    assert_eq!(ledger.outstanding(), 0);
}

/// Chunks of which some nodes are free are filled again before new ones are taken, and when they have gone, their headers are
/// used again.
#[test]
fn churn_of_a_part_is_flat() {
    let ledger = ledger();
    let stack = Stack::<u64>::with_options(&private().allocator(ledger.allocator())).expect("memory");
    let push = |n| (0..n).for_each(|number| stack.push(number));
    let pop = |n| (0..n).for_each(|_| assert!(stack.pop().is_some()));
    let mut held = 0;
    for round in 0..scaled(2_000) {
        push(600);
        pop(300);
        push(300);
        pop(600);
        if round < 3 {
            held = held.max(ledger.outstanding());
        }
        assert!(
            ledger.outstanding() <= held,
            "{} bytes after round {round}, once {held}",
            ledger.outstanding()
        );
    }
    assert_eq!(stack.pop(), None);
    drop(stack);
    assert_eq!(ledger.outstanding(), 0);
}

/// Threads that stopped somewhere in the past hold back the chunks that they name and those of the nodes they keep.
#[test]
fn idle_threads_hold_back_little() {
    let ledger = ledger();
    let stack = Stack::<u64>::with_options(&private().allocator(ledger.allocator())).expect("memory");
    let (idle, many) = if cfg!(miri) { (2, 600) } else { (6, 200_000) };
    let gate = Barrier::new(idle + 1);
    thread::scope(|scope| {
        for _ in 0..idle {
            scope.spawn(|| {
                for _ in 0..3 {
                    gate.wait();
                    // In the middle of what the others put there.
                    stack.push(0);
                    for _ in 0..2 {
                        stack.pop();
                    }
                    gate.wait();
                }
                // Idle, as it were stalled, with its names as they are.
                gate.wait();
            });
        }
        for _ in 0..3 {
            stack.push_n((0..many).collect()).expect("memory");
            gate.wait();
            gate.wait();
            while stack.pop().is_some() {}
        }
        // Each names two, has one that it took, and kept nodes of six at most.
        let bound = (9 * idle as isize + 8) * CHUNK + many as isize / 10;
        let left = ledger.outstanding();
        assert!(left <= bound, "{left} bytes are held back, at most {bound} should");
        gate.wait();
    });
    drop(stack);
    assert_eq!(ledger.outstanding(), 0);
}

/// The worst that a thread can do: its free nodes are each of another chunk, and it took a chunk's free nodes before.
#[test]
fn a_cache_holds_few_chunks_whatever_it_took() {
    const NODES: usize = 255;
    let ledger = ledger();
    let stack = Stack::<u64>::with_options(&private().allocator(ledger.allocator())).expect("memory");
    let pushes = |n| (0..n).for_each(|_| stack.push(0));
    let pops = |n| (0..n).for_each(|_| assert!(stack.pop().is_some()));
    let adopted = scaled(200).max(40);
    // The other thread does what it is told: pushes so many, or pops so many.
    let (tell, told) = std::sync::mpsc::channel::<isize>();
    let (say, done) = std::sync::mpsc::channel();
    thread::scope(|scope| {
        scope.spawn(move || {
            for what in told {
                if what > 0 {
                    pushes(what)
                } else {
                    pops(-what)
                }
                say.send(()).expect("the test listens");
            }
        });
        let other = |what: isize| {
            tell.send(what).expect("the other thread listens");
            done.recv().expect("the other thread answers");
        };
        pushes(8 * NODES as isize);
        pops(8 * NODES as isize - 1);
        // It takes the free nodes of a chunk, and uses them up.
        other(adopted as isize);
        pops(adopted as isize);
        // It pops one of each chunk.
        let chunks = adopted + 30;
        pushes((NODES * (chunks + 2)) as isize);
        for _ in 0..chunks {
            pops(NODES as isize - 2);
            other(-1);
        }
        while stack.pop().is_some() {}
        let bound = (64 + 1 + 8) * CHUNK + 24 * (chunks as isize + 200);
        let left = ledger.outstanding();
        assert!(left <= bound, "{left} bytes are held back, at most {bound} should");
        drop(tell);
    });
    drop(stack);
    assert_eq!(ledger.outstanding(), 0);
}

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

/// A stack used by the destructor of a thread-local of another library, when this one's are gone.
#[test]
fn a_thread_may_use_the_stack_while_it_ends() {
    const SOME: u32 = if cfg!(miri) { 100 } else { 500 };
    struct AtExit(Arc<Stack<u32>>);
    impl Drop for AtExit {
        fn drop(&mut self) {
            for number in 0..SOME {
                self.0.push(number);
            }
            for _ in 0..SOME - 10 {
                assert!(self.0.pop().is_some());
            }
        }
    }
    thread_local! {
        static AT_EXIT: OnceCell<AtExit> = const { OnceCell::new() };
    }
    let stack = Arc::new(Stack::with_options(&private()).expect("memory"));
    for first in [true, false] {
        let stack = stack.clone();
        thread::spawn(move || {
            // Thread-locals end in the order of their first use, or in the reverse one: try both.
            if first {
                AT_EXIT
                    .with(|at_exit| at_exit.set(AtExit(stack.clone())))
                    .unwrap_or_else(|_| panic!("unused"));
                stack.push(100);
            } else {
                stack.push(100);
                AT_EXIT
                    .with(|at_exit| at_exit.set(AtExit(stack.clone())))
                    .unwrap_or_else(|_| panic!("unused"));
            }
        })
        .join()
        .expect("the thread");
    }
    assert_eq!(stack.len(), 22);
    while stack.pop().is_some() {}
}

/// More threads at once than there are places that are found at once: each has a cache, and leaves it to others.
#[test]
fn many_threads_share_their_caches() {
    let ledger = ledger();
    let stack = Stack::<usize>::with_options(&private().allocator(ledger.allocator())).expect("memory");
    let threads = if cfg!(miri) { 18 } else { 100 };
    let mut after_first = 0;
    for round in 0..3 {
        let gate = Barrier::new(threads);
        thread::scope(|scope| {
            let started = (0..threads).map(|thread| {
                let (stack, gate) = (&stack, &gate);
                scope.spawn(move || {
                    stack.push(thread);
                    gate.wait();
                    assert!(stack.pop().is_some());
                    // Until all have one: nobody's record is free before.
                    gate.wait();
                })
            });
            // Joined one by one: the end of the scope alone does not wait until a thread has given its record back.
            for thread in started.collect::<Vec<_>>() {
                thread.join().expect("the thread");
            }
        });
        assert_eq!((stack.len(), stack.is_empty()), (0, true));
        if round == 0 {
            after_first = ledger.outstanding();
        }
    }
    assert!(ledger.outstanding() <= after_first, "{} bytes after {after_first}", ledger.outstanding());
    drop(stack);
    assert_eq!(ledger.outstanding(), 0);
}
