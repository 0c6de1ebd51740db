//! How much memory a stack has for what is in it, and that it comes back while the stack is in use.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use conex::Stack;

use super::common::scaled;
use super::{CHUNK, ledger, private};

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
