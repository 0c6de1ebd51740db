//! What a queue hands on: elements and segments.

use conex::Queue;

use super::options;
use super::turns::{relay, until};

/// A queue each of whose segments has one slot. The first segment is full.
fn queue(first: u64) -> Queue<Box<u64>> {
    let queue = Queue::with_segments(&options(), 1).expect("memory");
    queue.push(Box::new(first));
    queue
}

/// Pair (1) → (2), one by one and in batches.
#[test]
fn an_element_of_a_queue() {
    let queue = Queue::with_segments(&options(), 8).expect("memory");
    relay(&[
        (0, &|| queue.push(Box::new(7))),
        (1, &|| until(|| queue.pop().is_some_and(|element| *element == 7))),
    ]);
    let batch = || (1..=3).map(Box::new).collect();
    relay(&[
        (0, &|| assert!(queue.push_n(batch()).is_ok())),
        (1, &|| {
            let mut popped = Vec::new();
            until(|| {
                queue.pop_n(3, &mut popped);
                popped.len() == 3
            });
            assert_eq!(popped, batch());
        }),
    ]);
}

/// Pair (3) → (4): a segment that is found by the link of the one before it.
#[test]
fn a_segment_behind_another() {
    let queue = queue(1);
    relay(&[
        (0, &|| queue.push(Box::new(2))),
        (1, &|| until(|| queue.pop().is_some_and(|element| *element == 1))),
        (1, &|| until(|| queue.pop().is_some_and(|element| *element == 2))),
    ]);
}

/// Pair (5) → (4): by the tail.
#[test]
fn a_segment_at_the_tail() {
    let queue = queue(1);
    relay(&[(0, &|| queue.push(Box::new(2))), (1, &|| queue.push(Box::new(3)))]);
}

/// Pair (5) → (4): by the head.
#[test]
fn a_segment_at_the_head() {
    let queue = queue(1);
    relay(&[
        (0, &|| queue.push(Box::new(2))),
        (0, &|| until(|| queue.pop().is_some_and(|element| *element == 1))),
        // Leaves the first segment, and does not add to a number of the second one.
        (0, &|| until(|| !queue.is_empty())),
        (1, &|| until(|| queue.pop().is_some_and(|element| *element == 2))),
    ]);
}

/// Pair (9): a segment that comes from the pool.
#[test]
fn a_segment_of_the_pool() {
    let queue = queue(1);
    relay(&[
        (0, &|| queue.push(Box::new(2))),
        (0, &|| until(|| queue.pop().is_some_and(|element| *element == 1))),
        (0, &|| until(|| !queue.is_empty())),
        (1, &|| queue.push(Box::new(3))),
    ]);
}

/// Pairs (3) → (4) of the hazards and (1) → (2) of what waits: a segment that one thread left in passing, another one
/// retired while it was named, and a third one uses again.
#[test]
fn a_segment_that_was_named() {
    let queue = queue(1);
    queue.push(Box::new(2));
    queue.push(Box::new(3));
    relay(&[
        // Names the first segment.
        (2, &|| until(|| !queue.is_empty())),
        (0, &|| until(|| queue.pop().is_some_and(|element| *element == 1))),
        // Retires it: it is named, and waits.
        (0, &|| until(|| !queue.is_empty())),
        // Names the second one.
        (2, &|| until(|| !queue.is_empty())),
        (1, &|| until(|| queue.pop().is_some_and(|element| *element == 2))),
        // Retires the second one, and finds the first one free.
        (1, &|| until(|| !queue.is_empty())),
        (1, &|| queue.push(Box::new(4))),
    ]);
}
