//! How far the models of loom go, and which thread runs first.
//!
//! Which thread is spawned is no matter of taste. loom runs the spawning one first, and comes back to a load only for a store
//! that conflicts with the *last* access to the same word. A thread that has looked at each word before it stores there is the
//! last itself, and hides all loads of one that ran before it: that these may come after the store, loom does not find. So two
//! threads [`race`] both ways, unless they do the same.

#![allow(dead_code, reason = "each test binary uses some of it")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use loom::model::Builder;
use loom::thread;

/// With up to how many preemptions.
#[derive(Clone, Copy)]
pub(crate) enum Within {
    /// As many as `LOOM_MAX_PREEMPTIONS` says.
    Bound,
    /// One less: for long programs, which would take minutes.
    BoundLessOne,
    /// So many, whatever else is said.
    Preemptions(usize),
}

impl Within {
    fn builder(self) -> Builder {
        let mut builder = Builder::new();
        // Room for the rounds of a barrier, and for the end of a domain.
        builder.max_branches = 20_000;
        builder.preemption_bound = match self {
            Self::Bound => builder.preemption_bound,
            Self::BoundLessOne => builder.preemption_bound.map(|bound| bound.saturating_sub(1)),
            Self::Preemptions(bound) => Some(bound),
        };
        builder
    }
}

/// Runs the program in all interleavings, and says how many those are.
pub(crate) fn explore(within: Within, program: impl Fn() + Sync + Send + 'static) {
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = runs.clone();
    let begin = std::time::Instant::now();
    within.builder().check(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        program();
    });
    let name = thread_name();
    println!("{name}: {} interleavings, {} ms", runs.load(Ordering::Relaxed), begin.elapsed().as_millis());
}

/// The test's.
fn thread_name() -> String {
    std::thread::current().name().unwrap_or("a model").to_owned()
}

/// Two threads do `one` and `other` with what `prepare` has made; `check` gets what is left of it, and their answers. Twice, if
/// `within` has two parts: the first is for `one` in the spawning thread, which runs first, the second for `other` there.
pub(crate) fn race<M: 'static, R: 'static, S: 'static>(
    within: &[Within],
    prepare: impl Fn() -> M + Sync + Send + 'static,
    one: impl Fn(&M) -> R + Sync + Send + 'static,
    other: impl Fn(&M) -> S + Sync + Send + 'static,
    check: impl Fn(M, R, S) + Sync + Send + 'static,
) {
    let parts = Arc::new((prepare, one, other, check));
    for (within, swapped) in within.iter().zip([false, true]) {
        let parts = parts.clone();
        explore(*within, move || {
            let (prepare, one, other, check) = &*parts;
            // The standard library's: who lets go of it last is no part of the program.
            let shared = Arc::new(prepare());
            let (kept, beside) = (parts.clone(), shared.clone());
            let (mine, theirs) = if swapped {
                let beside = thread::spawn(move || (kept.1)(&beside));
                let theirs = other(&shared);
                (beside.join().unwrap(), theirs)
            } else {
                let beside = thread::spawn(move || (kept.2)(&beside));
                (one(&shared), beside.join().unwrap())
            };
            let shared = Arc::into_inner(shared).expect("the other thread has let go of it");
            check(shared, mine, theirs);
        });
    }
}
