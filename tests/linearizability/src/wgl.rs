//! The search of Wing and Gong, with Lowe's memory of configurations that led nowhere.
//!
//! A configuration is the set of operations that have taken effect, and the state they led to. From each, the operations
//! that may come next are those that were called before the earliest return of one that has not taken effect. The search
//! is exponential in the worst case, and quick for what a handful of threads can record.

use std::collections::HashSet;
use std::hash::Hash;

use crate::Event;

/// A sequential object: what one operation does to a state, if it can have answered as recorded.
pub trait Spec {
    /// The object between two operations.
    type State: Clone + Eq + Hash;
    /// A call and its answer.
    type Op;

    /// The state before the first operation.
    fn initial() -> Self::State;

    /// The state after `op`, or None if `op` cannot answer in `state` what it answered.
    fn apply(state: &Self::State, op: &Self::Op) -> Option<Self::State>;
}

/// What the search found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// There is an order that explains every answer.
    Linearizable,
    /// There is none. At most so many operations can be explained.
    Impossible(usize),
    /// The search was given up.
    TooHard,
}

/// Searches for a linearization of `events`, trying `limit` configurations at most.
pub fn check<S: Spec>(events: &[Event<S::Op>], limit: usize) -> Verdict {
    let mut order: Vec<&Event<S::Op>> = events.iter().collect();
    order.sort_by_key(|event| event.start);
    let n = order.len();
    let mut done = vec![0_u64; n.div_ceil(64)];
    let is_done = |done: &[u64], i: usize| done[i / 64] >> (i % 64) & 1 == 1;
    let mut seen: HashSet<(Vec<u64>, S::State)> = HashSet::new();
    // The path: which operation was taken, the state before it; and where to go on looking in the present configuration.
    let mut path: Vec<(usize, S::State)> = Vec::new();
    let mut state = S::initial();
    let mut from = 0;
    let mut best = 0;
    loop {
        if path.len() == n {
            return Verdict::Linearizable;
        }
        // All that are not done and start before the earliest return among them.
        let first = (0..n).find(|&i| !is_done(&done, i)).expect("an operation that is not done");
        let mut earliest_return = u64::MAX;
        let mut at = first;
        let mut next = None;
        while at < n && order[at].start < earliest_return {
            if !is_done(&done, at) {
                earliest_return = earliest_return.min(order[at].end);
                if at >= from
                    && next.is_none()
                    && let Some(after) = S::apply(&state, &order[at].op)
                {
                    done[at / 64] |= 1 << (at % 64);
                    if seen.insert((done.clone(), after.clone())) {
                        next = Some((at, after));
                        break;
                    }
                    done[at / 64] &= !(1 << (at % 64));
                }
            }
            at += 1;
        }
        if let Some((taken, after)) = next {
            path.push((taken, std::mem::replace(&mut state, after)));
            best = best.max(path.len());
            from = 0;
            if seen.len() > limit {
                return Verdict::TooHard;
            }
        } else if let Some((taken, before)) = path.pop() {
            done[taken / 64] &= !(1 << (taken % 64));
            state = before;
            from = taken + 1;
        } else {
            return Verdict::Impossible(best);
        }
    }
}
