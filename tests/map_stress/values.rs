//! Values that own memory: each belongs to its key, is dropped once, and stays as long as a guard that has seen it.

use std::ops::ControlFlow;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use conex::{Decision, Domain, Map, Options};

use super::common::scaled;
use super::map;

/// A value that says which key it belongs to, counts itself, and notices a second drop.
#[derive(Debug)]
struct Value {
    key: u64,
    check: Box<u64>,
    live: &'static AtomicUsize,
}

impl Value {
    fn new(key: u64, live: &'static AtomicUsize) -> Self {
        live.fetch_add(1, Ordering::SeqCst);
        Self { key, check: Box::new(!key), live }
    }

    fn belongs_to(&self, key: u64) {
        assert_eq!((self.key, *self.check), (key, !key), "a torn value, or one of another key");
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        assert_eq!(*self.check, !self.key, "dropped twice");
        *self.check = 0;
        self.live.fetch_sub(1, Ordering::SeqCst);
    }
}

fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

/// A counter that lives as long as the process, and that leak checkers can find.
fn live() -> &'static AtomicUsize {
    static ALL: Mutex<Vec<&AtomicUsize>> = Mutex::new(Vec::new());
    let counter = Box::leak(Box::new(AtomicUsize::new(0)));
    ALL.lock().unwrap().push(counter);
    counter
}

/// Keys and values of every kind of operation stay together; all that was made is dropped once.
#[test]
fn values_belong_to_their_keys_and_are_dropped_once() {
    for (threads, keys) in [(4, 8_u64), (4, 300), (8, 5_000)] {
        let live = live();
        {
            let map = map::<Value>();
            thread::scope(|scope| {
                for thread in 0..threads {
                    let map = &map;
                    scope.spawn(move || {
                        let mut state = 0x9E37_79B9 + thread as u64;
                        for step in 0..scaled(40_000) {
                            let key = random(&mut state) % keys;
                            match random(&mut state) % 12 {
                                0..3 => drop(map.insert(key, Value::new(key, live))),
                                3 => {
                                    let old = map.try_upsert_with(key, Value::new(key, live), |old| {
                                        old.belongs_to(key)
                                    });
                                    assert!(old.is_ok());
                                }
                                4 | 5 => {
                                    map.try_remove_with(&key, |old| old.belongs_to(key)).unwrap();
                                }
                                6 => {
                                    map.update(key, |old| match old {
                                        Some(old) if step % 3 == 0 => {
                                            old.belongs_to(key);
                                            Decision::Remove
                                        }
                                        _ => Decision::Store(Value::new(key, live)),
                                    });
                                }
                                7 if step % 500 == 0 => drop(map.retain(|key, value| {
                                    value.belongs_to(*key);
                                    key % 3 != 0
                                })),
                                8 if step % 3_000 == 0 => map.clear(),
                                9 if step % 300 == 0 => map.shrink().unwrap(),
                                _ => drop(map.with(&key, |value| value.belongs_to(key))),
                            }
                        }
                    });
                }
            });
            let mut left = 0;
            let _ = map.for_each(|key, value| {
                value.belongs_to(*key);
                left += 1;
                ControlFlow::<()>::Continue(())
            });
            assert_eq!(left, map.len());
        }
        assert_eq!(live.load(Ordering::SeqCst), 0);
    }
}

/// A panic in users' code leaves the map usable and loses nothing.
#[test]
fn panics_leave_the_map_valid() {
    let live = live();
    {
        let map = map::<Value>();
        let keys = scaled(200) as u64;
        (0..keys).for_each(|key| map.insert(key, Value::new(key, live)).unwrap());
        for key in 0..keys * 2 {
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                let mut calls = 0;
                map.update(key, |_| {
                    calls += 1;
                    if calls == 1 {
                        drop(map.try_upsert_with(key, Value::new(key, live), |_| ()));
                        Decision::Store(Value::new(key, live))
                    } else {
                        panic!("in a callback")
                    }
                })
            }));
            assert!(result.is_err());
        }
        (0..keys * 2).for_each(|key| assert!(map.with(&key, |value| value.belongs_to(key)).is_some()));
        assert_eq!(map.len(), keys as usize * 2);
    }
    assert_eq!(live.load(Ordering::SeqCst), 0);
}

/// References under a guard stay, whatever happens to the entry.
#[test]
fn references_live_as_long_as_their_guard() {
    let domain = Domain::new().unwrap();
    let live = live();
    let map: Map<u64, Value> =
        Map::with_options(&Options::new().domain(&domain), 0, conex::RandomState::new()).unwrap();
    map.insert(7, Value::new(7, live)).unwrap();
    {
        let guard = domain.enter();
        let value = map.get_ref(&7, &guard).unwrap();
        assert!(map.try_remove_with(&7, |_| ()).unwrap().is_some());
        for i in 0..scaled(1000) as u64 {
            drop(map.insert(i, Value::new(i, live)));
            map.try_remove_with(&i, |_| ()).unwrap();
            domain.flush();
        }
        value.belongs_to(7);
    }
    domain.barrier(std::time::Duration::from_secs(10)).unwrap();
    assert_eq!(live.load(Ordering::SeqCst), 0);
}

#[test]
fn maps_cross_threads() {
    fn is<T: Send + Sync>() {}
    is::<Map<u64, String>>();
}
