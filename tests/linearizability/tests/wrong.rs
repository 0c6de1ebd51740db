//! The checkers must find what is wrong, and only that. Small histories by hand, then random ones: the polynomial
//! checkers and the search must agree on all of them.

use linearizability::Event;
use linearizability::history;
use linearizability::sequence::{self, Op};
use linearizability::wgl::{self, Spec, Verdict};

fn ok(text: &str) {
    if let Err(fault) = history::check(text) {
        panic!("linearizable, but: {fault}\n{text}");
    }
}

fn wrong(text: &str) {
    assert!(history::check(text).is_err(), "not linearizable, and it was not noticed:\n{text}");
}

#[test]
fn queue() {
    ok("history queue\n1 2 push 1\n3 4 push 2\n5 6 pop = 1\n7 8 pop = 2\n9 10 pop =\n");
    ok("history queue\n1 4 push 1\n2 3 push 2\n5 6 pop = 2\n7 8 pop = 1\n"); // concurrent pushes: either order
    wrong("history queue\n1 2 push 1\n3 4 push 2\n5 6 pop = 2\n7 8 pop = 1\n"); // LIFO
    wrong("history queue\n1 2 push 1\n3 4 pop =\n5 6 pop = 1\n"); // false empty
    wrong("history queue\n1 2 push 1\n3 4 pop = 1\n5 6 pop = 1\n"); // twice
    wrong("history queue\n1 2 push 1\n3 4 pop = 2\n"); // from nowhere
    wrong("history queue\n3 4 push 1\n1 2 pop = 1\n"); // before it was there
    wrong("history queue\n1 2 push 1\n3 4 push 2\n5 6 pop = 2\n"); // overtook one that stayed
    ok("history queue\n1 10 push 1\n2 9 pop =\n11 12 pop = 1\n");
    // Empty, while one element hands over to the next without a gap.
    wrong("history queue\n1 2 push 1\n4 9 pop =\n5 6 push 2\n7 8 pop = 1\n10 11 pop = 2\n");
    wrong("history queue\n1 2 push_n 1 2\n3 4 push 3\n5 6 pop_n 3 = 3 1 2\n");
}

#[test]
fn stack() {
    ok("history stack\n1 2 push 1\n3 4 push 2\n5 6 pop = 2\n7 8 pop = 1\n9 10 pop =\n");
    wrong("history stack\n1 2 push 1\n3 4 push 2\n5 6 pop = 1\n7 8 pop = 2\n"); // FIFO
    ok("history stack\n1 2 push 1\n3 7 push 2\n5 6 pop = 1\n8 9 pop = 2\n"); // the push may come after the pop
    wrong("history stack\n1 2 push 1\n3 4 pop =\n5 6 pop = 1\n");
    ok("history stack\n1 2 push 1\n3 4 push 2\n"); // what stays may stay
    wrong("history stack\n1 2 push 1\n3 4 push 2\n5 6 pop = 1\n"); // took the lower one
}

#[test]
fn stack_batches() {
    ok(
        "history stack_n\n1 2 push_n 1 2 3\n3 4 pop_n 2 = 3 2\n5 6 len = 1\n7 8 pop_all = 1\n9 10 is_empty = 1\n",
    );
    wrong("history stack_n\n1 2 push_n 1 2 3\n3 4 pop_n 2 = 2 3\n"); // the order in the batch
    wrong("history stack_n\n1 2 push_n 1 2 3\n3 4 pop_n 5 = 3 2\n"); // fewer than there were
    wrong("history stack_n\n1 8 push_n 1 2\n3 4 pop = 1\n5 6 pop = 2\n"); // half a batch
    wrong("history stack_n\n1 2 push_n 1 2\n3 6 pop_all = 2\n4 5 pop = 1\n");
}

#[test]
fn map() {
    ok(
        "history map\n1 2 insert 5 10 = -\n3 4 get 5 = 10\n5 6 upsert 5 11 = 10\n7 8 remove 5 = 11\n9 10 get 5 = -\n",
    );
    wrong("history map\n1 2 insert 5 10 = -\n3 4 get 5 = -\n"); // lost
    wrong("history map\n1 2 insert 5 10 = -\n3 4 insert 5 11 = -\n"); // two winners
    wrong("history map\n1 2 fetch_add 5 1 = 0\n3 4 fetch_add 5 1 = 0\n"); // a lost update
    wrong("history map\n1 2 upsert 5 1 = -\n3 4 upsert 5 2 = 1\n5 6 get 5 = 1\n"); // stale
    ok("history map\n1 2 upsert 5 1 = -\n3 7 upsert 5 2 = 1\n4 5 get 5 = 1\n6 8 get 5 = 2\n");
    wrong("history map\n1 2 upsert 5 1 = -\n3 10 upsert 5 2 = 1\n4 5 get 5 = 2\n6 7 get 5 = 1\n"); // back in time
    wrong("history map\n1 2 insert 5 1 = -\n3 4 compare_exchange 5 1 2 = 1\n5 6 get 5 = 1\n");
    ok(
        "history map\n1 2 get_or_insert 5 1 = 1 1\n3 4 get_or_insert 5 2 = 0 1\n5 6 update 5 = 1 -\n7 8 contains 5 = 0\n",
    );
    wrong("history map\n1 2 update 5 = - 1\n3 4 replace 5 9 = -\n");
    ok("history map\n1 2 insert 5 1 = -\n3 9 clear 5 =\n4 5 get 5 = 1\n6 7 get 5 = -\n");
    wrong("history map\n1 2 insert 5 1 = -\n3 4 clear 5 =\n5 6 get 5 = 1\n"); // not cleared
    ok(
        "history map\n1 2 insert 5 1 = -\n3 4 retain_even 5 =\n5 6 insert_one 5 2 = 1\n7 8 retain_even 5 =\n9 10 get 5 = 2\n",
    );
    wrong("history map\n1 2 insert 5 1 = -\n3 9 retain_even 5 =\n4 5 upsert 5 2 = 1\n10 11 get 5 = -\n"); // not the value it saw
    wrong("history map\n1 2 insert 5 1 = -\n3 4 remove_one 5 = 1\n5 6 remove_one 5 = 1\n");
    ok("history map\n1 2 insert 5 1 = -\n3 4 get 6 = -\n"); // keys do not matter to each other
}

/// The two containers as the search sees them.
struct Sequence<const FIFO: bool>;

impl<const FIFO: bool> Spec for Sequence<FIFO> {
    type State = Vec<u64>;
    type Op = Op;

    fn initial() -> Vec<u64> {
        Vec::new()
    }

    fn apply(state: &Vec<u64>, op: &Op) -> Option<Vec<u64>> {
        match *op {
            Op::Push(value) => Some([state.as_slice(), &[value]].concat()),
            Op::Empty => state.is_empty().then(Vec::new),
            Op::Pop(value) => {
                let out = if FIFO { 0 } else { state.len().checked_sub(1)? };
                (*state.get(out)? == value).then(|| {
                    let mut after = state.clone();
                    after.remove(out);
                    after
                })
            }
        }
    }
}

struct Rng(u64);

impl Rng {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

/// A random history of up to three threads, most of them nearly right: an order is made up, intervals are laid around
/// it, and sometimes two answers are exchanged.
fn random(rng: &mut Rng, fifo: bool) -> Vec<Event<Op>> {
    let n = 3 + rng.below(8);
    let mut state: Vec<u64> = Vec::new();
    let mut next = 0;
    let mut ops = Vec::new();
    for _ in 0..n {
        ops.push(if rng.below(2) == 0 {
            next += 1;
            state.push(next);
            Op::Push(next)
        } else if state.is_empty() {
            Op::Empty
        } else if fifo {
            Op::Pop(state.remove(0))
        } else {
            Op::Pop(state.pop().expect("not empty"))
        });
    }
    if rng.below(2) == 0 {
        let (a, b) = (rng.below(n) as usize, rng.below(n) as usize);
        ops.swap(a, b);
    }
    let reach = 1 + rng.below(60);
    ops.into_iter()
        .enumerate()
        .map(|(i, op)| {
            // The moment is 1000 (i + 1); the interval reaches to both sides. The low digits keep stamps different.
            let (middle, i) = (1000 * (i as u64 + 1), i as u64);
            let start = middle.saturating_sub(rng.below(reach) * 50 + 10) * 100 + 2 * i;
            Event { op, start, end: (middle + rng.below(reach) * 50 + 10) * 100 + 2 * i + 1 }
        })
        .collect()
}

fn agrees<const FIFO: bool>(check: impl Fn(&[Event<Op>]) -> Result<(), String>) {
    let mut rng = Rng(if FIFO { 7 } else { 11 });
    let mut wrong = 0;
    for _ in 0..60_000 {
        let events = random(&mut rng, FIFO);
        let expected = wgl::check::<Sequence<FIFO>>(&events, 1 << 20);
        assert_ne!(expected, Verdict::TooHard);
        wrong += u32::from(expected != Verdict::Linearizable);
        assert_eq!(
            check(&events).is_ok(),
            expected == Verdict::Linearizable,
            "{:?}: {events:#?}",
            check(&events)
        );
    }
    assert!((6_000..54_000).contains(&wrong), "{wrong} of 60000 are wrong: not much of a test");
}

#[test]
fn the_queue_checker_agrees_with_the_search() {
    agrees::<true>(sequence::queue);
}

#[test]
fn the_stack_checker_agrees_with_the_search() {
    agrees::<false>(sequence::stack);
}
