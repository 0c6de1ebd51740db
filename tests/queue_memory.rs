//! The memory of the queue: how much there is, that it comes back, and what happens when there is none.

#![cfg(not(loom))]

mod common;

use std::alloc::Layout;
use std::cell::OnceCell;
use std::ffi::c_void;
use std::sync::{Arc, Barrier, OnceLock};
use std::thread;

use common::{Failing, scaled};
use conex::{Allocator, Domain, Options, Queue};

/// Options with a domain of their own, so that nothing is left at the end of the test.
fn private() -> Options {
    Options::new().domain(&Domain::new().expect("memory"))
}

/// Counts what is allocated, and never fails.
fn ledger() -> Failing {
    Failing::new(isize::MAX)
}

#[test]
fn memory_comes_back() {
    let ledger = ledger();
    let queue = Queue::<u64>::with_options(&private().allocator(ledger.allocator())).expect("memory");
    assert!(
        ledger.outstanding() + size_of_val(&queue) as isize <= 4096,
        "an idle empty queue has {} bytes",
        ledger.outstanding()
    );
    let many = if cfg!(miri) { 5_000 } else { 1_000_000 };
    for number in 0..many {
        queue.push(number);
    }
    let peak = ledger.outstanding();
    assert!(peak < many as isize * 10 + 40_000, "{peak} bytes for {many} words");
    for number in 0..many {
        assert_eq!(queue.pop(), Some(number));
    }
    assert!(ledger.outstanding() <= 3 * 17 * 1024, "a drained queue has {} bytes", ledger.outstanding());
    drop(queue);
    assert_eq!(ledger.outstanding(), 0);
}

/// Threads that stopped somewhere in the past hold back no more than two segments each.
#[test]
fn idle_threads_hold_back_little() {
    let ledger = ledger();
    let options = private().allocator(ledger.allocator());
    let queue = Queue::<u64>::with_segments(&options, 64).expect("memory");
    let one = ledger.outstanding();
    let (idle, rounds) = if cfg!(miri) { (3, 10) } else { (6, 1000) };
    let gate = Barrier::new(idle + 1);
    thread::scope(|scope| {
        for _ in 0..idle {
            scope.spawn(|| {
                queue.push(0);
                queue.pop();
                gate.wait();
                // Idle, as it were stalled, with its slots as they are.
                gate.wait();
            });
        }
        gate.wait();
        for round in 0..rounds * 64 {
            queue.push(round);
            assert!(queue.pop().is_some());
        }
        let bound = (2 * idle as isize + 4) * one;
        assert!(
            ledger.outstanding() <= bound,
            "{} bytes are held back, at most {bound} should",
            ledger.outstanding()
        );
        gate.wait();
    });
    drop(queue);
    assert_eq!(ledger.outstanding(), 0);
}

/// Whichever allocation of a scenario fails, nothing is lost.
#[test]
fn no_memory_loses_nothing() {
    let scenario = |successes: isize| {
        let ledger = Failing::new(successes);
        let options = private().allocator(ledger.allocator());
        let Ok(queue) = Queue::<Box<usize>>::with_segments(&options, 4) else {
            assert_eq!(ledger.outstanding(), 0);
            return successes == 0;
        };
        let mut failed = false;
        let mut expected = Vec::new();
        for number in 0..scaled(30).max(8) {
            let mut element = Box::new(number);
            while let Err(back) = queue.try_push(element) {
                assert_eq!(*back, number);
                failed = true;
                element = back;
            }
            expected.push(number);
            let mut batch: Vec<_> = (0..number).map(|i| Box::new(1000 * number + i)).collect();
            expected.extend(batch.iter().map(|element| **element));
            while let Err(rest) = queue.push_n(batch) {
                assert!(rest.len() <= number);
                failed = true;
                batch = rest;
            }
        }
        assert_eq!(queue.len(), expected.len());
        assert_eq!(queue.into_iter().map(|element| *element).collect::<Vec<_>>(), expected);
        assert_eq!(ledger.outstanding(), 0);
        failed
    };
    let mut successes = 0;
    while scenario(successes) {
        successes += 1;
    }
    assert!(successes > 5, "the scenario allocates a segment every four elements");
}

/// An allocator hook that uses the very queue it serves, on the same thread.
#[test]
fn a_hook_may_use_the_queue() {
    type Shared = OnceLock<Queue<usize>>;
    unsafe extern "C-unwind" fn allocate(size: usize, align: usize, ctx: *mut c_void) -> *mut c_void {
        // SAFETY: the cell below.
        if let Some(queue) = unsafe { &*ctx.cast::<Shared>() }.get() {
            // Pops only: a push here could need memory for ever.
            while queue.pop().is_some() {}
        }
        // SAFETY: a container never asks for nothing.
        unsafe { std::alloc::alloc(Layout::from_size_align(size, align).expect("a layout")).cast() }
    }
    unsafe extern "C-unwind" fn free(ptr: *mut c_void, size: usize, align: usize, _: *mut c_void) {
        // SAFETY: allocated above with this layout.
        unsafe { std::alloc::dealloc(ptr.cast(), Layout::from_size_align(size, align).expect("a layout")) };
    }
    let shared = Box::new(Shared::new());
    // SAFETY: both may be called from anywhere while the cell lives.
    let allocator =
        unsafe { Allocator::hooks(allocate, free, std::ptr::from_ref(&*shared).cast_mut().cast()) };
    let queue = Queue::with_segments(&private().allocator(allocator), 3).expect("memory");
    let queue = shared.get_or_init(|| queue);
    for number in 0..100 {
        queue.push(number);
    }
    while queue.pop().is_some() {}
    assert!(queue.is_empty());
}

/// A queue used by the destructor of a thread-local of another library, when this one's are gone.
#[test]
fn a_thread_may_use_the_queue_while_it_ends() {
    struct AtExit(Arc<Queue<u32>>);
    impl Drop for AtExit {
        fn drop(&mut self) {
            for number in 0..20 {
                self.0.push(number);
            }
            for _ in 0..10 {
                assert!(self.0.pop().is_some());
            }
        }
    }
    thread_local! {
        static AT_EXIT: OnceCell<AtExit> = const { OnceCell::new() };
    }
    let queue = Arc::new(Queue::with_segments(&private(), 2).expect("memory"));
    for first in [true, false] {
        let queue = queue.clone();
        thread::spawn(move || {
            // Thread-locals end in the order of their first use, or in the reverse one: try both.
            if first {
                AT_EXIT
                    .with(|at_exit| at_exit.set(AtExit(queue.clone())))
                    .unwrap_or_else(|_| panic!("unused"));
                queue.push(100);
            } else {
                queue.push(100);
                AT_EXIT
                    .with(|at_exit| at_exit.set(AtExit(queue.clone())))
                    .unwrap_or_else(|_| panic!("unused"));
            }
        })
        .join()
        .expect("the thread");
    }
    assert_eq!(queue.len(), 22);
    while queue.pop().is_some() {}
}
