//! A second opinion on the search itself: stateright, an independent checker, walks the same steps from the
//! same initial state and must come to the same number of states, and must find a planted bug as well.

use map_model::scenario::{Mutant, Scenario};
use map_model::state::State;
use map_model::{explore, step, suite};
use stateright::{Checker, Model, Property};

struct Walk(Scenario);

/// A state, or `None` after a step that broke a property.
type Reached = Option<State>;

impl Model for Walk {
    type State = Reached;
    type Action = usize;

    fn init_states(&self) -> Vec<Reached> {
        vec![Some(State::initial(&self.0))]
    }

    fn actions(&self, state: &Reached, actions: &mut Vec<usize>) {
        let threads = 0..self.0.threads.len();
        actions.extend(threads.filter(|&t| state.as_ref().is_some_and(|s| !s.finished(&self.0, t))));
    }

    fn next_state(&self, state: &Reached, t: usize) -> Option<Reached> {
        state.as_ref().map(|s| step::step(&self.0, s, t).ok())
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("no step breaks a property", |_, state: &Reached| state.is_some()),
            // From every state every run ends with all programs done (the graph has no cycle).
            Property::eventually("all threads finish", |walk: &Walk, state: &Reached| {
                state.as_ref().is_none_or(|s| (0..walk.0.threads.len()).all(|t| s.finished(&walk.0, t)))
            }),
        ]
    }
}

#[test]
fn counts_the_same_states() {
    for name in
        ["hot-key", "mixed", "entries-change", "growth", "growth-no-memory-entries", "shrink", "two-resizers"]
    {
        let sc = suite::named(name).expect("a scenario of that name");
        let counted = explore::explore(&sc).unwrap_or_else(|broken| panic!("{name}: {}", broken.fault));
        let checker = Walk(sc).checker().spawn_bfs().join();
        assert_eq!(checker.unique_state_count(), counted.states, "{name}");
        checker.assert_properties();
    }
}

#[test]
fn finds_a_planted_bug() {
    let sc = suite::named("change-of-key").expect("a scenario of that name").planted(Mutant::NoValidation);
    let checker = Walk(sc).checker().spawn_bfs().join();
    assert!(checker.discovery("no step breaks a property").is_some());
}
