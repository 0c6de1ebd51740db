//! The stack in loom: every interleaving of small programs, within the preemption bound.
//!
//! In a model a chunk has two nodes, a thread keeps one, and no chunk is kept: they come and go all the time. What is freed
//! is overwritten, so that a thread that still reads it finds no atomic there and loom panics.
//!
//! Run by `ci/loom.sh`.

#![cfg(loom)]

#[path = "common/models.rs"]
mod models;

use std::alloc::Layout;
use std::ffi::c_void;
use std::mem::discriminant;
use std::sync::Mutex;

use conex::{Allocator, Domain, Options, Stack};
use models::{Within, explore, race};

/// Both threads may run first.
const EITHER: &[Within] = &[Within::Bound, Within::Bound];
/// For threads that do the same.
const ALIKE: &[Within] = &[Within::Bound];

unsafe extern "C-unwind" fn allocate(size: usize, align: usize, _: *mut c_void) -> *mut c_void {
    // SAFETY: a container never asks for nothing.
    unsafe { std::alloc::alloc(Layout::from_size_align(size, align).unwrap()).cast() }
}

unsafe extern "C-unwind" fn free(ptr: *mut c_void, size: usize, align: usize, _: *mut c_void) {
    // SAFETY: allocated above with this size.
    unsafe { ptr.cast::<u8>().write_bytes(0xDD, size) };
    // SAFETY: allocated above with this layout.
    unsafe { std::alloc::dealloc(ptr.cast(), Layout::from_size_align(size, align).unwrap()) };
}

fn options(domain: &Domain) -> Options {
    // SAFETY: both may be called from anywhere at any time.
    let allocator = unsafe { Allocator::hooks(allocate, free, std::ptr::null_mut()) };
    Options::new().domain(domain).allocator(allocator)
}

fn stack() -> Stack<u32> {
    Stack::with_options(&options(&Domain::new().unwrap())).unwrap()
}

/// A stack with these elements, the last one on top.
fn stack_of(elements: &[u32]) -> Stack<u32> {
    let stack = stack();
    for n in elements {
        stack.push(*n);
    }
    stack
}

fn drain(stack: &Stack<u32>) -> Vec<u32> {
    let mut left = Vec::new();
    stack.pop_all(|n| left.push(n));
    left
}

#[test]
fn push_and_push() {
    race(
        ALIKE,
        stack,
        |stack| stack.push(2),
        |stack| stack.push(1),
        |stack, (), ()| {
            let mut left = drain(&stack);
            left.sort_unstable();
            assert_eq!(left, [1, 2]);
        },
    );
}

/// The record of a thread that has ended goes to one of two newcomers, and with it a cache of nodes.
#[test]
fn a_record_has_one_heir() {
    // One preemption lets the two meet; two take minutes.
    explore(Within::Preemptions(1), || {
        let stack = std::sync::Arc::new(stack());
        let push = |n| {
            let stack = stack.clone();
            loom::thread::spawn(move || stack.push(n))
        };
        push(1).join().unwrap();
        let other = push(2);
        stack.push(3);
        other.join().unwrap();
        let mut left = drain(&stack);
        left.sort_unstable();
        assert_eq!(left, [1, 2, 3]);
    });
}

#[test]
fn push_and_pop() {
    race(
        EITHER,
        || stack_of(&[1]),
        Stack::pop,
        |stack| stack.push(2),
        |stack, popped, ()| {
            let left = drain(&stack);
            match popped {
                Some(1) => assert_eq!(left, [2]),
                Some(2) => assert_eq!(left, [1]),
                other => panic!("popped {other:?} of a stack that was never empty"),
            }
        },
    );
}

#[test]
fn pop_and_pop() {
    race(
        ALIKE,
        || stack_of(&[1, 2]),
        Stack::pop,
        Stack::pop,
        |stack, mine, theirs| {
            let mut all = [mine.unwrap(), theirs.unwrap()];
            all.sort_unstable();
            assert_eq!(all, [1, 2]);
            assert!(stack.is_empty());
        },
    );
}

/// A popped node that comes back at the same address would let the exchange of a stale pop succeed.
#[test]
fn pop_against_pop_and_push_again() {
    let again = |stack: &Stack<u32>| {
        let n = stack.pop().unwrap();
        stack.push(n + 10);
    };
    race(
        EITHER,
        || stack_of(&[1, 2]),
        Stack::pop,
        again,
        |stack, mine, ()| {
            let mut all = drain(&stack);
            all.extend(mine);
            let mut all: Vec<_> = all.iter().map(|n| n % 10).collect();
            all.sort_unstable();
            assert_eq!(all, [1, 2]);
        },
    );
}

#[test]
fn pop_n_is_one_step() {
    let pop_two = |stack: &Stack<u32>| {
        let mut popped = Vec::new();
        stack.pop_n(2, &mut popped);
        popped
    };
    race(
        EITHER,
        || stack_of(&[1, 2, 3]),
        pop_two,
        Stack::pop,
        |_, two, one| match one {
            Some(3) => assert_eq!(two, [2, 1]),
            Some(1) => assert_eq!(two, [3, 2]),
            other => panic!("{other:?} cannot be popped around {two:?}"),
        },
    );
}

#[test]
fn push_n_and_pop_all() {
    let push_two = |stack: &Stack<u32>| stack.push_n(vec![2, 3]).unwrap();
    race(
        EITHER,
        || stack_of(&[1]),
        drain,
        push_two,
        |stack, popped, ()| {
            let left = drain(&stack);
            let all = (popped.as_slice(), left.as_slice());
            assert!(matches!(all, ([1], [3, 2]) | ([3, 2, 1], [])), "{all:?}");
        },
    );
}

/// Elements reach the popper as the pusher left them. They are made under the session: a payload made before a pin
/// would be published by the pin's own fence, which hides a missing Release.
#[test]
fn payloads_are_published() {
    type Shared = (Domain, Stack<loom::cell::UnsafeCell<u32>>);
    let prepare = || {
        let domain = Domain::new().unwrap();
        let stack = Stack::with_options(&options(&domain)).unwrap();
        (domain, stack)
    };
    let pop = |(domain, stack): &Shared| {
        let _session = domain.enter();
        if let Some(cell) = stack.pop() {
            // SAFETY: popped, so ours alone; loom checks that its writes happened before.
            cell.with(|n| assert_eq!(unsafe { *n }, 42));
        }
    };
    let push = |(domain, stack): &Shared| {
        let _session = domain.enter();
        let cell = loom::cell::UnsafeCell::new(0);
        // SAFETY: not shared yet.
        cell.with_mut(|n| unsafe { *n = 42 });
        stack.push(cell);
    };
    race(EITHER, prepare, pop, push, |_, (), ()| ());
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
    let prepare = || {
        *DROPPED.lock().unwrap() = 0;
        let stack = Stack::with_options(&options(&Domain::new().unwrap())).unwrap();
        stack.push(Element);
        stack.push(Element);
        stack
    };
    let pop = |stack: &Stack<Element>| drop(stack.pop());
    race(ALIKE, prepare, pop, pop, |stack, (), ()| {
        drop(stack);
        assert_eq!(*DROPPED.lock().unwrap(), 2);
    });
}

/// One call, and what it gives.
#[derive(Clone, Copy, Debug)]
enum Call {
    Push(u32),
    PushN(u32),
    Pop,
    PopN(usize),
    PopAll,
}

impl Call {
    fn on(self, stack: &Stack<u32>) -> Vec<u32> {
        let mut popped = Vec::new();
        match self {
            Self::Push(n) => stack.push(n),
            Self::PushN(n) => stack.push_n(vec![n, n + 1]).unwrap(),
            Self::Pop => popped.extend(stack.pop()),
            Self::PopN(n) => drop(stack.pop_n(n, &mut popped)),
            Self::PopAll => drop(stack.pop_all(|n| popped.push(n))),
        }
        popped
    }

    fn on_model(self, model: &mut Vec<u32>) -> Vec<u32> {
        let n = match self {
            Self::Push(n) => {
                model.push(n);
                0
            }
            Self::PushN(n) => {
                model.extend([n, n + 1]);
                0
            }
            Self::Pop => 1,
            Self::PopN(n) => n,
            Self::PopAll => model.len(),
        };
        let mut popped = model.split_off(model.len().saturating_sub(n));
        popped.reverse();
        popped
    }
}

/// Two threads make their calls on a stack that holds `begin`, with a chunk that is free now and then in between; what they
/// get, and what is left, must be that of one of the orders. Either may run first, unless they do the same.
fn explain(begin: &'static [u32], mine: &'static [Call], theirs: &'static [Call]) {
    fn orders(model: &[u32], mine: &[Call], theirs: &[Call]) -> Vec<[Vec<Vec<u32>>; 3]> {
        if mine.is_empty() && theirs.is_empty() {
            let left = model.iter().rev().map(|n| vec![*n]).collect();
            return vec![[Vec::new(), Vec::new(), left]];
        }
        let mut all = Vec::new();
        for (who, calls) in [mine, theirs].into_iter().enumerate() {
            let Some((first, rest)) = calls.split_first() else { continue };
            let mut model = model.to_vec();
            let popped = first.on_model(&mut model);
            let later = if who == 0 { orders(&model, rest, theirs) } else { orders(&model, mine, rest) };
            all.extend(later.into_iter().map(|mut outcome| {
                outcome[who].insert(0, popped.clone());
                outcome
            }));
        }
        all
    }
    let allowed = orders(begin, mine, theirs);
    let alike = mine.len() == theirs.len()
        && mine.iter().zip(theirs).all(|(mine, theirs)| discriminant(mine) == discriminant(theirs));
    let calls = |calls: &'static [Call]| {
        move |stack: &Stack<u32>| calls.iter().map(|call| call.on(stack)).collect::<Vec<_>>()
    };
    let within = if alike { ALIKE } else { EITHER };
    race(
        within,
        move || stack_of(begin),
        calls(mine),
        calls(theirs),
        move |stack, mine, theirs| {
            assert_eq!(stack.is_empty(), stack.len() == 0);
            let left: Vec<_> = drain(&stack).into_iter().map(|n| vec![n]).collect();
            let outcome = [mine, theirs, left];
            assert!(allowed.contains(&outcome), "{outcome:?} is none of {allowed:?}");
        },
    );
}

macro_rules! pairs {
    ($($name:ident: $begin:expr, $mine:expr, $theirs:expr;)*) => {$(
        #[test]
        fn $name() {
            use Call::*;
            explain(&$begin, &$mine, &$theirs);
        }
    )*};
}

pairs! {
    push_beside_push_n: [1], [Push(2)], [PushN(3)];
    push_beside_pop_n: [1, 2], [Push(3)], [PopN(2)];
    push_beside_pop_all: [1, 2], [Push(3)], [PopAll];
    pop_beside_push_n: [1], [Pop], [PushN(2)];
    pop_beside_pop_n: [1, 2, 3], [Pop], [PopN(2)];
    pop_beside_pop_all: [1, 2, 3], [Pop], [PopAll];
    pop_n_beside_push_n: [1], [PopN(2)], [PushN(2)];
    pop_n_beside_pop_n: [1, 2, 3], [PopN(2)], [PopN(2)];
    pop_n_beside_pop_all: [1, 2, 3], [PopN(2)], [PopAll];
    push_n_beside_push_n: [1], [PushN(2)], [PushN(4)];
    push_n_beside_pop_all: [1, 2], [PushN(3)], [PopAll];
    pop_all_beside_pop_all: [1, 2, 3], [PopAll], [PopAll];
    // Both chunks are free at once, and gone but for the one that the pop has named in time. (A thread that pops one by one
    // names chunks itself, and so keeps them for a while.)
    a_chunk_is_freed_beside_a_pop: [1, 2], [Pop], [PopAll];
    a_chunk_is_freed_beside_a_walk: [1, 2, 3, 4], [PopN(3)], [PopAll];
    // 3 leaves and its node comes back on another one: the head is the same pointer with another number.
    a_node_comes_back_beside_a_pop: [1, 2, 3], [Pop], [PopN(2), Push(4)];
    a_node_comes_back_beside_a_walk: [1, 2, 3], [PopN(2)], [PopN(2), Push(4)];
    runs_go_back_and_are_taken: [1, 2], [Pop, Push(3)], [Pop, Push(4)];
    a_header_whose_chunk_has_gone_is_vacant: [1, 2, 3], [PopN(2), Push(4), Push(5), Push(6)], [Pop];
    a_chunk_is_left_while_its_header_is_listed: [1, 2, 3], [Pop, Push(4)], [PopN(2)];
}
