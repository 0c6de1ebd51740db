//! The stack in loom: every interleaving of small programs, within the preemption bound.
//!
//! Run by `ci/loom.sh`.

#![cfg(loom)]

use std::sync::Mutex;

use conex::{Domain, Options, Stack};
use loom::sync::Arc;
use loom::thread;

fn stack() -> Arc<Stack<u32>> {
    let domain = Domain::new().unwrap();
    Arc::new(Stack::with_options(&Options::new().domain(&domain)).unwrap())
}

fn drain(stack: &Stack<u32>) -> Vec<u32> {
    let mut left = Vec::new();
    stack.pop_all(|n| left.push(n));
    left
}

#[test]
fn push_and_push() {
    loom::model(|| {
        let stack = stack();
        let other = {
            let stack = stack.clone();
            thread::spawn(move || stack.push(1))
        };
        stack.push(2);
        other.join().unwrap();
        let mut left = drain(&stack);
        left.sort_unstable();
        assert_eq!(left, [1, 2]);
    });
}

#[test]
fn push_and_pop() {
    loom::model(|| {
        let stack = stack();
        stack.push(1);
        let other = {
            let stack = stack.clone();
            thread::spawn(move || stack.push(2))
        };
        let popped = stack.pop();
        other.join().unwrap();
        let left = drain(&stack);
        match popped {
            Some(1) => assert_eq!(left, [2]),
            Some(2) => assert_eq!(left, [1]),
            other => panic!("popped {other:?} of a stack that was never empty"),
        }
    });
}

#[test]
fn pop_and_pop() {
    loom::model(|| {
        let stack = stack();
        stack.push(1);
        stack.push(2);
        let other = {
            let stack = stack.clone();
            thread::spawn(move || stack.pop())
        };
        let mine = stack.pop();
        let theirs = other.join().unwrap();
        let mut all = [mine.unwrap(), theirs.unwrap()];
        all.sort_unstable();
        assert_eq!(all, [1, 2]);
        assert!(stack.is_empty());
    });
}

/// A popped node that comes back at the same address would let the exchange of a stale pop succeed.
#[test]
fn pop_against_pop_and_push_again() {
    loom::model(|| {
        let stack = stack();
        stack.push(1);
        stack.push(2);
        let other = {
            let stack = stack.clone();
            thread::spawn(move || {
                let n = stack.pop().unwrap();
                stack.push(n + 10);
            })
        };
        let mine = stack.pop().unwrap();
        other.join().unwrap();
        let mut all = drain(&stack);
        all.push(mine % 10);
        let mut all: Vec<_> = all.iter().map(|n| n % 10).collect();
        all.sort_unstable();
        assert_eq!(all, [1, 2]);
    });
}

#[test]
fn pop_n_is_one_step() {
    loom::model(|| {
        let stack = stack();
        stack.push(1);
        stack.push(2);
        stack.push(3);
        let other = {
            let stack = stack.clone();
            thread::spawn(move || stack.pop())
        };
        let mut mine = Vec::new();
        stack.pop_n(2, &mut mine);
        let theirs = other.join().unwrap();
        match theirs {
            Some(3) => assert_eq!(mine, [2, 1]),
            Some(1) => assert_eq!(mine, [3, 2]),
            other => panic!("{other:?} cannot be popped around {mine:?}"),
        }
    });
}

#[test]
fn push_n_and_pop_all() {
    loom::model(|| {
        let stack = stack();
        stack.push(1);
        let other = {
            let stack = stack.clone();
            thread::spawn(move || stack.push_n(vec![2, 3]).unwrap())
        };
        let mine = drain(&stack);
        other.join().unwrap();
        let left = drain(&stack);
        let all = (mine.as_slice(), left.as_slice());
        assert!(matches!(all, ([1], [3, 2]) | ([3, 2, 1], [])), "{all:?}");
    });
}

/// Elements reach the popper as the pusher left them. They are made under the session: a payload made before a pin
/// would be published by the pin's own fence, which hides a missing Release.
#[test]
fn payloads_are_published() {
    loom::model(|| {
        let domain = Domain::new().unwrap();
        let stack = Arc::new(Stack::with_options(&Options::new().domain(&domain)).unwrap());
        let other = {
            let (stack, domain) = (stack.clone(), domain.clone());
            thread::spawn(move || {
                let _session = domain.enter();
                let cell = loom::cell::UnsafeCell::new(0);
                // SAFETY: not shared yet.
                cell.with_mut(|n| unsafe { *n = 42 });
                stack.push(cell);
            })
        };
        let _session = domain.enter();
        if let Some(cell) = stack.pop() {
            // SAFETY: popped, so ours alone; loom checks that its writes happened before.
            cell.with(|n| assert_eq!(unsafe { *n }, 42));
        }
        drop(_session);
        other.join().unwrap();
    });
}

/// Every destructor that is due has run when the stack is gone, whoever popped what.
#[test]
fn drops_run_once() {
    static DROPPED: Mutex<u32> = Mutex::new(0);
    struct Element;
    impl Drop for Element {
        fn drop(&mut self) {
            *DROPPED.lock().unwrap() += 1;
        }
    }
    loom::model(|| {
        *DROPPED.lock().unwrap() = 0;
        let domain = Domain::new().unwrap();
        let stack = Arc::new(Stack::with_options(&Options::new().domain(&domain)).unwrap());
        stack.push(Element);
        stack.push(Element);
        let other = {
            let stack = stack.clone();
            thread::spawn(move || drop(stack.pop()))
        };
        drop(stack.pop());
        other.join().unwrap();
        drop(stack);
        assert_eq!(*DROPPED.lock().unwrap(), 2);
    });
}
