//! What threads have of a stack's memory: what idle ones hold back, what their caches keep, and what becomes of it at their
//! end.

use std::cell::OnceCell;
use std::sync::{Arc, Barrier};
use std::thread;

use conex::Stack;

use super::common::scaled;
use super::{CHUNK, ledger, private};

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
