//! The queue against a `VecDeque` behind a mutex, on one thread, for every operation.

#![cfg(not(loom))]

use std::cell::Cell;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Mutex;

use conex::{Domain, Options, Queue};
use proptest::prelude::*;

const CASES: u32 = if cfg!(miri) { 2 } else { 256 };
const STEPS: usize = if cfg!(miri) { 16 } else { 200 };

#[derive(Clone, Debug)]
enum Step {
    Push,
    PushN(usize),
    Pop,
    PopN(usize),
    Len,
    IsEmpty,
    Drain(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => Just(Step::Push),
        3 => (0_usize..40).prop_map(Step::PushN),
        8 => Just(Step::Pop),
        3 => (0_usize..40).prop_map(Step::PopN),
        1 => Just(Step::Len),
        1 => Just(Step::IsEmpty),
        1 => (0_usize..5).prop_map(Step::Drain),
    ]
}

/// Elements of several sizes that carry a number.
trait Element: Clone + PartialEq + std::fmt::Debug {
    fn of(number: u64) -> Self;
}

impl Element for u64 {
    fn of(number: u64) -> Self {
        number
    }
}

impl Element for u8 {
    fn of(number: u64) -> Self {
        number as u8
    }
}

impl Element for () {
    fn of(_: u64) -> Self {}
}

impl Element for Box<u64> {
    fn of(number: u64) -> Self {
        Box::new(number)
    }
}

impl Element for [u64; 9] {
    fn of(number: u64) -> Self {
        std::array::from_fn(|i| number.wrapping_mul(i as u64 + 1))
    }
}

#[derive(Clone, Debug, PartialEq)]
#[repr(align(256))]
struct Wide(u64);

impl Element for Wide {
    fn of(number: u64) -> Self {
        Self(number)
    }
}

fn run<T: Element>(segment: usize, steps: &[Step]) -> Result<(), TestCaseError> {
    let domain = Domain::new().expect("memory");
    let mut queue = Queue::<T>::with_segments(&Options::new().domain(&domain), segment).expect("memory");
    let model = Mutex::new(VecDeque::new());
    let mut number = 0;
    let mut fresh = || {
        number += 1;
        T::of(number)
    };
    for step in steps {
        let mut model = model.lock().expect("not poisoned");
        match *step {
            Step::Push => {
                let element = fresh();
                model.push_back(element.clone());
                queue.push(element);
            }
            Step::PushN(n) => {
                let batch: Vec<_> = (0..n).map(|_| fresh()).collect();
                model.extend(batch.clone());
                prop_assert!(queue.push_n(batch).is_ok());
            }
            Step::Pop => prop_assert_eq!(queue.pop(), model.pop_front()),
            Step::PopN(n) => {
                let mut got = Vec::new();
                let count = queue.pop_n(n, &mut got);
                let n = n.min(model.len());
                let expected: Vec<_> = model.drain(..n).collect();
                prop_assert_eq!(count, got.len());
                prop_assert_eq!(got, expected);
            }
            Step::Len => prop_assert_eq!(queue.len(), model.len()),
            Step::IsEmpty => prop_assert_eq!(queue.is_empty(), model.is_empty()),
            Step::Drain(n) => {
                let got: Vec<_> = queue.drain().take(n).collect();
                let expected: Vec<_> = model.drain(..).take(n).collect();
                prop_assert_eq!(got, expected);
            }
        }
    }
    let left: Vec<_> = queue.into_iter().collect();
    prop_assert_eq!(left, Vec::from(model.into_inner().expect("not poisoned")));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn words(segment in 0_usize..20, steps in prop::collection::vec(step(), 0..STEPS)) {
        run::<u64>(segment, &steps)?;
    }

    #[test]
    fn bytes(segment in 0_usize..40, steps in prop::collection::vec(step(), 0..STEPS)) {
        run::<u8>(segment, &steps)?;
    }

    #[test]
    fn nothing(segment in 0_usize..4, steps in prop::collection::vec(step(), 0..STEPS)) {
        run::<()>(segment, &steps)?;
    }

    #[test]
    fn owners(segment in 0_usize..20, steps in prop::collection::vec(step(), 0..STEPS)) {
        run::<Box<u64>>(segment, &steps)?;
    }

    #[test]
    fn structs(segment in 0_usize..40, steps in prop::collection::vec(step(), 0..STEPS)) {
        run::<[u64; 9]>(segment, &steps)?;
    }

    #[test]
    fn overaligned(segment in 0_usize..20, steps in prop::collection::vec(step(), 0..STEPS)) {
        run::<Wide>(segment, &steps)?;
    }
}

/// Options with a domain of their own, so that nothing is left at the end of the test.
fn private() -> Options {
    Options::new().domain(&Domain::new().expect("memory"))
}

/// Counts its drops, and panics in the one that it is told to.
struct Counted {
    drops: Rc<Cell<usize>>,
    panic_at: usize,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.drops.set(self.drops.get() + 1);
        assert_ne!(self.drops.get(), self.panic_at, "the drop that panics");
    }
}

#[test]
fn dropping_a_queue_drops_each_element_once() {
    for (pushed, popped, segment) in [(0, 0, 0), (1, 0, 0), (100, 0, 3), (100, 40, 7), (1000, 1000, 0)] {
        let drops = Rc::new(Cell::new(0));
        let queue = Queue::with_segments(&private(), segment).expect("memory");
        for _ in 0..pushed {
            queue.push(Counted { drops: drops.clone(), panic_at: 0 });
        }
        let taken: Vec<_> = (0..popped).map(|_| queue.pop().expect("an element")).collect();
        assert_eq!(drops.get(), 0);
        drop(queue);
        assert_eq!(drops.get(), pushed - popped);
        drop(taken);
        assert_eq!(drops.get(), pushed);
    }
}

#[test]
fn a_destructor_that_panics_stops_no_other() {
    let drops = Rc::new(Cell::new(0));
    let queue = Queue::with_segments(&private(), 4).expect("memory");
    for _ in 0..20 {
        queue.push(Counted { drops: drops.clone(), panic_at: 7 });
    }
    assert!(catch_unwind(AssertUnwindSafe(|| drop(queue))).is_err());
    assert_eq!(drops.get(), 20);
}

#[test]
#[cfg_attr(miri, ignore = "the default domain lives as long as the process")]
fn the_std_traits_work() {
    let mut queue: Queue<u32> = (0..10).collect();
    queue.extend(10..20);
    assert_eq!(format!("{queue:?}"), "Queue { len: 20, .. }");
    assert_eq!(queue.drain().len(), 20);
    assert!(queue.is_empty(), "a drain that is dropped empties the queue");
    let queue = Queue::default();
    queue.push(String::from("element"));
    assert_eq!(queue.into_iter().next().as_deref(), Some("element"));
}

#[test]
fn more_queues_than_lanes_keep_apart() {
    let domain = Domain::new().expect("memory");
    let options = Options::new().domain(&domain);
    let queues: Vec<_> = (0..20).map(|_| Queue::with_segments(&options, 2).expect("memory")).collect();
    for round in 0..50 {
        for (i, queue) in queues.iter().enumerate() {
            queue.push((i, 2 * round));
            queue.push((i, 2 * round + 1));
            assert_eq!(queue.pop(), Some((i, round)));
        }
    }
    for (i, queue) in queues.into_iter().enumerate() {
        assert_eq!(queue.into_iter().collect::<Vec<_>>(), (50..100).map(|n| (i, n)).collect::<Vec<_>>());
    }
}
