//! Models of the queue: every interleaving (up to a number of preemptions) of a few operations on segments of two slots
//! is run, and each history is checked for linearizability against a `VecDeque`.
//!
//! ```text
//! RUSTFLAGS="--cfg loom --cfg crossbeam_loom --cfg crossbeam_sanitize" cargo test --release --test loom_queue
//! ```

#![cfg(loom)]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use conex::{Domain, Options, PopError, Queue};
use loom::cell::UnsafeCell;
use loom::thread;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Op {
    Push(u32),
    Pop(Option<u32>),
    IsEmpty(bool),
    Close,
    /// A push that was refused because the queue was closed.
    Refused,
    /// A pop that waits found the queue closed and empty.
    Closed,
}

/// One call: when it began and returned, by a clock that counts both.
#[derive(Clone, Copy, Debug)]
struct Call {
    op: Op,
    begin: usize,
    end: usize,
}

/// The calls of one run. A standard mutex is invisible to loom, which runs one thread at a time.
#[derive(Default)]
struct History {
    clock: usize,
    calls: Vec<Call>,
}

impl History {
    /// Whether the calls can be put in an order that a queue could have, in which a call that returned before another
    /// began comes before it.
    fn is_linearizable(&self) -> bool {
        fn search(rest: &[Call], queue: &VecDeque<u32>, closed: bool) -> bool {
            if rest.is_empty() {
                return true;
            }
            let first_end = rest.iter().map(|call| call.end).min().unwrap_or(0);
            (0..rest.len()).filter(|at| rest[*at].begin < first_end).any(|at| {
                let (mut queue, mut closed) = (queue.clone(), closed);
                let possible = match rest[at].op {
                    Op::Push(element) => {
                        queue.push_back(element);
                        !closed
                    }
                    Op::Pop(element) => queue.pop_front() == element,
                    Op::IsEmpty(empty) => queue.is_empty() == empty,
                    Op::Close => {
                        closed = true;
                        true
                    }
                    Op::Refused => closed,
                    Op::Closed => closed && queue.is_empty(),
                };
                let mut others = rest.to_vec();
                others.remove(at);
                possible && search(&others, &queue, closed)
            })
        }
        search(&self.calls, &VecDeque::new(), false)
    }
}

/// An element whose reader is checked by loom to come after its writer; dropped exactly once, or loom finds a leak.
struct Element {
    number: UnsafeCell<u32>,
    _track: loom::alloc::Track<()>,
}

struct Model {
    queue: Queue<Box<Element>>,
    history: Mutex<History>,
}

impl Model {
    fn new(segment: usize) -> Arc<Self> {
        let domain = Domain::new().expect("memory");
        let queue = Queue::with_segments(&Options::new().domain(&domain), segment).expect("memory");
        Arc::new(Self { queue, history: Mutex::default() })
    }

    fn tick(&self) -> usize {
        let mut history = self.history.lock().expect("not poisoned");
        history.clock += 1;
        history.clock
    }

    fn record(&self, op: Op, begin: usize) {
        let end = self.tick();
        self.history.lock().expect("not poisoned").calls.push(Call { op, begin, end });
    }

    fn push(&self, number: u32) {
        let begin = self.tick();
        let pushed = self.queue.try_push(element(number)).is_ok();
        self.record(if pushed { Op::Push(number) } else { Op::Refused }, begin);
    }

    fn close(&self) {
        let begin = self.tick();
        self.queue.close();
        self.record(Op::Close, begin);
    }

    fn pop_wait(&self) -> Option<u32> {
        let begin = self.tick();
        let popped = self.queue.pop_wait(Duration::MAX);
        let popped = popped.map(|element| element.number.with(|number| unsafe { *number }));
        assert_ne!(popped, Err(PopError::TimedOut));
        self.record(popped.map_or(Op::Closed, |number| Op::Pop(Some(number))), begin);
        popped.ok()
    }

    /// A batch: as many calls that all begin and end with it, in an order of their own.
    fn push_n(&self, numbers: &[u32]) {
        let begin = self.tick();
        assert!(self.queue.push_n(numbers.iter().map(|number| element(*number)).collect()).is_ok());
        // One after the other within the time of the call: the order of a batch is part of what is checked.
        let end = self.tick();
        let mut history = self.history.lock().expect("not poisoned");
        history.calls.extend(numbers.iter().map(|number| Call { op: Op::Push(*number), begin, end }));
    }

    fn pop(&self) -> Option<u32> {
        let begin = self.tick();
        let popped = self.queue.pop().map(|element| element.number.with(|number| unsafe { *number }));
        self.record(Op::Pop(popped), begin);
        popped
    }

    fn pop_n(&self, n: usize) -> Vec<u32> {
        let begin = self.tick();
        let mut popped = Vec::new();
        self.queue.pop_n(n, &mut popped);
        let popped: Vec<_> =
            popped.iter().map(|element| element.number.with(|number| unsafe { *number })).collect();
        let end = self.tick();
        let mut history = self.history.lock().expect("not poisoned");
        history.calls.extend(popped.iter().map(|number| Call { op: Op::Pop(Some(*number)), begin, end }));
        if popped.is_empty() {
            history.calls.push(Call { op: Op::Pop(None), begin, end });
        }
        popped
    }

    fn is_empty(&self) -> bool {
        let begin = self.tick();
        let empty = self.queue.is_empty();
        self.record(Op::IsEmpty(empty), begin);
        empty
    }

    /// Empties the queue and checks the run.
    fn check(self: Arc<Self>) -> Vec<u32> {
        let mut rest = Vec::new();
        while let Some(number) = self.pop() {
            rest.push(number);
        }
        let history = self.history.lock().expect("not poisoned");
        assert!(history.is_linearizable(), "not linearizable: {:#?}", history.calls);
        rest
    }
}

fn element(number: u32) -> Box<Element> {
    Box::new(Element { number: UnsafeCell::new(number), _track: loom::alloc::Track::new(()) })
}

/// Runs `body` in all interleavings with up to `preemptions` preemptions.
fn explore(preemptions: usize, body: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.max_branches = 20_000;
    let runs = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = runs.clone();
    builder.check(move || {
        counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        body();
    });
    println!("{} interleavings", runs.load(std::sync::atomic::Ordering::Relaxed));
}

fn spawn(model: &Arc<Model>, body: impl FnOnce(&Model) + Send + 'static) -> thread::JoinHandle<()> {
    let model = model.clone();
    thread::spawn(move || body(&model))
}

#[test]
fn the_checker_can_say_no() {
    let call = |op, begin, end| Call { op, begin, end };
    let history = |calls| History { clock: 0, calls };
    let swapped = vec![call(Op::Push(1), 1, 2), call(Op::Push(2), 3, 4), call(Op::Pop(Some(2)), 5, 6)];
    assert!(!history(swapped).is_linearizable());
    let overlapping = vec![call(Op::Push(1), 1, 3), call(Op::Push(2), 2, 4), call(Op::Pop(Some(2)), 5, 6)];
    assert!(history(overlapping).is_linearizable());
    let forgotten = vec![call(Op::Push(1), 1, 2), call(Op::Pop(None), 3, 4)];
    assert!(!history(forgotten).is_linearizable());
    let both = vec![call(Op::Push(1), 1, 2), call(Op::IsEmpty(true), 3, 4)];
    assert!(!history(both).is_linearizable());
}

/// The element is seen as it was written, or not at all. The second one is made after the pusher's first operation: the
/// fence of that one would order what was written before it, whatever the push does.
#[test]
fn publish() {
    explore(2, || {
        let model = Model::new(4);
        let pusher = spawn(&model, |model| {
            model.push(1);
            model.push(2);
        });
        model.pop();
        model.pop();
        pusher.join().unwrap();
        model.check();
    });
}

/// A slow pusher's slot is given up for an element behind it.
#[test]
fn poison() {
    explore(3, || {
        let model = Model::new(2);
        let slow = spawn(&model, |model| model.push(1));
        model.push(2);
        assert!(model.pop().is_some(), "at least this thread's own element is there");
        model.pop();
        slow.join().unwrap();
        model.check();
    });
}

/// The same with an element that was made after the pusher's first fence, which is nobody's to order but the slot's.
#[test]
fn poison_comes_too_late() {
    explore(2, || {
        let model = Model::new(4);
        let slow = spawn(&model, |model| {
            model.push(1);
            model.push(2);
        });
        model.push(3);
        model.pop();
        model.pop();
        slow.join().unwrap();
        model.check();
    });
}

/// A popper finds a new segment before its pusher has moved the tail. The pusher runs first, so that one preemption suffices.
#[test]
fn a_segment_behind_the_tail() {
    explore(2, || {
        let model = Model::new(1);
        model.push(1);
        let popper = spawn(&model, |model| {
            model.pop();
            model.pop();
        });
        model.push(2);
        popper.join().unwrap();
        model.check();
    });
}

/// Two poppers after one element, and one that comes late.
#[test]
fn poppers() {
    explore(2, || {
        let model = Model::new(2);
        model.push(1);
        let other = spawn(&model, |model| {
            model.pop();
        });
        model.pop();
        model.push(2);
        other.join().unwrap();
        model.check();
    });
}

/// Two pushers append a segment at the same time, and a popper leaves one.
#[test]
fn change_of_segments() {
    explore(2, || {
        let model = Model::new(1);
        model.push(1);
        let pusher = spawn(&model, |model| {
            model.push(2);
            model.push(3);
        });
        model.push(4);
        model.pop();
        model.pop();
        pusher.join().unwrap();
        model.check();
    });
}

/// Two poppers leave a segment at the same time: one retires it while the other may still be in it.
#[test]
fn reclaim() {
    explore(2, || {
        let model = Model::new(1);
        model.push_n(&[1, 2, 3]);
        let popper = spawn(&model, |model| {
            model.pop();
            model.pop();
        });
        model.pop();
        model.push(4);
        popper.join().unwrap();
        model.check();
    });
}

/// A segment goes through the pool and comes back while a slow thread still names it.
#[test]
fn reuse() {
    explore(1, || {
        let model = Model::new(1);
        let other = spawn(&model, |model| model.push(1));
        for number in 2..4 {
            model.push(number);
            assert!(model.pop().is_some());
        }
        other.join().unwrap();
        model.check();
    });
}

/// "Empty" is true at a moment of the call, also at the end of a segment.
#[test]
fn empty() {
    explore(2, || {
        let model = Model::new(2);
        let pusher = spawn(&model, |model| {
            model.push(1);
            model.pop();
            model.push(2);
        });
        model.is_empty();
        model.push(3);
        model.is_empty();
        pusher.join().unwrap();
        model.check();
    });
}

/// A batch stays in order past slots that were given up, and across segments.
#[test]
fn batch_in_order() {
    explore(2, || {
        let model = Model::new(4);
        let pusher = spawn(&model, |model| model.push_n(&[1, 2, 3]));
        model.push(9);
        let mut got: Vec<_> = [model.pop(), model.pop()].into_iter().flatten().collect();
        pusher.join().unwrap();
        got.extend(model.check());
        let batch: Vec<_> = got.iter().copied().filter(|number| *number < 9).collect();
        assert_eq!(batch, [1, 2, 3]);
        assert_eq!(got.len(), 4);
    });
}

/// Batches of pops beside single ones.
#[test]
fn batch_of_pops() {
    explore(2, || {
        let model = Model::new(2);
        model.push_n(&[1, 2, 3]);
        let other = spawn(&model, |model| {
            model.pop();
        });
        let got = model.pop_n(3);
        assert!(got.is_sorted());
        other.join().unwrap();
        model.check();
    });
}

/// A push that is under way when the queue is closed, and a popper that wants to know the end.
#[test]
fn close_against_push() {
    explore(2, || {
        let model = Model::new(2);
        let pusher = spawn(&model, |model| model.push(1));
        model.close();
        while model.pop_wait().is_some() {}
        model.is_empty();
        pusher.join().unwrap();
        assert!(model.check().is_empty(), "closed and empty is for ever");
    });
}

/// The same at the end of a segment, where the close and a new segment are after the same place.
#[test]
fn close_against_append() {
    explore(2, || {
        let model = Model::new(1);
        model.push(1);
        let pusher = spawn(&model, |model| {
            model.push(2);
            model.push(3);
        });
        model.close();
        model.push(4);
        while model.pop_wait().is_some() {}
        pusher.join().unwrap();
        assert!(model.check().is_empty(), "closed and empty is for ever");
    });
}

/// A waiter is woken by the push that it waits for: a lost wake-up is a deadlock, which loom reports.
#[test]
fn wake_up() {
    explore(2, || {
        let model = Model::new(2);
        let waiter = spawn(&model, |model| assert_eq!(model.pop_wait(), Some(1)));
        model.push(1);
        waiter.join().unwrap();
        model.check();
    });
}

/// A waiter is woken by the close.
#[test]
fn wake_up_by_close() {
    explore(2, || {
        let model = Model::new(2);
        let waiter = spawn(&model, |model| assert_eq!(model.pop_wait(), None));
        model.close();
        waiter.join().unwrap();
        model.check();
    });
}

/// One waiter, an element, and an end.
#[test]
fn wait_for_all() {
    explore(1, || {
        let model = Model::new(1);
        let waiter = spawn(&model, |model| while model.pop_wait().is_some() {});
        model.push(1);
        model.close();
        waiter.join().unwrap();
        assert!(model.check().is_empty());
    });
}
