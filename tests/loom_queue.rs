//! Models of the queue: every interleaving (up to a number of preemptions) of a few operations on segments of a few slots
//! is run, and each history is checked for linearizability against a `VecDeque`.
//!
//! ```text
//! RUSTFLAGS="--cfg loom --cfg crossbeam_loom --cfg crossbeam_sanitize" cargo test --release --test loom_queue
//! ```

#![cfg(loom)]

#[path = "common/history.rs"]
mod history;
#[path = "common/models.rs"]
mod models;

use history::Model;
use models::Within;

/// Two threads on a queue with segments of so many slots, which `begin` fills. `within` has a number of preemptions for each of the
/// ways that [`models::race`] speaks of. `check` gets what is left in the queue, and the answers.
fn race<R: 'static, S: 'static>(
    within: &[usize],
    segment: usize,
    begin: fn(&Model),
    one: fn(&Model) -> R,
    other: fn(&Model) -> S,
    check: fn(Vec<u32>, R, S),
) {
    let within: Vec<_> = within.iter().map(|bound| Within::Preemptions(*bound)).collect();
    let prepare = move || {
        let model = Model::new(segment);
        begin(&model);
        model
    };
    models::race(&within, prepare, one, other, move |model: Model, mine, theirs| {
        check(model.check(), mine, theirs);
    });
}

/// For a queue that is empty at first.
fn nothing(_: &Model) {}

/// For a model that has nothing to say but whether its history is linearizable.
fn any<R, S>(_: Vec<u32>, _: R, _: S) {}

/// For a queue that was closed and found empty.
fn nothing_left<R, S>(left: Vec<u32>, _: R, _: S) {
    assert!(left.is_empty(), "closed and empty is for ever");
}

/// The element is seen as it was written, or not at all. The second one is made after the pusher's first operation: the
/// fence of that one would order what was written before it, whatever the push does.
#[test]
fn publish() {
    race(&[2, 1], 4, nothing, pop_twice, push_twice, any);
}

fn push_twice(model: &Model) {
    model.push(1);
    model.push(2);
}

fn pop_twice(model: &Model) {
    model.pop();
    model.pop();
}

/// A slow pusher's slot is given up for an element behind it.
#[test]
fn poison() {
    let popper = |model: &Model| {
        model.push(2);
        assert!(model.pop().is_some(), "at least this thread's own element is there");
        model.pop();
    };
    race(&[3, 2], 2, nothing, popper, |model| model.push(1), any);
}

/// The same with an element that was made after the pusher's first fence, which is nobody's to order but the slot's.
#[test]
fn poison_comes_too_late() {
    let popper = |model: &Model| {
        model.push(3);
        pop_twice(model);
    };
    race(&[2, 1], 4, nothing, popper, push_twice, any);
}

/// A popper gets a number other than the one that it has looked at, and its look at the slot of that one is out of date: it gives up
/// a slot that is filled. Neither pop nor push of the other thread has a fence between its element and the slot.
#[test]
fn a_filled_slot_is_given_up() {
    let other = |model: &Model| {
        // Names the segment in both roles, with fences.
        model.queue.len();
        model.pop();
        model.push(2);
    };
    race(&[2, 2], 4, |model| model.push(1), |model| model.pop(), other, any);
}

/// A popper finds a new segment before its pusher has moved the tail. When the pusher runs first, one preemption suffices.
#[test]
fn a_segment_behind_the_tail() {
    race(&[2, 2], 1, |model| model.push(1), |model| model.push(2), pop_twice, any);
}

/// Two poppers after one element, and one that comes late.
#[test]
fn poppers() {
    let late = |model: &Model| {
        model.pop();
        model.push(2);
    };
    race(&[2, 2], 2, |model| model.push(1), late, |model| model.pop(), any);
}

/// Two pushers append a segment at the same time, and a popper leaves one.
#[test]
fn change_of_segments() {
    let popper = |model: &Model| {
        model.push(4);
        pop_twice(model);
    };
    let pusher = |model: &Model| {
        model.push(2);
        model.push(3);
    };
    race(&[2, 1], 1, |model| model.push(1), popper, pusher, any);
}

/// Two poppers leave a segment at the same time: one retires it while the other may still be in it.
#[test]
fn reclaim() {
    let one = |model: &Model| {
        model.pop();
        model.push(4);
    };
    race(&[2, 1], 1, |model| model.push_n(&[1, 2, 3]), one, pop_twice, any);
}

/// A segment goes through the pool and comes back while a slow thread still names it.
#[test]
fn reuse() {
    let fast = |model: &Model| {
        for number in 2..4 {
            model.push(number);
            assert!(model.pop().is_some());
        }
    };
    race(&[1, 1], 1, nothing, fast, |model| model.push(1), any);
}

/// A segment that was left comes out of the pool at once, for a pusher that has not had a fence since.
#[test]
fn a_segment_of_the_pool() {
    let begin = |model: &Model| {
        push_twice(model);
        // Names the last segment, and not the one that goes to the pool.
        assert!(!model.queue.is_closed());
    };
    race(&[2, 1], 1, begin, |model| model.push(3), pop_twice, any);
}

/// "Empty" is true at a moment of the call, also at the end of a segment.
#[test]
fn empty() {
    let looker = |model: &Model| {
        model.is_empty();
        model.push(3);
        model.is_empty();
    };
    let pusher = |model: &Model| {
        model.push(1);
        model.pop();
        model.push(2);
    };
    race(&[2, 1], 2, nothing, looker, pusher, any);
}

/// A batch stays in order past slots that were given up, and across segments.
#[test]
fn batch_in_order() {
    let popper = |model: &Model| {
        model.push(9);
        [model.pop(), model.pop()]
    };
    let pusher = |model: &Model| model.push_n(&[1, 2, 3]);
    race(&[2, 1], 4, nothing, popper, pusher, |left, popped, ()| {
        let got: Vec<_> = popped.into_iter().flatten().chain(left).collect();
        let batch: Vec<_> = got.iter().copied().filter(|number| *number < 9).collect();
        assert_eq!(batch, [1, 2, 3]);
        assert_eq!(got.len(), 4);
    });
}

/// Batches of pops beside single ones.
#[test]
fn batch_of_pops() {
    let batch = |model: &Model| assert!(model.pop_n(3).is_sorted());
    race(&[2, 2], 2, |model| model.push_n(&[1, 2, 3]), batch, |model| model.pop(), any);
}

/// A push that is under way when the queue is closed, and a popper that wants to know the end.
#[test]
fn close_against_push() {
    let closer = |model: &Model| {
        model.close();
        while model.pop_wait().is_some() {}
        model.is_empty();
    };
    race(&[2, 1], 2, nothing, closer, |model| model.push(1), nothing_left);
}

/// The same at the end of a segment, where the close and a new segment are after the same place.
#[test]
fn close_against_append() {
    let closer = |model: &Model| {
        model.close();
        model.push(4);
        while model.pop_wait().is_some() {}
    };
    let pusher = |model: &Model| {
        model.push(2);
        model.push(3);
    };
    race(&[2, 1], 1, |model| model.push(1), closer, pusher, nothing_left);
}

/// A waiter is woken by the push that it waits for: a lost wake-up is a deadlock, which loom reports.
#[test]
fn wake_up() {
    let waiter = |model: &Model| assert_eq!(model.pop_wait(), Some(1));
    race(&[2, 1], 2, nothing, |model| model.push(1), waiter, any);
}

/// A waiter is woken by the close.
#[test]
fn wake_up_by_close() {
    let waiter = |model: &Model| assert_eq!(model.pop_wait(), None);
    race(&[2, 1], 2, nothing, Model::close, waiter, any);
}

/// One waiter, an element, and an end.
#[test]
fn wait_for_all() {
    let end = |model: &Model| {
        model.push(1);
        model.close();
    };
    race(&[1, 1], 1, nothing, end, |model| while model.pop_wait().is_some() {}, nothing_left);
}
