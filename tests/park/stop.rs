//! Stopping a thread at a step.

use std::cell::Cell;
use std::panic::Location;
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use crate::sites;

/// Where a thread is to stop, and whether it has.
#[derive(Default)]
pub(crate) struct Park {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Parked at this place.
    at: Option<&'static Location<'static>>,
    ended: bool,
    /// Nobody stops here any more.
    open: bool,
}

/// Which steps a thread stops at.
#[derive(Clone, Copy)]
pub(crate) enum Plan {
    /// Before these; more than one make a walk.
    Steps(u64, u64),
    /// When it comes to this file and line.
    At(&'static str, u32),
}

impl Plan {
    pub(crate) const fn only(step: u64) -> Self {
        Self::Steps(step, step)
    }
}

thread_local! {
    static PARK: Cell<*const Park> = const { Cell::new(std::ptr::null()) };
    static PLAN: Cell<Plan> = const { Cell::new(Plan::only(0)) };
    static STEPS: Cell<u64> = const { Cell::new(0) };
}

fn on_step(at: &'static Location<'static>) {
    let steps = STEPS.get() + 1;
    STEPS.set(steps);
    let stops = match PLAN.get() {
        Plan::Steps(first, last) => (first..=last).contains(&steps),
        Plan::At(file, line) => at.file() == file && at.line() == line,
    };
    if !stops {
        return;
    }
    sites::parked_at(at);
    // SAFETY: set by `armed`, whose caller keeps it alive.
    unsafe { &*PARK.get() }.stop(at);
}

/// Runs `call`, in which this thread stops as planned. Returns how many steps it took.
pub(crate) fn armed(park: &Park, plan: Plan, call: impl FnOnce()) -> u64 {
    PARK.set(park);
    PLAN.set(plan);
    STEPS.set(0);
    conex::park::report_to(Some(on_step));
    call();
    conex::park::report_to(None);
    STEPS.get()
}

impl Park {
    fn stop(&self, at: &'static Location<'static>) {
        let mut state = self.state.lock().unwrap();
        if state.open {
            return;
        }
        state.at = Some(at);
        self.changed.notify_all();
        drop(self.changed.wait_while(state, |state| state.at.is_some()).unwrap());
    }

    pub(crate) fn release(&self) {
        self.state.lock().unwrap().at = None;
        self.changed.notify_all();
    }

    /// Releases whoever is parked, for good.
    pub(crate) fn open(&self) {
        let mut state = self.state.lock().unwrap();
        state.open = true;
        state.at = None;
        self.changed.notify_all();
    }

    pub(crate) fn end(&self) {
        self.state.lock().unwrap().ended = true;
        self.changed.notify_all();
    }

    /// Waits until the thread is parked, and says where; `None` when its operation has ended.
    pub(crate) fn next(&self) -> Option<&'static Location<'static>> {
        let state = self.state.lock().unwrap();
        let (state, timeout) = self
            .changed
            .wait_timeout_while(state, Duration::from_secs(120), |state| state.at.is_none() && !state.ended)
            .unwrap();
        assert!(!timeout.timed_out(), "the thread that is to be parked neither parks nor ends");
        state.at
    }
}
