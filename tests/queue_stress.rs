//! The queue under several threads, with oracles that need no clock: every element comes out exactly once, those of
//! one producer come out in their order, and "empty" is never said of a queue that cannot be empty.

#![cfg(not(loom))]

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use conex::{Domain, Options, Queue};

const EACH: usize = if cfg!(miri) { 20 } else { 60_000 };

/// Who pushed it, and its number among those of that thread.
type Stamp = (u32, u32);

#[derive(Clone, Copy)]
struct Plan {
    producers: u32,
    consumers: u32,
    /// Elements a call; 1 for the single operations.
    batch: usize,
    segment: usize,
}

fn produce<T>(queue: &Queue<T>, producer: u32, plan: Plan, make: impl Fn(Stamp) -> T) {
    let mut number = 0;
    while (number as usize) < EACH {
        if plan.batch == 1 {
            queue.push(make((producer, number)));
            number += 1;
        } else {
            let n = plan.batch.min(EACH - number as usize) as u32;
            assert!(
                queue.push_n((number..number + n).map(|number| make((producer, number))).collect()).is_ok()
            );
            number += n;
        }
        if cfg!(miri) || number % 1024 == 0 {
            thread::yield_now();
        }
    }
}

fn consume<T>(queue: &Queue<T>, plan: Plan, done: &AtomicBool, read: impl Fn(T) -> Stamp) -> Vec<Stamp> {
    let mut got = Vec::new();
    let mut batch = Vec::new();
    loop {
        // Read before the pop: "empty" after all producers have ended is final.
        let last = done.load(Ordering::Acquire);
        if plan.batch == 1 {
            batch.extend(queue.pop());
        } else {
            assert_eq!(queue.pop_n(plan.batch, &mut batch), batch.len());
        }
        if batch.is_empty() {
            if last {
                return got;
            }
            thread::yield_now();
        }
        got.extend(batch.drain(..).map(&read));
    }
}

/// Runs a plan and checks conservation and the order of each producer's elements in each consumer's.
fn run<T: Send>(plan: Plan, make: fn(Stamp) -> T, read: fn(T) -> Stamp) {
    let domain = Domain::new().expect("memory");
    let queue = Queue::<T>::with_segments(&Options::new().domain(&domain), plan.segment).expect("memory");
    let done = AtomicBool::new(false);
    let got: Vec<Vec<Stamp>> = thread::scope(|scope| {
        let producers: Vec<_> = (0..plan.producers)
            .map(|producer| {
                let queue = &queue;
                scope.spawn(move || produce(queue, producer, plan, make))
            })
            .collect();
        let consumers: Vec<_> =
            (0..plan.consumers).map(|_| scope.spawn(|| consume(&queue, plan, &done, read))).collect();
        for producer in producers {
            producer.join().expect("a producer");
        }
        done.store(true, Ordering::Release);
        consumers.into_iter().map(|consumer| consumer.join().expect("a consumer")).collect()
    });
    let mut seen = HashMap::new();
    for got in &got {
        let mut last = HashMap::new();
        for &(producer, number) in got {
            if let Some(before) = last.insert(producer, number) {
                assert!(before < number, "producer {producer}: {number} came out after {before}");
            }
            *seen.entry((producer, number)).or_insert(0) += 1;
        }
    }
    for producer in 0..plan.producers {
        for number in 0..EACH as u32 {
            assert_eq!(seen.get(&(producer, number)), Some(&1), "element {number} of producer {producer}");
        }
    }
    assert_eq!(seen.len(), plan.producers as usize * EACH);
    assert!(queue.is_empty());
    assert_eq!(queue.len(), 0);
}

fn words(producers: u32, consumers: u32, batch: usize, segment: usize) {
    run(Plan { producers, consumers, batch, segment }, |stamp| stamp, |stamp| stamp);
}

#[test]
fn one_to_one() {
    words(1, 1, 1, 0);
    words(1, 1, 1, 1);
}

#[test]
fn many_to_many() {
    words(2, 2, 1, 0);
    words(2, 2, 1, 3);
    words(4, 4, 1, 16);
}

#[test]
fn many_to_one_and_one_to_many() {
    words(3, 1, 1, 5);
    words(1, 3, 1, 5);
}

#[test]
fn batches() {
    words(2, 2, 32, 0);
    words(2, 2, 7, 5);
    words(1, 1, 32, 64);
}

#[test]
fn large_and_owning_elements() {
    let large = |(producer, number): Stamp| [u64::from(producer) << 32 | u64::from(number); 9];
    run(Plan { producers: 2, consumers: 2, batch: 1, segment: 9 }, large, |element| {
        assert!(element.iter().all(|word| *word == element[0]), "a torn element");
        ((element[0] >> 32) as u32, element[0] as u32)
    });
    run(Plan { producers: 2, consumers: 2, batch: 5, segment: 4 }, Box::new, |element: Box<Stamp>| *element);
}

/// Options with a domain of their own, so that nothing is left at the end of the test.
fn private() -> Options {
    Options::new().domain(&Domain::new().expect("memory"))
}

/// Each thread pushes before it pops, so no pop can find the queue empty.
#[test]
fn never_empty() {
    let rounds = if cfg!(miri) { 40 } else { 40_000 };
    for segment in [1, 2, 16, 0] {
        let queue = Queue::with_segments(&private(), segment).expect("memory");
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for round in 0..rounds {
                        queue.push(round);
                        assert!(
                            !queue.is_empty(),
                            "this thread's own element, or one for it, is in the queue"
                        );
                        assert!(
                            queue.pop().is_some(),
                            "there is an element for each thread that looks for one"
                        );
                    }
                });
            }
        });
        assert!(queue.is_empty());
    }
}

/// Elements of one batch come out in their order even if others come between, whatever is given up meanwhile.
#[test]
fn batches_keep_their_order_past_slots_that_were_given_up() {
    let queue = Queue::with_segments(&private(), 24).expect("memory");
    let done = AtomicBool::new(false);
    let rounds = if cfg!(miri) { 10 } else { 20_000 };
    thread::scope(|scope| {
        let consumer = scope.spawn(|| {
            let mut last = 0_u64;
            loop {
                let end = done.load(Ordering::Acquire);
                match queue.pop() {
                    Some(number) => {
                        assert_eq!(number, last + 1);
                        last = number;
                    }
                    None if end => return last,
                    None => (),
                }
            }
        });
        let mut number = 0;
        for round in 0..rounds {
            let n = 1 + round % 50;
            assert!(queue.push_n((number + 1..=number + n).collect()).is_ok());
            number += n;
        }
        done.store(true, Ordering::Release);
        assert_eq!(consumer.join().expect("the consumer"), number);
    });
}
