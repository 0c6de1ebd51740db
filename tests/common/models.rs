//! How far the models of loom go.

use loom::thread;

/// As `loom::model`, with room for the rounds of a barrier, and for the end of a domain.
pub(crate) fn model(program: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.max_branches = 10_000;
    builder.check(program);
}

/// For long programs of two threads, whose interleavings would take minutes: one preemption less than the others, but from
/// either beginning. The first thread has run when the other begins, or is to give way to it first, if it gets true.
pub(crate) fn long_model(program: impl Fn(bool) + Sync + Send + Copy + 'static) {
    for other_first in [false, true] {
        let mut builder = loom::model::Builder::new();
        builder.max_branches = 10_000;
        builder.preemption_bound = builder.preemption_bound.map(|bound| bound.saturating_sub(1));
        builder.check(move || program(other_first));
    }
}

/// At the place of a long model where the other thread may come first.
pub(crate) fn let_first(other: bool) {
    if other {
        thread::yield_now();
    }
}
