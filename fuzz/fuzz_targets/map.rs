//! Any sequence of operations on a map does what a `BTreeMap` does: with a good hash, and with one that has few values, so
//! that buckets overflow. Values that went in come out or are dropped once.

#![no_main]

use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher};
use std::ops::ControlFlow;
use std::sync::Arc;

use arbitrary::Arbitrary;
use conex::{Decision, Domain, ExchangeError, Map, Options, Updated};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
enum Op {
    Get(u8),
    Contains(u8),
    Insert(u8, u8),
    Upsert(u8, u8),
    Replace(u8, u8),
    Remove(u8),
    CompareExchange(u8, u8, u8),
    Update(u8, u8, u8),
    GetOrInsert(u8, u8),
    Fill(u16),
    ForEach(u8),
    Scan(u8),
    Retain(u8),
    Clear,
    Reserve(u16),
    Shrink,
    Flush,
    Barrier,
}

#[derive(Arbitrary, Debug)]
struct Input {
    hashes: u8,
    capacity: u16,
    ops: Vec<Op>,
}

/// Hashes to one of `1 + .0` numbers, or well if that is 256.
#[derive(Clone)]
struct Poor(u8);

struct PoorHasher(u64, u64);

impl BuildHasher for Poor {
    type Hasher = PoorHasher;

    fn build_hasher(&self) -> PoorHasher {
        PoorHasher(0, u64::from(self.0))
    }
}

impl Hasher for PoorHasher {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x100_0000_01B3);
        }
    }

    fn finish(&self) -> u64 {
        if self.1 == 255 { self.0.wrapping_mul(0x9E37_79B9_7F4A_7C15) } else { self.0 % (1 + self.1) }
    }
}

type Value = (u8, Arc<()>);

fn key(n: u16) -> String {
    format!("{n:0width$}", width = usize::from(n % 23))
}

fuzz_target!(|input: Input| {
    let live = Arc::new(());
    let domain = Domain::new().unwrap();
    let options = Options::new().domain(&domain);
    let map: Map<String, Value, Poor> =
        Map::with_options(&options, input.capacity.into(), Poor(input.hashes)).unwrap();
    let mut model: BTreeMap<String, u8> = BTreeMap::new();
    let make = |n: u8| (n, live.clone());
    let number = |value: Value| value.0;
    let mut filled = 0_u32;
    for op in input.ops {
        match op {
            Op::Get(k) => assert_eq!(map.get(&key(k.into())).map(number), model.get(&key(k.into())).copied()),
            Op::Contains(k) => {
                assert_eq!(map.contains_key(&key(k.into())), model.contains_key(&key(k.into())))
            }
            Op::Insert(k, v) => {
                let k = key(k.into());
                let new = !model.contains_key(&k);
                assert_eq!(map.insert(k.clone(), make(v)).is_ok(), new);
                model.entry(k).or_insert(v);
            }
            Op::Upsert(k, v) => {
                let k = key(k.into());
                assert_eq!(map.upsert(k.clone(), make(v)).map(number), model.insert(k, v));
            }
            Op::Replace(k, v) => {
                let k = key(k.into());
                let old = map.replace(k.clone(), make(v)).ok().map(number);
                assert_eq!(old, model.get_mut(&k).map(|there| std::mem::replace(there, v)));
            }
            Op::Remove(k) => assert_eq!(map.remove(&key(k.into())).map(number), model.remove(&key(k.into()))),
            Op::CompareExchange(k, expected, v) => {
                let k = key(k.into());
                let answer = map.compare_exchange(k.clone(), &make(expected), make(v));
                match (answer, model.get_mut(&k)) {
                    (Ok(()), Some(there)) if *there == expected => *there = v,
                    (Err(ExchangeError::Mismatch(value)), Some(there)) => {
                        assert!(value.0 == *there && value.0 != expected)
                    }
                    (Err(ExchangeError::NotFound), None) => {}
                    (answer, there) => panic!("{answer:?}, and there is {there:?}"),
                }
            }
            Op::Update(k, v, what) => {
                let k = key(k.into());
                let mut seen = None;
                let updated = map.update(k.clone(), |old| {
                    seen = old.map(|old| old.0);
                    match what % 3 {
                        0 => Decision::Keep,
                        1 => Decision::Remove,
                        _ => Decision::Store(make(v)),
                    }
                });
                assert_eq!(seen, model.get(&k).copied());
                let expected = match (what % 3, seen) {
                    (1, Some(_)) => Updated::Removed,
                    (2, Some(_)) => Updated::Replaced,
                    (2, None) => Updated::Inserted,
                    _ => Updated::Unchanged,
                };
                assert_eq!(updated, expected);
                match what % 3 {
                    1 => drop(model.remove(&k)),
                    2 => drop(model.insert(k, v)),
                    _ => {}
                }
            }
            Op::GetOrInsert(k, v) => {
                let k = key(k.into());
                let there = map.get_or_insert_with(k.clone(), || make(v)).0;
                assert_eq!(there, *model.entry(k).or_insert(v));
            }
            Op::Fill(n) => {
                filled += u32::from(n % 512);
                if filled < 4096 {
                    for i in 0..n % 512 {
                        drop(map.upsert(key(i), make(i as u8)));
                        model.insert(key(i), i as u8);
                    }
                }
            }
            Op::ForEach(stop_after) => {
                let mut seen = BTreeMap::new();
                let stopped = map.for_each(|k, v| {
                    assert!(seen.insert(k.clone(), v.0).is_none(), "visited twice");
                    if seen.len() > usize::from(stop_after) {
                        ControlFlow::Break(())
                    } else {
                        ControlFlow::Continue(())
                    }
                });
                if stopped.is_continue() {
                    assert_eq!(seen, model);
                }
            }
            Op::Scan(limit) => {
                let mut seen = BTreeMap::new();
                let mut cursor = Some(0);
                while let Some(at) = cursor {
                    cursor = map.scan(at, limit.into(), |k, v| {
                        assert!(seen.insert(k.clone(), v.0).is_none(), "visited twice");
                    });
                }
                assert_eq!(seen, model);
            }
            Op::Retain(below) => {
                let before = model.len();
                model.retain(|_, v| *v < below);
                assert_eq!(map.retain(|_, v| v.0 < below), before - model.len());
            }
            Op::Clear => {
                map.clear();
                model.clear();
            }
            Op::Reserve(n) => map.reserve(n.into()).unwrap(),
            Op::Shrink => map.shrink().unwrap(),
            Op::Flush => domain.flush(),
            Op::Barrier => {
                domain.barrier(std::time::Duration::from_secs(60)).unwrap();
                // Now nothing is held back.
                assert_eq!(Arc::strong_count(&live), model.len() + 1);
            }
        }
        assert_eq!(
            (map.len(), map.is_empty(), map.stats().entries),
            (model.len(), model.is_empty(), model.len())
        );
    }
    drop(map);
    assert_eq!(Arc::strong_count(&live), 1);
});
