//! Any sequence of operations on a queue does what a deque does, with segments of any size, and drops what is left once.

#![no_main]

use std::collections::VecDeque;
use std::rc::Rc;

use arbitrary::Arbitrary;
use conex::{Domain, Options, Queue};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
enum Op {
    Push(u8),
    PushN(Vec<u8>),
    PushMany(u8),
    Pop,
    PopN(u8),
    Drain(u8),
    Flush,
    Barrier,
}

#[derive(Arbitrary, Debug)]
struct Input {
    segment: u16,
    ops: Vec<Op>,
}

fuzz_target!(|input: Input| {
    let live = Rc::new(());
    let domain = Domain::new().unwrap();
    let mut queue: Queue<(Box<u8>, Rc<()>)> =
        Queue::with_segments(&Options::new().domain(&domain), input.segment.into()).unwrap();
    let mut model: VecDeque<u8> = VecDeque::new();
    let make = |n: u8| (Box::new(n), live.clone());
    for op in input.ops {
        match op {
            Op::Push(n) => {
                queue.push(make(n));
                model.push_back(n);
            }
            Op::PushN(ns) => {
                model.extend(&ns);
                assert!(queue.push_n(ns.into_iter().map(make).collect()).is_ok());
            }
            Op::PushMany(n) => {
                for n in 0..n {
                    queue.push(make(n));
                    model.push_back(n);
                }
            }
            Op::Pop => assert_eq!(queue.pop().map(|e| *e.0), model.pop_front()),
            Op::PopN(n) => {
                let mut out = Vec::new();
                let popped = queue.pop_n(n.into(), &mut out);
                assert_eq!(popped, out.len());
                // At least one if there is any, at most n.
                assert!(popped <= n.into() && (popped > 0 || n == 0 || model.is_empty()));
                assert!(out.iter().map(|e| *e.0).eq(model.drain(..popped)));
            }
            Op::Drain(n) => {
                let mut left = queue.drain();
                for _ in 0..n {
                    assert_eq!(left.next().map(|e| *e.0), model.pop_front());
                }
                drop(left);
                model.clear();
            }
            Op::Flush => domain.flush(),
            Op::Barrier => domain.barrier(std::time::Duration::from_secs(60)).unwrap(),
        }
        assert_eq!((queue.len(), queue.is_empty()), (model.len(), model.is_empty()));
        assert_eq!(Rc::strong_count(&live), model.len() + 1);
    }
    drop(queue);
    assert_eq!(Rc::strong_count(&live), 1);
});
