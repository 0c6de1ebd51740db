//! The stack against a model, under threads, and with little memory.

#![cfg(not(loom))]

mod common;

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use common::{Counted, scaled};
use conex::{Domain, Options, Stack};
use proptest::prelude::*;

/// A stack in a domain of its own, which ends with it: leak checkers see everything freed.
fn fresh<T>() -> Stack<T> {
    Stack::with_options(&Options::new().domain(&Domain::new().unwrap())).unwrap()
}

#[derive(Clone, Debug)]
enum Op {
    Push(u32),
    PushN(Vec<u32>),
    Pop,
    PopN(usize),
    PopAll,
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        4 => any::<u32>().prop_map(Op::Push),
        1 => prop::collection::vec(any::<u32>(), 0..8).prop_map(Op::PushN),
        4 => Just(Op::Pop),
        1 => (0..8_usize).prop_map(Op::PopN),
        1 => Just(Op::PopAll),
    ];
    prop::collection::vec(op, 0..scaled(200))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: scaled(256) as u32, failure_persistence: None, ..ProptestConfig::default() })]

    /// Alone, the stack does what a vector behind a mutex does.
    #[test]
    fn behaves_like_the_model(ops in ops()) {
        let stack = fresh();
        let model = Mutex::new(Vec::new());
        for op in ops {
            let mut model = model.lock().unwrap();
            match op {
                Op::Push(n) => {
                    stack.push(n);
                    model.push(n);
                }
                Op::PushN(ns) => {
                    model.extend(&ns);
                    stack.push_n(ns).unwrap();
                }
                Op::Pop => prop_assert_eq!(stack.pop(), model.pop()),
                Op::PopN(n) => {
                    let mut popped = Vec::new();
                    stack.pop_n(n, &mut popped);
                    let keep = model.len().saturating_sub(n);
                    let mut expected = model.split_off(keep);
                    expected.reverse();
                    prop_assert_eq!(popped, expected);
                }
                Op::PopAll => {
                    let mut popped = Vec::new();
                    stack.pop_all(|n| popped.push(n));
                    model.reverse();
                    prop_assert_eq!(&popped, &*model);
                    model.clear();
                }
            }
            prop_assert_eq!(stack.len(), model.len());
            prop_assert_eq!(stack.is_empty(), model.is_empty());
        }
    }
}

/// Whatever is pushed is popped once: by whom does not matter.
#[test]
fn conserves_elements_under_threads() {
    for threads in [2, 4, 8] {
        let each = scaled(20_000);
        let stack = fresh();
        let seen = Mutex::new(Vec::new());
        thread::scope(|scope| {
            for thread in 0..threads {
                let (stack, seen) = (&stack, &seen);
                scope.spawn(move || {
                    let mut mine = Vec::new();
                    for i in 0..each {
                        let n = thread * each + i;
                        match i % 7 {
                            0 => stack.push_n(vec![n]).unwrap(),
                            _ => stack.push(n),
                        }
                        match i % 5 {
                            0 => drop(stack.pop_n(3, &mut mine)),
                            1 => mine.extend(stack.pop()),
                            2 if i % 50 == 2 => drop(stack.pop_all(|n| mine.push(n))),
                            _ => {}
                        }
                    }
                    seen.lock().unwrap().extend(mine);
                });
            }
        });
        let mut seen = seen.into_inner().unwrap();
        stack.pop_all(|n| seen.push(n));
        assert_eq!(seen.len(), threads * each);
        assert_eq!(seen.iter().collect::<HashSet<_>>().len(), threads * each);
    }
}

/// With more elements than threads a pop always finds one: nobody may see an empty stack.
#[test]
fn is_never_empty_when_it_cannot_be() {
    let threads = 4;
    let mut stack = fresh();
    stack.extend(0..=threads);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                for _ in 0..scaled(50_000) {
                    let n = stack.pop().expect("one more element than threads");
                    stack.push(n);
                }
            });
        }
    });
    assert_eq!(stack.len(), threads + 1);
}

/// `len` counts what each thread did, and is exact when they are done.
#[test]
fn len_is_exact_when_nobody_is_at_work() {
    let mut stack = fresh();
    stack.extend(0..10);
    thread::scope(|scope| {
        for thread in 0..20 {
            let stack = &stack;
            scope.spawn(move || {
                for n in 0..scaled(500) {
                    stack.push_n(vec![n; 3]).unwrap();
                    stack.pop_n(if n % 2 == 0 { 1 } else { 5 }, &mut Vec::new());
                }
                if thread == 10 {
                    stack.pop_all(drop);
                }
            });
        }
    });
    let len = stack.len();
    assert_eq!(stack.pop_n(usize::MAX, &mut Vec::new()), len);
    assert_eq!((stack.len(), stack.is_empty()), (0, true));
}

/// A batch is one step: batches of one thread are never interleaved with others.
#[test]
fn batches_are_atomic() {
    let stack = fresh();
    let done = AtomicUsize::new(0);
    let rounds = scaled(4_000);
    thread::scope(|scope| {
        for thread in 0..2 {
            let (stack, done) = (&stack, &done);
            scope.spawn(move || {
                for i in 0..rounds {
                    stack.push_n((0..4).map(|part| (thread, i, part)).collect()).unwrap();
                }
                done.fetch_add(1, Ordering::SeqCst);
            });
        }
        scope.spawn(|| {
            loop {
                let last = done.load(Ordering::SeqCst) == 2;
                let mut popped = Vec::new();
                stack.pop_all(|element| popped.push(element));
                for batch in popped.chunks(4) {
                    let (thread, i, _) = batch[0];
                    let parts: Vec<_> =
                        batch.iter().map(|&(t, j, part)| (t == thread && j == i, part)).collect();
                    assert_eq!(parts, [(true, 3), (true, 2), (true, 1), (true, 0)]);
                }
                if last && popped.is_empty() {
                    break;
                }
            }
        });
    });
}

/// Elements are dropped exactly once, whether they were popped or left in the stack.
#[test]
fn drops_each_element_once() {
    let live = AtomicUsize::new(0);
    let stack = fresh();
    for _ in 0..100 {
        stack.push(Counted::new(&live));
    }
    drop(stack.pop());
    let mut some = Vec::new();
    assert_eq!(stack.pop_n(10, &mut some), 10);
    assert_eq!(live.load(Ordering::SeqCst), 99);
    drop(some);
    assert_eq!(live.load(Ordering::SeqCst), 89);
    drop(stack);
    assert_eq!(live.load(Ordering::SeqCst), 0);
}

/// A callback that panics loses nothing: what it did not get is dropped.
#[test]
fn a_panic_in_pop_all_drops_the_rest() {
    let live = AtomicUsize::new(0);
    let mut stack = fresh();
    stack.extend((0..10).map(|_| Counted::new(&live)));
    let mut seen = 0;
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        stack.pop_all(|_| {
            seen += 1;
            assert!(seen < 4, "as the test wants it");
        });
    }));
    assert!(result.is_err());
    assert_eq!((seen, live.load(Ordering::SeqCst)), (4, 0));
    assert!(stack.is_empty());
}

/// Elements of any size and alignment.
#[test]
fn holds_any_layout() {
    #[derive(Clone, Copy, Debug, PartialEq)]
    #[repr(align(256))]
    struct Aligned(u8);
    let aligned = fresh();
    aligned.push(Aligned(1));
    aligned.push(Aligned(2));
    assert_eq!(aligned.pop(), Some(Aligned(2)));

    let mut large = fresh();
    large.extend([[7_u8; 5000], [8; 5000], [9; 5000]]);
    assert_eq!(large.pop_all(|element| assert!([7, 8, 9].contains(&element[4999]))), 3);

    // Aligned to more than a page, and larger than any chunk of small elements.
    #[derive(Clone, Copy, Debug, PartialEq)]
    #[repr(align(8192))]
    struct Pages([u8; 100_000]);
    let mut pages = fresh();
    pages.extend((0..10).map(|n| Pages([n; 100_000])));
    for n in (0..10).rev() {
        let page = pages.pop().map(Box::new);
        assert_eq!(page, Some(Box::new(Pages([n; 100_000]))));
    }

    let nothing = fresh();
    nothing.push(());
    nothing.push(());
    assert_eq!((nothing.pop(), nothing.pop(), nothing.pop()), (Some(()), Some(()), None));
}

/// Elements of a kilobyte, few of which share a chunk, come and go in bursts, so that there are always chunks of which only a node
/// or two are in use: none is used anew before it is free.
#[test]
fn large_elements_come_out_as_they_went_in() {
    let stack = fresh::<[u64; 128]>();
    let mut model = Vec::new();
    let mut random = 1_u64;
    let mut draw = |below: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % below
    };
    for round in 0..scaled(2_000) as u64 {
        for n in 0..draw(60) {
            stack.push([round << 32 | n; 128]);
            model.push(round << 32 | n);
        }
        for _ in 0..draw(60) {
            let expected = model.pop().map(|value| [value; 128]);
            assert_eq!(stack.pop(), expected);
        }
    }
    while let Some(value) = model.pop() {
        assert_eq!(stack.pop(), Some([value; 128]));
    }
    assert!(stack.is_empty());
}
