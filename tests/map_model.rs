//! The map against a model: alone, a map does what a hash map behind a mutex does.

#![cfg(not(loom))]

mod common;

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher};
use std::ops::ControlFlow;
use std::sync::Mutex;

use common::scaled;
use conex::{Decision, Domain, ExchangeError, Map, Options, RandomState, Updated};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Op {
    Get(u16),
    With(u16),
    Insert(u16, u32),
    Upsert(u16, u32),
    Replace(u16, u32),
    Remove(u16),
    CompareExchange(u16, u32, u32),
    Update(u16, u8, u32),
    GetOrInsert(u16, u32),
    Retain(u32),
    Scan(usize),
    ForEach,
    Clear,
    Reserve(usize),
    Shrink,
    RemoveMany(u16),
}

fn ops(keys: u16) -> impl Strategy<Value = Vec<Op>> {
    let k = move || 0..keys;
    let v = || 0..8_u32;
    let op = prop_oneof![
        4 => k().prop_map(Op::Get),
        1 => k().prop_map(Op::With),
        12 => (k(), v()).prop_map(|(k, v)| Op::Insert(k, v)),
        6 => (k(), v()).prop_map(|(k, v)| Op::Upsert(k, v)),
        3 => (k(), v()).prop_map(|(k, v)| Op::Replace(k, v)),
        5 => k().prop_map(Op::Remove),
        3 => (k(), v(), v()).prop_map(|(k, e, d)| Op::CompareExchange(k, e, d)),
        4 => (k(), 0..3_u8, v()).prop_map(|(k, d, v)| Op::Update(k, d, v)),
        2 => (k(), v()).prop_map(|(k, v)| Op::GetOrInsert(k, v)),
        1 => (2..6_u32).prop_map(Op::Retain),
        1 => (0..50_usize).prop_map(Op::Scan),
        1 => Just(Op::ForEach),
        1 => prop::sample::select(vec![0_u8, 1, 2, 3, 4, 5, 6, 7]).prop_map(|n| if n == 0 { Op::Clear } else { Op::ForEach }),
        1 => (0..2000_usize).prop_map(Op::Reserve),
        1 => Just(Op::Shrink),
        1 => k().prop_map(Op::RemoveMany),
    ];
    prop::collection::vec(op, 0..scaled(600).max(60))
}

fn check<S: BuildHasher>(ops: Vec<Op>, hasher: S) -> Result<(), TestCaseError> {
    let map: Map<u16, Box<u32>, S> =
        Map::with_options(&Options::new().domain(&Domain::new().unwrap()), 0, hasher).unwrap();
    let model = Mutex::new(HashMap::<u16, Box<u32>>::new());
    for op in ops {
        let mut model = model.lock().unwrap();
        match op {
            Op::Get(k) => prop_assert_eq!(map.get(&k), model.get(&k).cloned()),
            Op::With(k) => {
                prop_assert_eq!(map.with(&k, |v| **v), model.get(&k).map(|v| **v));
                prop_assert_eq!(map.contains_key(&k), model.contains_key(&k));
            }
            Op::Insert(k, v) => {
                let v = Box::new(v);
                let expected = if let std::collections::hash_map::Entry::Vacant(slot) = model.entry(k) {
                    slot.insert(v.clone());
                    Ok(())
                } else {
                    Err(v.clone())
                };
                prop_assert_eq!(map.insert(k, v), expected);
            }
            Op::Upsert(k, v) => {
                prop_assert_eq!(map.upsert(k, Box::new(v)), model.insert(k, Box::new(v)));
            }
            Op::Replace(k, v) => {
                let v = Box::new(v);
                let expected = match model.get_mut(&k) {
                    Some(slot) => Ok(std::mem::replace(slot, v.clone())),
                    None => Err(v.clone()),
                };
                prop_assert_eq!(map.replace(k, v), expected);
            }
            Op::Remove(k) => prop_assert_eq!(map.remove(&k), model.remove(&k)),
            Op::CompareExchange(k, e, d) => {
                let expected = match model.get_mut(&k) {
                    Some(slot) if **slot == e => {
                        **slot = d;
                        Ok(())
                    }
                    Some(slot) => Err(ExchangeError::Mismatch(slot.clone())),
                    None => Err(ExchangeError::NotFound),
                };
                prop_assert_eq!(map.compare_exchange(k, &Box::new(e), Box::new(d)), expected);
            }
            Op::Update(k, decision, v) => {
                let old = model.get(&k).cloned();
                let updated = map.update(k, |now| {
                    assert_eq!(now, old.as_ref());
                    match decision {
                        0 => Decision::Keep,
                        1 => Decision::Store(Box::new(v)),
                        _ => Decision::Remove,
                    }
                });
                let expected = match (decision, &old) {
                    (0, _) | (2, None) => Updated::Unchanged,
                    (1, None) => Updated::Inserted,
                    (1, Some(_)) => Updated::Replaced,
                    _ => Updated::Removed,
                };
                prop_assert_eq!(updated, expected);
                match decision {
                    1 => drop(model.insert(k, Box::new(v))),
                    2 => drop(model.remove(&k)),
                    _ => {}
                }
            }
            Op::GetOrInsert(k, v) => {
                let expected = model.entry(k).or_insert_with(|| Box::new(v)).clone();
                prop_assert_eq!(map.get_or_insert_with(k, || Box::new(v)), expected);
            }
            Op::Retain(n) => {
                let before = model.len();
                model.retain(|_, v| **v % n != 0);
                prop_assert_eq!(map.retain(|_, v| **v % n != 0), before - model.len());
            }
            Op::Scan(limit) => {
                let mut seen = HashMap::new();
                let mut cursor = Some(0);
                while let Some(at) = cursor {
                    cursor = map.scan(at, limit, |k, v| assert_eq!(seen.insert(*k, v.clone()), None));
                }
                prop_assert_eq!(&seen, &*model);
            }
            Op::ForEach => {
                let mut seen = HashMap::new();
                let end = map.for_each(|k, v| {
                    assert_eq!(seen.insert(*k, v.clone()), None);
                    ControlFlow::<()>::Continue(())
                });
                prop_assert!(end.is_continue());
                prop_assert_eq!(&seen, &*model);
            }
            Op::Clear => {
                map.clear();
                model.clear();
            }
            Op::Reserve(n) => map.reserve(n).unwrap(),
            Op::Shrink => map.shrink().unwrap(),
            Op::RemoveMany(from) => {
                for k in from..from + 200 {
                    prop_assert_eq!(map.remove(&k), model.remove(&k));
                }
            }
        }
        prop_assert_eq!(map.len(), model.len());
        prop_assert_eq!(map.is_empty(), model.is_empty());
    }
    Ok(())
}

/// Hashes that are as bad as a hash may be.
#[derive(Clone, Copy)]
struct Bad(u64);

impl BuildHasher for Bad {
    type Hasher = BadHasher;

    fn build_hasher(&self) -> BadHasher {
        BadHasher(self.0, 0)
    }
}

struct BadHasher(u64, u64);

impl Hasher for BadHasher {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.1 = self.1 << 8 | u64::from(*byte));
    }

    fn finish(&self) -> u64 {
        match self.0 {
            // All alike; and the words that cannot stand in a cell.
            0..2 => self.0,
            // A few different ones, next to each other at the low end and far apart.
            2 => self.1 % 5,
            3 => (self.1 % 5) << 61,
            _ => u64::MAX - self.1 % 3,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: scaled(400) as u32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn behaves_like_the_model(ops in ops(1000)) {
        check(ops, RandomState::new())?;
    }

    #[test]
    fn behaves_like_the_model_with_few_keys(ops in ops(20)) {
        check(ops, RandomState::new())?;
    }

    #[test]
    fn behaves_like_the_model_when_hashes_collide(ops in ops(40), kind in 0..5_u64) {
        check(ops, Bad(kind))?;
    }
}
