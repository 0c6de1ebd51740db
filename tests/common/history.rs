//! Histories of a queue in loom: a queue that writes down each call, and a search for an order of the calls that a queue could
//! have had.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use conex::{Domain, Options, PopError, Queue};
use loom::cell::UnsafeCell;

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
pub(crate) struct Element {
    number: UnsafeCell<u32>,
    _track: loom::alloc::Track<()>,
}

/// A queue and its history.
pub(crate) struct Model {
    pub(crate) queue: Queue<Box<Element>>,
    history: Mutex<History>,
}

impl Model {
    /// With segments of so many slots.
    pub(crate) fn new(segment: usize) -> Self {
        let domain = Domain::new().expect("memory");
        let queue = Queue::with_segments(&Options::new().domain(&domain), segment).expect("memory");
        Self { queue, history: Mutex::default() }
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

    pub(crate) fn push(&self, number: u32) {
        let begin = self.tick();
        let pushed = self.queue.try_push(element(number)).is_ok();
        self.record(if pushed { Op::Push(number) } else { Op::Refused }, begin);
    }

    pub(crate) fn close(&self) {
        let begin = self.tick();
        self.queue.close();
        self.record(Op::Close, begin);
    }

    pub(crate) fn pop_wait(&self) -> Option<u32> {
        let begin = self.tick();
        let popped = self.queue.pop_wait(Duration::MAX);
        let popped = popped.map(|element| element.number.with(|number| unsafe { *number }));
        assert_ne!(popped, Err(PopError::TimedOut));
        self.record(popped.map_or(Op::Closed, |number| Op::Pop(Some(number))), begin);
        popped.ok()
    }

    /// A batch: as many calls that all begin and end with it, in an order of their own.
    pub(crate) fn push_n(&self, numbers: &[u32]) {
        let begin = self.tick();
        assert!(self.queue.push_n(numbers.iter().map(|number| element(*number)).collect()).is_ok());
        // One after the other within the time of the call: the order of a batch is part of what is checked.
        let end = self.tick();
        let mut history = self.history.lock().expect("not poisoned");
        history.calls.extend(numbers.iter().map(|number| Call { op: Op::Push(*number), begin, end }));
    }

    pub(crate) fn pop(&self) -> Option<u32> {
        let begin = self.tick();
        let popped = self.queue.pop().map(|element| element.number.with(|number| unsafe { *number }));
        self.record(Op::Pop(popped), begin);
        popped
    }

    pub(crate) fn pop_n(&self, n: usize) -> Vec<u32> {
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

    pub(crate) fn is_empty(&self) -> bool {
        let begin = self.tick();
        let empty = self.queue.is_empty();
        self.record(Op::IsEmpty(empty), begin);
        empty
    }

    /// Empties the queue and checks the run. Returns what was left.
    pub(crate) fn check(self) -> Vec<u32> {
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
