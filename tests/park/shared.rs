//! Counted references and the places that hold them: each value ends once, with its last reference, and not before.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use conex::{AtomicRef, Domain, Ref};

use crate::driver::{Subject, Suite, Where, Worker};
use crate::sequence::conserved;

const PLACES: usize = 2;

const OPERATIONS: &[&str] = &[
    "new",
    "load",
    "store",
    "exchange",
    "compare_exchange",
    "update",
    "clone",
    "keep",
    "pass on",
    "release",
    "load under a guard",
    "flush",
];

/// What has come to its end, and what was seen to be wrong.
#[derive(Default)]
struct Ends {
    ended: Mutex<Vec<u64>>,
    fault: Mutex<Option<String>>,
}

impl Ends {
    fn fail(&self, text: String) {
        self.fault.lock().unwrap().get_or_insert(text);
    }
}

/// A value that says so when it is used after its end.
struct Value {
    token: u64,
    check: u64,
    /// What `update` counts.
    count: u64,
    ends: Arc<Ends>,
}

impl Value {
    fn is_intact(&self) -> bool {
        self.check == !self.token
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        if !self.is_intact() {
            self.ends.fail(format!("{:x} ended twice, or was none", self.token));
        }
        self.check = 0;
        self.ends.ended.lock().unwrap().push(self.token);
    }
}

struct OfShared {
    domain: Domain,
    ends: Arc<Ends>,
    places: [AtomicRef<Value>; PLACES],
    /// Written by "update" alone.
    counter: AtomicRef<Value>,
    updates: AtomicU64,
    /// What each worker keeps; nobody else takes its lock.
    kept: [Mutex<Option<Ref<Value>>>; 5],
}

impl OfShared {
    fn new(worker: &mut Worker, values: usize) -> Self {
        let domain = Domain::new().unwrap();
        let place = || AtomicRef::new_in(&domain, None);
        let this = Self {
            ends: Arc::default(),
            places: [place(), place()],
            counter: place(),
            updates: AtomicU64::new(0),
            kept: Default::default(),
            domain,
        };
        this.counter.store(Some(this.value(worker, 0)));
        for place in this.places.iter().cycle().take(values) {
            place.store(Some(this.value(worker, 0)));
        }
        // So that each worker has something to pass on, or to release, also as the last one that does.
        for kept in &this.kept {
            *kept.lock().unwrap() = this.places[0].load();
        }
        this
    }

    fn value(&self, worker: &mut Worker, count: u64) -> Ref<Value> {
        let token = worker.token();
        worker.put.push(token);
        let value = Value { token, check: !token, count, ends: self.ends.clone() };
        Ref::new_in(&self.domain, value).unwrap()
    }

    /// Looks at what was found.
    fn look(&self, found: Option<&Ref<Value>>) {
        if let Some(found) = found
            && !found.is_intact()
        {
            self.ends.fail(format!("{:x} was found after its end", found.token));
        }
    }

    /// Looks at what the worker keeps, which may be long since in no place, and keeps `next` instead.
    fn keep(&self, worker: &Worker, next: Option<Ref<Value>>) {
        let before = std::mem::replace(&mut *self.kept[worker.id as usize].lock().unwrap(), next);
        self.look(before.as_ref());
    }
}

impl Subject for OfShared {
    fn run(&self, worker: &mut Worker, operation: usize) {
        let place = &self.places[worker.below(PLACES as u64) as usize];
        match OPERATIONS[operation] {
            "new" => drop(self.value(worker, 0)),
            "load" => self.look(place.load().as_ref()),
            "store" => place.store(Some(self.value(worker, 0))),
            "exchange" => self.look(place.exchange(None).as_ref()),
            "compare_exchange" => {
                let expected = place.load();
                if let Err((held, next)) =
                    place.compare_exchange(expected.as_ref(), Some(self.value(worker, 0)))
                {
                    self.look(held.as_ref());
                    self.look(next.as_ref());
                }
            }
            // Each adds one, so that a lost one shows.
            "update" => {
                let mut now = self.counter.load();
                loop {
                    self.look(now.as_ref());
                    let count = now.as_ref().map_or(0, |now| now.count) + 1;
                    match self.counter.compare_exchange(now.as_ref(), Some(self.value(worker, count))) {
                        Ok(()) => break,
                        Err((held, _)) => now = held,
                    }
                }
                self.updates.fetch_add(1, Ordering::SeqCst);
            }
            "clone" => {
                let found = place.load();
                let again = found.clone();
                drop(found);
                self.look(again.as_ref());
            }
            "keep" => self.keep(worker, place.load()),
            "pass on" => {
                let kept = self.kept[worker.id as usize].lock().unwrap().clone();
                place.store(kept);
            }
            "release" => self.keep(worker, None),
            "load under a guard" => {
                let mut guard = self.domain.enter();
                self.look(place.load().as_ref());
                guard.refresh();
                self.look(place.load().as_ref());
            }
            "flush" => self.domain.flush(),
            other => unreachable!("{other}"),
        }
    }

    fn verify(&self, workers: &[Worker]) -> Result<(), String> {
        let counted = self.counter.load().map_or(0, |counter| counter.count);
        let updates = self.updates.load(Ordering::SeqCst);
        if counted != updates {
            return Err(format!("{updates} updates, and {counted} were counted"));
        }
        // As many references as there are names for each.
        let held: Vec<_> = self.places.iter().map(AtomicRef::load).collect();
        let kept: Vec<_> = self.kept.iter().map(|kept| kept.lock().unwrap().take()).collect();
        let loaded = held.iter().flatten();
        for value in loaded.clone().chain(kept.iter().flatten()) {
            self.look(Some(value));
            let same = |other: &&Ref<Value>| Ref::ptr_eq(value, other);
            // What was loaded is also in its place.
            let names = 2 * loaded.clone().filter(same).count() + kept.iter().flatten().filter(same).count();
            if Ref::count(value) != names {
                return Err(format!(
                    "{names} references to {:x}, and {} counted",
                    value.token,
                    Ref::count(value)
                ));
            }
        }
        drop((held, kept));
        self.places.iter().chain([&self.counter]).for_each(|place| place.store(None));
        if let Some(fault) = self.ends.fault.lock().unwrap().take() {
            return Err(fault);
        }
        conserved(workers, self.ends.ended.lock().unwrap().clone())?;
        self.domain.barrier(Duration::from_secs(20)).map_err(|error| format!("barrier: {error}"))?;
        match self.domain.stats().pending_objects {
            0 => Ok(()),
            pending => Err(format!("{pending} blocks were not freed")),
        }
    }
}

pub(crate) fn suites() -> Vec<Suite> {
    let suite = |name: &str, values, beside: Option<&'static str>| Suite {
        name: name.to_string(),
        operations: OPERATIONS,
        victims: None,
        beside: beside.map(|operation| (operation, Where::Each)),
        make: Box::new(move |worker| Box::new(OfShared::new(worker, values))),
        watchdog: Duration::from_secs(20),
    };
    let mut suites = vec![suite("shared, empty", 0, None), suite("shared, 2 values", PLACES, None)];
    for beside in ["load", "store", "compare_exchange"] {
        suites.push(suite(&format!("shared, beside a parked {beside}"), PLACES, Some(beside)));
    }
    suites
}
