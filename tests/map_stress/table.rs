//! The table grows and shrinks: what is met and found meanwhile, and how large it is afterwards.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use conex::{Decision, Updated};

use super::common::scaled;
use super::map;

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
