//! Who is first with a key, and who comes after: one winner, no change that is lost, keys that collide, and callbacks that
//! use the map they are called by.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use conex::{Decision, Domain, Map, Options, Updated};

use super::common::scaled;
use super::map;

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
