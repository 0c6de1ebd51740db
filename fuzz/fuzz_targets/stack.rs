//! Any sequence of operations on a stack does what a vector does, and drops what is left once.

#![no_main]

use std::rc::Rc;

use arbitrary::Arbitrary;
use conex::{Domain, Options, Stack};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
enum Op {
    Push(u8),
    PushN(Vec<u8>),
    Pop,
    PopN(u8),
    PopAll,
    Flush,
    Barrier,
    Guarded(Vec<u8>),
}

/// Not `Send`, and counted: the sanitizer and the count see what is dropped twice or never.
type Element = Rc<u8>;

fuzz_target!(|ops: Vec<Op>| {
    let live = Rc::new(());
    let domain = Domain::new().unwrap();
    let stack: Stack<(Element, Rc<()>)> = Stack::with_options(&Options::new().domain(&domain)).unwrap();
    let mut model: Vec<u8> = Vec::new();
    let make = |n: u8| (Rc::new(n), live.clone());
    for op in ops {
        match op {
            Op::Push(n) => {
                stack.push(make(n));
                model.push(n);
            }
            Op::PushN(ns) => {
                model.extend(&ns);
                assert!(stack.push_n(ns.into_iter().map(make).collect()).is_ok());
            }
            Op::Pop => assert_eq!(stack.pop().map(|e| *e.0), model.pop()),
            Op::PopN(n) => {
                let mut out = Vec::new();
                assert_eq!(stack.pop_n(n.into(), &mut out), out.len());
                let expected: Vec<_> = (0..n).map_while(|_| model.pop()).collect();
                assert_eq!(out.iter().map(|e| *e.0).collect::<Vec<_>>(), expected);
            }
            Op::PopAll => {
                let mut out = Vec::new();
                assert_eq!(stack.pop_all(|e| out.push(*e.0)), model.len());
                model.reverse();
                assert_eq!(out, std::mem::take(&mut model));
            }
            Op::Flush => domain.flush(),
            Op::Barrier => domain.barrier(std::time::Duration::from_secs(60)).unwrap(),
            Op::Guarded(ns) => {
                let mut guard = domain.enter();
                for n in ns {
                    stack.push(make(n));
                    assert_eq!(stack.pop().map(|e| *e.0), Some(n));
                    guard.refresh();
                }
            }
        }
        assert_eq!((stack.len(), stack.is_empty()), (model.len(), model.is_empty()));
        assert_eq!(Rc::strong_count(&live), model.len() + 1);
    }
    drop(stack);
    assert_eq!(Rc::strong_count(&live), 1);
});
