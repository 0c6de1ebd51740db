//! The map of Rust types: keys and values that own memory, and are dropped once.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use conex::{Decision, Domain, ExchangeError, Map, Options, RandomState, Updated};

use crate::driver::{Subject, Suite, Worker};

const KEYS: u64 = 8;

#[derive(Clone)]
struct Value {
    key: String,
    _live: Arc<()>,
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

const OPERATIONS: &[&str] = &[
    "get",
    "with",
    "get_ref",
    "contains_key",
    "insert",
    "upsert",
    "replace",
    "remove",
    "compare_exchange",
    "update",
    "get_or_insert_with",
    "for_each",
    "scan",
    "retain",
    "len",
    "shrink",
];

struct Owners {
    domain: Domain,
    live: Arc<()>,
    map: Mutex<Option<Arc<Map<String, Value>>>>,
    there: [AtomicI64; KEYS as usize],
}

fn check(key: &str, value: Option<&Value>) {
    assert!(value.is_none_or(|value| value.key == key), "a value of another key");
}

impl Owners {
    fn new() -> Self {
        let domain = Domain::new().unwrap();
        let options = Options::new().domain(&domain);
        let map = Map::with_options(&options, 0, RandomState::with_seed(7)).unwrap();
        let this = Self {
            domain,
            live: Arc::new(()),
            map: Mutex::new(Some(Arc::new(map))),
            there: Default::default(),
        };
        for number in (0..KEYS).step_by(2) {
            let (key, value) = this.entry(number);
            let map = this.map.lock().unwrap().clone().expect("there until the end");
            assert!(map.insert(key, value).is_ok());
            this.count(number, 1);
        }
        this
    }

    fn entry(&self, number: u64) -> (String, Value) {
        let key = format!("key {number}");
        (key.clone(), Value { key, _live: self.live.clone() })
    }

    fn count(&self, number: u64, by: i64) {
        self.there[number as usize].fetch_add(by, Ordering::SeqCst);
    }
}

impl Subject for Owners {
    fn run(&self, worker: &mut Worker, operation: usize) {
        let map = self.map.lock().unwrap().clone().expect("there until the end");
        let number = worker.below(KEYS);
        let (key, value) = self.entry(number);
        let name = key.clone();
        match OPERATIONS[operation] {
            "get" => check(&name, map.get(&key).as_ref()),
            "with" => drop(map.with(&key, |value| check(&name, Some(value)))),
            "get_ref" => {
                let guard = self.domain.enter();
                check(&name, map.get_ref(&key, &guard));
            }
            "contains_key" => drop(std::hint::black_box(map.contains_key(&key))),
            "insert" => match map.insert(key, value) {
                Ok(()) => self.count(number, 1),
                Err(mine) => check(&name, Some(&mine)),
            },
            "upsert" => match map.upsert(key, value) {
                None => self.count(number, 1),
                Some(old) => check(&name, Some(&old)),
            },
            "replace" => {
                let (Ok(old) | Err(old)) = map.replace(key, value);
                check(&name, Some(&old));
            }
            "remove" => {
                if let Some(old) = map.remove(&key) {
                    check(&name, Some(&old));
                    self.count(number, -1);
                }
            }
            "compare_exchange" => {
                // All values of a key are equal.
                let answer = map.compare_exchange(key, &value.clone(), value);
                assert!(matches!(answer, Ok(()) | Err(ExchangeError::NotFound)));
            }
            "update" => {
                let decision = worker.below(3);
                let updated = map.update(key, |old| {
                    check(&name, old);
                    match decision {
                        0 => Decision::Keep,
                        1 => Decision::Remove,
                        _ => Decision::Store(value.clone()),
                    }
                });
                let by = i64::from(updated == Updated::Inserted) - i64::from(updated == Updated::Removed);
                self.count(number, by);
            }
            "get_or_insert_with" => {
                let found = map.get_or_insert_with(key, || value);
                check(&name, Some(&found));
            }
            "for_each" => {
                let _ = map.for_each(|key, value| {
                    check(key, Some(value));
                    ControlFlow::<()>::Continue(())
                });
            }
            "scan" => {
                let mut cursor = Some(0);
                while let Some(at) = cursor {
                    cursor = map.scan(at, 3, |key, value| check(key, Some(value)));
                }
            }
            "retain" => drop(std::hint::black_box(map.retain(|key, value| value.key == *key))),
            "len" => assert!(map.len() < 10_000),
            "shrink" => map.shrink().unwrap(),
            other => unreachable!("{other}"),
        }
    }

    fn verify(&self, _workers: &[Worker]) -> Result<(), String> {
        let map = self.map.lock().unwrap().take().expect("there until now");
        let mut found = 0;
        for number in 0..KEYS {
            let (key, _) = self.entry(number);
            // `get_or_insert_with` does not say whose value it was, so there may be one more.
            let there = self.there[number as usize].load(Ordering::SeqCst);
            let is = map.contains_key(&key);
            if there > i64::from(is) {
                return Err(format!("{key}: inserted minus removed is {there}, and it is there: {is}"));
            }
            found += usize::from(is);
        }
        if map.len() != found {
            return Err(format!("len says {}, and {found} keys are there", map.len()));
        }
        drop(map);
        self.domain.barrier(Duration::from_secs(20)).map_err(|error| format!("barrier: {error}"))?;
        if Arc::strong_count(&self.live) == 1 { Ok(()) } else { Err("a value was not dropped".into()) }
    }
}

pub(crate) fn suites() -> Vec<Suite> {
    vec![Suite {
        name: "Map<String, Value>".to_string(),
        operations: OPERATIONS,
        victims: None,
        beside: None,
        make: Box::new(|_| Box::new(Owners::new())),
        watchdog: Duration::from_secs(20),
    }]
}
