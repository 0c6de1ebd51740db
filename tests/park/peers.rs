//! Peers that are known to block: the test must find that out, or it would not find it in conex either.
//!
//! A lock's holder is parked between two accesses under the lock. crossbeam's `SegQueue` is its own source text, in which
//! `ci/park.sh` has put the atomics of the hooks in place of the standard ones: a pusher that has its slot, and has not
//! yet written it, is what its poppers wait for.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use conex::park::step;

use crate::driver::{Subject, Suite, Worker};
use crate::sequence::{conserved, in_order};

#[allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    unsafe_op_in_unsafe_fn,
    clippy::all,
    reason = "another project's text"
)]
mod seg_queue {
    include!(env!("CONEX_PARK_SEG_QUEUE"));
}

const OPERATIONS: &[&str] = &["push", "pop"];

trait Peer: Send + Sync {
    fn push(&self, token: u64);
    fn pop(&self) -> Option<u64>;
}

struct Locked(Mutex<VecDeque<u64>>);

impl Peer for Locked {
    fn push(&self, token: u64) {
        step();
        let mut elements = self.0.lock().unwrap();
        step();
        elements.push_back(token);
        step();
    }

    fn pop(&self) -> Option<u64> {
        step();
        let mut elements = self.0.lock().unwrap();
        step();
        elements.pop_front()
    }
}

impl Peer for seg_queue::SegQueue<u64> {
    fn push(&self, token: u64) {
        Self::push(self, token);
    }

    fn pop(&self) -> Option<u64> {
        Self::pop(self)
    }
}

struct OfPeer(Box<dyn Peer>);

impl Subject for OfPeer {
    fn run(&self, worker: &mut Worker, operation: usize) {
        if OPERATIONS[operation] == "push" {
            let token = worker.token();
            worker.put.push(token);
            self.0.push(token);
        } else if let Some(token) = self.0.pop() {
            worker.took.push(token);
        }
    }

    /// Pops what is there: whoever waits for a slot's element waits here.
    fn demand(&self, worker: &mut Worker) {
        while let Some(token) = self.0.pop() {
            worker.took.push(token);
        }
    }

    fn verify(&self, workers: &[Worker]) -> Result<(), String> {
        let rest: Vec<_> = std::iter::from_fn(|| self.0.pop()).collect();
        in_order(workers, &rest)?;
        conserved(workers, rest)
    }
}

pub(crate) fn suites() -> Vec<Suite> {
    fn suite<P: Peer + 'static>(name: &str, new: fn() -> P) -> Suite {
        Suite {
            name: name.to_string(),
            operations: OPERATIONS,
            victims: None,
            beside: None,
            make: Box::new(move |_| Box::new(OfPeer(Box::new(new())))),
            watchdog: Duration::from_millis(700),
        }
    }
    vec![
        suite("Mutex<VecDeque>", || Locked(Mutex::new(VecDeque::new()))),
        suite("crossbeam SegQueue", seg_queue::SegQueue::new),
    ]
}
