//! The map under threads, with oracles that notice what goes wrong.

#![cfg(not(loom))]

#[path = "../common/mod.rs"]
mod common;

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher};
use std::ops::ControlFlow;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use common::scaled;
use conex::{Decision, Domain, Map, Options, Updated};

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

/// A map in a domain of its own, whose memory the leak checkers see the end of.
fn map<V: Send + Sync + 'static>() -> Map<u64, V> {
    let options = Options::new().domain(&Domain::new().unwrap());
    Map::with_options(&options, 0, conex::RandomState::new()).unwrap()
}

/// Each key is inserted by exactly one thread, whatever the table does meanwhile.
#[test]
fn inserts_have_one_winner() {
    for threads in [2, 4, 8] {
        let keys = scaled(30_000) as u64;
        let map = map::<usize>();
        let wins = AtomicUsize::new(0);
        thread::scope(|scope| {
            for thread in 0..threads {
                let (map, wins) = (&map, &wins);
                scope.spawn(move || {
                    let won = (0..keys).filter(|key| map.insert(*key, thread).is_ok()).count();
                    wins.fetch_add(won, Ordering::SeqCst);
                });
            }
        });
        assert_eq!(wins.into_inner(), keys as usize);
        assert_eq!(map.len(), keys as usize);
        assert!((0..keys).all(|key| map.get(&key).is_some_and(|thread| thread < threads)));
    }
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

/// Every addition counts, on one key and on many, while the map grows.
#[test]
fn additions_are_not_lost() {
    for keys in [1_u64, 3, 5_000] {
        let threads = 4;
        let each = scaled(20_000) as u64;
        let map = map::<u64>();
        thread::scope(|scope| {
            for thread in 0..threads {
                let map = &map;
                scope.spawn(move || {
                    for i in 0..each {
                        let key = (i * 7 + thread) % keys;
                        if i % 2 == 0 {
                            map.fetch_add(key, 1);
                        } else {
                            map.update(key, |old| Decision::Store(old.copied().unwrap_or(0) + 1));
                        }
                    }
                });
            }
        });
        let mut sum = 0;
        let _ = map.for_each(|_, value| {
            sum += value;
            ControlFlow::<()>::Continue(())
        });
        assert_eq!(sum, threads * each);
        assert!(map.stats().buckets <= (keys as usize * 8).max(64), "a hot key must not grow the map");
    }
}

/// A scan meets what is present throughout exactly once, while the table grows and shrinks under it.
#[test]
fn scans_meet_what_stays_exactly_once() {
    let map = map::<u64>();
    let stay = scaled(3_000) as u64;
    let churn = scaled(60_000) as u64;
    (0..stay).for_each(|key| map.insert(key, key).unwrap());
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let (map, done) = (&map, &done);
        scope.spawn(move || {
            for _ in 0..3 {
                (stay..stay + churn).for_each(|key| map.insert(key, key).unwrap());
                (stay..stay + churn).for_each(|key| assert_eq!(map.remove(&key), Some(key)));
                map.shrink().unwrap();
            }
            done.store(true, Ordering::SeqCst);
        });
        for limit in [1, 100] {
            scope.spawn(move || {
                let mut scans = 0;
                while !done.load(Ordering::SeqCst) || scans == 0 {
                    let mut seen = vec![0_u8; stay as usize];
                    let mut cursor = Some(0);
                    while let Some(at) = cursor {
                        cursor = map.scan(at, limit, |key, value| {
                            assert_eq!(key, value);
                            if *key < stay {
                                seen[*key as usize] += 1;
                            }
                        });
                    }
                    assert!(seen.iter().all(|times| *times == 1), "met {:?} times", seen.iter().max());
                    scans += 1;
                }
            });
        }
    });
    let stats = map.stats();
    assert!(stats.growths >= 2 && stats.shrinks >= 2, "{stats:?}");
}

/// What is in the map is found, at each moment, while it grows and shrinks.
#[test]
fn present_keys_are_always_found() {
    let map = map::<u64>();
    let stay = scaled(500) as u64;
    let churn = scaled(30_000) as u64;
    (0..stay).for_each(|key| map.insert(key, 0).unwrap());
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let (map, done) = (&map, &done);
        scope.spawn(move || {
            for round in 0..4 {
                (stay..stay + churn).for_each(|key| map.insert(key, round).unwrap());
                (stay..stay + churn).for_each(|key| assert_eq!(map.remove(&key), Some(round)));
            }
            done.store(true, Ordering::SeqCst);
        });
        // A value never goes back.
        scope.spawn(move || {
            let mut last = vec![0; stay as usize];
            while !done.load(Ordering::SeqCst) {
                for key in 0..stay {
                    let now = map.get(&key).expect("it is never removed");
                    assert!(now >= last[key as usize], "a value went back");
                    last[key as usize] = now;
                }
            }
        });
        scope.spawn(move || {
            let mut n = 0;
            while !done.load(Ordering::SeqCst) {
                n += 1;
                for key in 0..stay {
                    assert_eq!(map.update(key, |_| Decision::Store(n)), Updated::Replaced);
                }
            }
        });
    });
}

struct Alike;

impl BuildHasher for Alike {
    type Hasher = AlikeHasher;

    fn build_hasher(&self) -> AlikeHasher {
        AlikeHasher
    }
}

struct AlikeHasher;

impl Hasher for AlikeHasher {
    fn write(&mut self, _: &[u8]) {}

    fn finish(&self) -> u64 {
        42
    }
}

/// Keys whose hashes are all alike: slow, never wrong, and no reason to grow without end.
#[test]
fn colliding_keys_are_kept_apart() {
    let domain = Domain::new().unwrap();
    let options = Options::new().domain(&domain);
    let map: Map<u64, u64, Alike> = Map::with_options(&options, 0, Alike).unwrap();
    let keys = scaled(400) as u64;
    let threads = 4;
    thread::scope(|scope| {
        for thread in 0..threads {
            let map = &map;
            scope.spawn(move || {
                for key in (thread..keys).step_by(threads as usize) {
                    map.insert(key, key).unwrap();
                    map.update(key, |old| Decision::Store(old.unwrap() + 1));
                    assert_eq!(map.get(&key), Some(key + 1));
                }
                for key in (thread..keys).step_by(threads as usize).filter(|key| key % 3 == 0) {
                    assert_eq!(map.remove(&key), Some(key + 1));
                }
            });
        }
    });
    let expected: HashMap<u64, u64> =
        (0..keys).filter(|key| key % 3 != 0).map(|key| (key, key + 1)).collect();
    let mut found = HashMap::new();
    let _ = map.for_each(|key, value| {
        assert_eq!(found.insert(*key, *value), None);
        ControlFlow::<()>::Continue(())
    });
    assert_eq!(found, expected);
    assert!(map.stats().buckets <= 1024, "{:?}", map.stats());
}

/// An emptied map gives its table back.
#[test]
fn an_emptied_map_is_small() {
    // In a domain of its own: a map does not shrink while old tables wait for readers.
    let map = map::<u64>();
    let keys = scaled(100_000) as u64;
    (0..keys).for_each(|key| map.insert(key, key).unwrap());
    let full = map.stats();
    (0..keys).for_each(|key| assert_eq!(map.remove(&key), Some(key)));
    for i in 0..scaled(5_000) as u64 {
        map.insert(i, i).unwrap();
        map.remove(&i);
    }
    let empty = map.stats();
    assert!(empty.bytes < full.bytes / 20 || cfg!(miri), "{full:?} {empty:?}");
    assert_eq!(empty.entries, 0);
}

/// What was reserved stays until it is given back.
#[test]
fn reserved_room_stays() {
    let map = map::<u64>();
    let keys = scaled(20_000);
    map.reserve(keys).unwrap();
    let buckets = map.stats().buckets;
    for round in 0..2 {
        (0..keys as u64).for_each(|key| map.insert(key, key).unwrap());
        (0..keys as u64).for_each(|key| assert_eq!(map.remove(&key), Some(key)));
        assert_eq!((map.stats().buckets, map.stats().shrinks), (buckets, 0), "{round}");
    }
    map.shrink().unwrap();
    assert!(map.stats().buckets < buckets);
}

/// A migration that has begun is ended by whatever writes there are, also on one key.
#[test]
fn a_hot_key_ends_a_migration() {
    let map = map::<u64>();
    let mut key = 0;
    while !map.stats().resizing || map.stats().buckets < scaled(1024) {
        map.insert(key, key).unwrap();
        key += 1;
    }
    for n in 0..map.stats().buckets as u64 {
        map.update(0, |_| Decision::Store(n));
    }
    assert!(!map.stats().resizing);
}

/// Destructors, hashers and callbacks may use the map.
#[test]
fn callbacks_may_use_the_map() {
    let map = map::<u64>();
    let updated = map.update(1, |old| {
        assert_eq!(old, None);
        map.insert(2, 2).unwrap();
        assert_eq!(map.upsert(3, 3), None);
        Decision::Store(1)
    });
    assert_eq!(updated, Updated::Inserted);
    let mut calls = 0;
    let updated = map.update(1, |old| {
        calls += 1;
        if calls == 1 {
            assert_eq!(map.upsert(1, 10), Some(1));
        }
        Decision::Store(old.unwrap() + 1)
    });
    assert_eq!((updated, calls, map.get(&1)), (Updated::Replaced, 2, Some(11)));
    map.retain(|key, _| {
        map.remove(key);
        true
    });
    assert!(map.is_empty());
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
