//! The bucket alone, with two cells: no table, no pin, no slot and no fence but its own stands between a reader and the
//! writers that use cells and lanes again.
//!
//! These are the map's own files, compiled once more. A reader looks once; a writer tries the common case until it succeeds,
//! and gives a claim back that it cannot use.

#[path = "../bucket.rs"]
mod bucket;
#[allow(dead_code, reason = "nodes and migrations are for the engine")]
#[path = "../header.rs"]
mod header;
#[allow(dead_code, reason = "as above")]
#[path = "../node.rs"]
mod node;
#[path = "../once.rs"]
mod once;
#[path = "../plan.rs"]
mod plan;

use core::convert::Infallible;

use loom::sync::Arc;
use loom::thread;

use bucket::{Bucket, Probe, Stale, WordProbe};
use header::NodeChange;
use once::{Tried, try_once};
use plan::{Change, Plan};

const CELLS: usize = 2;

const A: Key = Key(0x1000);
const B: Key = Key(0x2000);
const C: Key = Key(0x3000);

#[derive(Clone, Copy)]
struct Key(u64);

impl Probe for Key {
    const EXACT: bool = true;

    fn position(&self) -> u64 {
        self.0
    }

    fn may_be(&self, key: u64) -> bool {
        key == self.0
    }

    unsafe fn is(&self, _entry: bucket::Pair) -> bool {
        true
    }

    fn key(&self) -> u64 {
        self.0
    }
}

impl WordProbe for Key {}

/// One look: what [`Engine::look`](crate::map::engine::Engine) comes to where there is no node.
fn look(bucket: &Bucket, key: Key) -> Result<Option<u64>, Stale> {
    let header = bucket.load();
    match bucket.find_word(header, &key)? {
        Some(found) => Ok(Some(found.entry.value)),
        None => bucket.validate(header).map(|()| None),
    }
}

/// The same for a lookup of a key that is not in its entry: by what may be it.
fn glance(bucket: &Bucket, key: Key) -> Result<Option<u64>, Stale> {
    let header = bucket.load();
    let seen = bucket.candidate(header, &key);
    bucket.validate(header).map(|()| seen.map(|pair| pair.value))
}

/// One attempt. `None`: in vain.
fn attempt(bucket: &Bucket, key: Key, plan: Plan) -> Option<Change> {
    let header = bucket.load();
    let Ok(found) = bucket.find_word(header, &key) else { return None };
    match try_once(bucket, header, found, &key, &mut |_| Ok::<_, Infallible>(plan), &mut None) {
        Ok(Tried::Done(change)) => return Some(change),
        Ok(Tried::InVain) => {}
        Ok(Tried::Claimed) => loop {
            let header = bucket.load();
            let after = header.with_claim(false).after(header, NodeChange::Keep);
            if bucket.exchange(header, after) {
                break;
            }
        },
    }
    None
}

/// For a thread that is alone in changing the bucket.
fn store(bucket: &Bucket, key: Key, value: u64) {
    assert!(attempt(bucket, key, Plan::Store(value)).is_some(), "nobody else is at work");
}

/// As [`store`].
fn remove(bucket: &Bucket, key: Key) {
    assert!(matches!(attempt(bucket, key, Plan::Remove), Some(Change::Removed(_))));
}

fn fill(bucket: &Bucket) {
    [A, B].into_iter().for_each(|key| store(bucket, key, 1));
}

/// Two threads at one bucket, which `prepare` fills; `check` gets what they answered. Twice, with either of them as the one that
/// runs first: see the text of [`models`](super).
fn race<R: 'static, S: 'static>(
    prepare: fn(&Bucket),
    one: fn(&Bucket) -> R,
    other: fn(&Bucket) -> S,
    check: fn(&Bucket, R, S),
) {
    fn beside<T: 'static>(bucket: &Arc<Bucket>, run: fn(&Bucket) -> T) -> thread::JoinHandle<T> {
        let bucket = bucket.clone();
        thread::spawn(move || run(&bucket))
    }
    for swapped in [false, true] {
        loom::model(move || {
            let bucket = Arc::new(Bucket::new());
            prepare(&bucket);
            let (mine, theirs) = if swapped {
                let beside = beside(&bucket, one);
                let theirs = other(&bucket);
                (beside.join().unwrap(), theirs)
            } else {
                let beside = beside(&bucket, other);
                (one(&bucket), beside.join().unwrap())
            };
            check(&bucket, mine, theirs);
            assert!(bucket.is_settled());
        });
    }
}

/// Every pair of answers whose first is not later than its second, in the order of the states that the writer makes.
fn in_order(states: &[Option<u64>], answers: [&Result<Option<u64>, Stale>; 2]) -> bool {
    let mut from = 0;
    answers.into_iter().flatten().all(|answer| {
        let at = states[from..].iter().position(|state| state == answer);
        from += at.unwrap_or(0);
        at.is_some()
    })
}

/// Cell and lane of a key that was removed are another's: a reader of either key takes no word of the one for the other's.
#[test]
fn a_cell_is_used_again() {
    race(
        |bucket| store(bucket, A, 1),
        |bucket| [look(bucket, B), look(bucket, A), look(bucket, A)],
        |bucket| {
            remove(bucket, A);
            store(bucket, B, 2);
        },
        |_, [b, a, later], ()| {
            assert!(in_order(&[None, Some(2)], [&b, &b]), "B is {b:?}");
            assert!(in_order(&[Some(1), None], [&a, &later]), "A is {a:?}, then {later:?}");
        },
    );
}

/// An entry goes from cell to cell: a reader finds it in the one or in the other.
#[test]
fn an_entry_changes_its_cell() {
    race(
        |bucket| store(bucket, A, 1),
        |bucket| look(bucket, A),
        |bucket| (2..4).for_each(|value| store(bucket, A, value)),
        |_, a, ()| assert!(matches!(a, Err(Stale) | Ok(Some(1..4))), "A is {a:?}"),
    );
}

/// The same for one who looks only whether there may be such an entry.
#[test]
fn a_glance_at_a_cell_that_is_used_again() {
    race(
        |bucket| store(bucket, A, 1),
        |bucket| [glance(bucket, A), glance(bucket, A)],
        |bucket| {
            store(bucket, A, 2);
            store(bucket, B, 3);
        },
        |_, [first, second], ()| {
            let values = [Some(1), Some(2)];
            assert!(in_order(&values, [&first, &second]), "{first:?}, then {second:?}");
        },
    );
}

/// In a full bucket the spare lane goes from one to the other: the value that is there goes home first.
#[test]
fn a_value_goes_home() {
    race(
        |bucket| {
            fill(bucket);
            store(bucket, A, 2);
        },
        |bucket| [look(bucket, A), look(bucket, B)],
        |bucket| store(bucket, B, 3),
        |bucket, [a, b], ()| {
            assert!(in_order(&[Some(2)], [&a, &look(bucket, A)]), "A is {a:?}");
            assert!(in_order(&[Some(1), Some(3)], [&b, &look(bucket, B)]), "B is {b:?}");
        },
    );
}

/// Two that want the spare lane, in which a third value is: each has its own way, or gives back what it has claimed.
#[test]
fn two_for_the_lane_of_a_value_that_goes_home() {
    race(
        |bucket| {
            fill(bucket);
            store(bucket, A, 2);
        },
        |bucket| attempt(bucket, B, Plan::Store(3)).is_some(),
        |bucket| attempt(bucket, A, Plan::Store(4)).is_some(),
        |bucket, b, a| {
            assert!(a || b, "one of them was not disturbed");
            assert_eq!(look(bucket, A).unwrap(), Some(if a { 4 } else { 2 }));
            assert_eq!(look(bucket, B).unwrap(), Some(if b { 3 } else { 1 }));
        },
    );
}

/// A borrower that is removed while its value is brought home.
#[test]
fn a_value_that_goes_home_and_is_removed() {
    race(
        |bucket| {
            fill(bucket);
            store(bucket, A, 2);
        },
        |bucket| attempt(bucket, B, Plan::Store(3)).is_some(),
        |bucket| attempt(bucket, A, Plan::Remove).is_some(),
        |bucket, b, a| {
            assert!(a || b, "one of them was not disturbed");
            assert_eq!(look(bucket, A).unwrap(), (!a).then_some(2));
            assert_eq!(look(bucket, B).unwrap(), Some(if b { 3 } else { 1 }));
        },
    );
}

/// The cell that has the spare lane is reserved, and not valid: its lane stays what it is, for the one who writes there.
#[test]
fn the_spare_lane_of_a_reserved_cell() {
    race(
        |bucket| {
            fill(bucket);
            store(bucket, A, 2);
            remove(bucket, A);
        },
        |bucket| attempt(bucket, C, Plan::Store(5)).is_some(),
        |bucket| attempt(bucket, B, Plan::Store(3)).is_some(),
        |bucket, c, b| {
            assert_eq!(look(bucket, C).unwrap(), c.then_some(5));
            assert_eq!(look(bucket, B).unwrap(), Some(if b { 3 } else { 1 }));
        },
    );
}

/// Who reserves a cell writes to the lane that it has in the newest header, not in one from before the cell was given back.
#[test]
fn the_lane_of_a_cell_that_was_given_back() {
    race(
        |bucket| {
            fill(bucket);
            store(bucket, A, 2);
            remove(bucket, A);
        },
        |bucket| {
            // The cell comes back with its own lane; the spare one is free for B if the cell is taken.
            let plans = [(A, Plan::Store(3)), (A, Plan::Store(4)), (A, Plan::Remove), (B, Plan::Store(5))];
            plans.into_iter().all(|(key, plan)| attempt(bucket, key, plan).is_some())
        },
        |bucket| attempt(bucket, C, Plan::Store(6)).is_some(),
        |bucket, b, c| {
            assert_eq!(look(bucket, B).unwrap(), Some(if b { 5 } else { 1 }));
            assert_eq!(look(bucket, C).unwrap(), c.then_some(6));
        },
    );
}
