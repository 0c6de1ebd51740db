//! Stack and queue: what went in comes out once, in the order that it must have.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use conex::{Domain, Options, Queue, Stack};

use crate::driver::{Subject, Suite, Where, Worker};

const WATCHDOG: Duration = Duration::from_secs(20);
const BATCH: usize = 3;

/// An element with something to free, which counts itself.
struct Element {
    token: u64,
    _live: Arc<()>,
}

fn element(live: &Arc<()>, worker: &mut Worker) -> Element {
    let token = worker.token();
    worker.put.push(token);
    Element { token, _live: live.clone() }
}

fn took(worker: &mut Worker, elements: impl IntoIterator<Item = Element>) {
    worker.took.extend(elements.into_iter().map(|element| element.token));
}

/// Everything that was put in has come out, once.
pub(crate) fn conserved(workers: &[Worker], rest: Vec<u64>) -> Result<(), String> {
    let sorted = |mut all: Vec<u64>| {
        all.sort_unstable();
        all
    };
    let put = sorted(workers.iter().flat_map(|worker| worker.put.clone()).collect());
    let took = sorted(workers.iter().flat_map(|worker| worker.took.clone()).chain(rest).collect());
    if put == took { Ok(()) } else { Err(format!("{put:x?} went in, and {took:x?} came out")) }
}

/// What each producer put in comes out in the order in which it did, seen by any one consumer.
pub(crate) fn in_order(workers: &[Worker], rest: &[u64]) -> Result<(), String> {
    for took in workers.iter().map(|worker| &worker.took[..]).chain([rest]) {
        let mut last = BTreeMap::new();
        for token in took {
            if last.insert(token >> 32, *token).is_some_and(|before| before > *token) {
                return Err(format!("{token:x} came out after a later one"));
            }
        }
    }
    Ok(())
}

const STACK: &[&str] = &["push", "pop", "push_n", "pop_n", "pop_all", "len", "is_empty", "session"];

struct OfStack {
    domain: Domain,
    live: Arc<()>,
    stack: Mutex<Option<Arc<Stack<Element>>>>,
}

impl OfStack {
    fn new(worker: &mut Worker, elements: usize) -> Self {
        let domain = Domain::new().unwrap();
        let live = Arc::new(());
        let stack = Stack::with_options(&Options::new().domain(&domain)).unwrap();
        for _ in 0..elements {
            stack.push(element(&live, worker));
        }
        Self { domain, live, stack: Mutex::new(Some(Arc::new(stack))) }
    }
}

impl Subject for OfStack {
    fn run(&self, worker: &mut Worker, operation: usize) {
        let stack = self.stack.lock().unwrap().clone().expect("there until the end");
        match STACK[operation] {
            "push" => stack.push(element(&self.live, worker)),
            "pop" => took(worker, stack.pop()),
            "push_n" => {
                let elements = (0..BATCH).map(|_| element(&self.live, worker)).collect();
                assert!(stack.push_n(elements).is_ok());
            }
            "pop_n" => {
                let mut elements = Vec::new();
                stack.pop_n(BATCH, &mut elements);
                took(worker, elements);
            }
            "pop_all" => {
                stack.pop_all(|element| took(worker, [element]));
            }
            "len" => assert!(stack.len() < 10_000),
            "is_empty" => drop(std::hint::black_box(stack.is_empty())),
            "session" => {
                let mut guard = self.domain.enter();
                stack.push(element(&self.live, worker));
                guard.refresh();
                took(worker, stack.pop());
            }
            other => unreachable!("{other}"),
        }
    }

    fn verify(&self, workers: &[Worker]) -> Result<(), String> {
        let stack = self.stack.lock().unwrap().take().expect("there until now");
        let len = stack.len();
        let rest: Vec<_> = std::iter::from_fn(|| stack.pop()).map(|element| element.token).collect();
        if rest.len() != len {
            return Err(format!("len says {len}, and {} came out", rest.len()));
        }
        drop(stack);
        conserved(workers, rest)?;
        if Arc::strong_count(&self.live) == 1 { Ok(()) } else { Err("an element was not dropped".into()) }
    }
}

const QUEUE: &[&str] = &[
    "push",
    "pop",
    "push_n",
    "pop_n",
    "pop_wait",
    "pop_n_wait",
    "len",
    "is_empty",
    "is_closed",
    "session",
    "close",
];

struct OfQueue {
    domain: Domain,
    live: Arc<()>,
    queue: Mutex<Option<Arc<Queue<Element>>>>,
}

impl OfQueue {
    fn new(worker: &mut Worker, elements: usize, pops: usize) -> Self {
        let domain = Domain::new().unwrap();
        let live = Arc::new(());
        // As small segments as there are, so that they end, and are used again, all the time.
        let queue = Queue::with_segments(&Options::new().domain(&domain), 1).unwrap();
        for _ in 0..elements {
            queue.push(element(&live, worker));
        }
        for _ in 0..pops {
            took(worker, queue.pop());
        }
        Self { domain, live, queue: Mutex::new(Some(Arc::new(queue))) }
    }

    fn push(&self, queue: &Queue<Element>, worker: &mut Worker) {
        let element = element(&self.live, worker);
        if let Err(element) = queue.try_push(element) {
            // Closed by the operation of that name.
            assert!(queue.is_closed());
            assert_eq!(worker.put.pop(), Some(element.token));
        }
    }
}

impl Subject for OfQueue {
    fn run(&self, worker: &mut Worker, operation: usize) {
        let queue = self.queue.lock().unwrap().clone().expect("there until the end");
        match QUEUE[operation] {
            "push" => self.push(&queue, worker),
            "pop" => took(worker, queue.pop()),
            "push_n" => {
                let elements = (0..BATCH).map(|_| element(&self.live, worker)).collect();
                if let Err(left) = queue.push_n(elements) {
                    assert!(queue.is_closed());
                    worker.put.truncate(worker.put.len() - left.len());
                }
            }
            "pop_n" => {
                let mut elements = Vec::new();
                queue.pop_n(BATCH, &mut elements);
                took(worker, elements);
            }
            // They may wait; this is all of them but the sleep.
            "pop_wait" => took(worker, queue.pop_wait(Duration::from_micros(1))),
            "pop_n_wait" => {
                let mut elements = Vec::new();
                let _ = queue.pop_n_wait(BATCH, &mut elements, Duration::ZERO);
                took(worker, elements);
            }
            "len" => assert!(queue.len() < 10_000),
            "is_empty" => drop(std::hint::black_box(queue.is_empty())),
            "is_closed" => drop(std::hint::black_box(queue.is_closed())),
            "session" => {
                let mut guard = self.domain.enter();
                self.push(&queue, worker);
                guard.refresh();
                took(worker, queue.pop());
            }
            // Ends it for all, so only the suite that is about it has it done.
            "close" => queue.close(),
            other => unreachable!("{other}"),
        }
    }

    /// Who waits is woken by a push that is not the parked thread's, or sees the end.
    fn demand(&self, worker: &mut Worker) {
        let queue = self.queue.lock().unwrap().clone().expect("there until the end");
        self.push(&queue, worker);
        took(worker, queue.pop_wait(Duration::from_secs(600)));
    }

    fn verify(&self, workers: &[Worker]) -> Result<(), String> {
        let queue = self.queue.lock().unwrap().take().expect("there until now");
        let len = queue.len();
        let rest: Vec<_> = std::iter::from_fn(|| queue.pop()).map(|element| element.token).collect();
        if rest.len() != len {
            return Err(format!("len says {len}, and {} came out", rest.len()));
        }
        drop(queue);
        in_order(workers, &rest)?;
        conserved(workers, rest)?;
        if Arc::strong_count(&self.live) == 1 { Ok(()) } else { Err("an element was not dropped".into()) }
    }
}

const OPEN: &[&str] =
    &["push", "pop", "push_n", "pop_n", "pop_wait", "pop_n_wait", "len", "is_empty", "is_closed", "session"];

fn stack(name: &str, elements: usize, beside: Option<&'static str>) -> Suite {
    Suite {
        name: name.to_string(),
        operations: STACK,
        victims: None,
        beside: beside.map(|operation| (operation, Where::Each)),
        make: Box::new(move |worker| Box::new(OfStack::new(worker, elements))),
        watchdog: WATCHDOG,
    }
}

fn queue(name: &str, elements: usize, pops: usize, beside: Option<&'static str>) -> Suite {
    Suite {
        name: name.to_string(),
        operations: OPEN,
        victims: None,
        beside: beside.map(|operation| (operation, Where::Each)),
        make: Box::new(move |worker| Box::new(OfQueue::new(worker, elements, pops))),
        watchdog: WATCHDOG,
    }
}

pub(crate) fn suites() -> Vec<Suite> {
    let mut suites = vec![stack("stack, empty", 0, None), stack("stack, 5 elements", 5, None)];
    for beside in ["push", "pop", "push_n", "pop_all"] {
        suites.push(stack(&format!("stack, beside a parked {beside}"), 2, Some(beside)));
    }
    suites.push(queue("queue, empty", 0, 0, None));
    suites.push(queue("queue, 5 elements", 5, 0, None));
    // At least one of these fills a segment to its end: that is where one is appended, and the last one left.
    for elements in 6..=8 {
        let name = format!("queue, {elements} elements and as many gone");
        let victims = Some(&["push", "pop", "push_n", "pop_n"] as &[_]);
        suites.push(Suite { victims, ..queue(&name, 2 * elements, elements, None) });
    }
    // Of an empty one, a popper comes to the parked pusher's slot, and a pusher to the one that waits.
    for (beside, elements) in [("push", 0), ("push_n", 0), ("pop", 2), ("pop_n", 2), ("pop_wait", 0)] {
        suites.push(queue(&format!("queue, beside a parked {beside}"), elements, 0, Some(beside)));
    }
    let victims = Some(&["close", "push", "push_n", "pop_wait"] as &[_]);
    suites.push(Suite { operations: QUEUE, victims, ..queue("queue, being closed", 2, 0, None) });
    suites
}
