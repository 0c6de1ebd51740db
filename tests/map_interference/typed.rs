//! The map of Rust types: closures are asked again, and so is the equality of `compare_exchange`.

use std::cell::RefCell;
use std::sync::Arc;

use conex::{Decision, Domain, Map, Options, RandomState, Updated};

type Typed = Map<String, Arc<u32>>;

fn typed() -> (Domain, Typed, Arc<u32>) {
    let domain = Domain::new().unwrap();
    let map = Map::with_options(&Options::new().domain(&domain), 0, RandomState::with_seed(3)).unwrap();
    (domain, map, Arc::new(1))
}

fn ended(domain: &Domain, map: Typed, value: &Arc<u32>) {
    drop(map);
    domain.barrier(std::time::Duration::from_secs(20)).unwrap();
    assert_eq!(Arc::strong_count(value), 1, "a value was not dropped");
}

#[test]
fn typed_maps_ask_again_too() {
    let (domain, map, one) = typed();
    let (two, three) = (Arc::new(2), Arc::new(3));
    let key = || "key".to_string();
    assert_eq!(map.insert(key(), one.clone()), Ok(()));
    let mut seen = Vec::new();
    let updated = map.update(key(), |old| {
        seen.push(old.map(|old| **old));
        if seen.len() == 1 {
            assert_eq!(map.upsert(key(), two.clone()).as_deref(), Some(&1));
        }
        Decision::Store(three.clone())
    });
    assert_eq!((updated, &seen[..]), (Updated::Replaced, &[Some(1), Some(2)][..]));
    // A value that was decided to be stored, and then that the entry be left, or removed.
    for (last, expected) in [(Decision::Keep, Some(2)), (Decision::Remove, None)] {
        let mut calls = 0;
        map.upsert(key(), one.clone());
        let updated = map.update(key(), |_| {
            calls += 1;
            if calls > 1 {
                return last.clone();
            }
            map.upsert(key(), two.clone());
            Decision::Store(three.clone())
        });
        assert_eq!(updated, if expected.is_some() { Updated::Unchanged } else { Updated::Removed });
        assert_eq!((calls, map.get("key").as_deref().copied()), (2, expected));
    }
    let got = map.get_or_insert_with(key(), || {
        assert_eq!(map.insert(key(), two.clone()), Ok(()));
        three.clone()
    });
    assert_eq!((*got, map.len()), (2, 1));
    drop(got);
    let mut asked = Vec::new();
    let removed = map.retain(|_, value| {
        asked.push(**value);
        if asked.len() == 1 {
            map.upsert(key(), three.clone());
        }
        asked.len() == 2
    });
    assert_eq!((removed, &asked[..]), (0, &[2, 3][..]));
    let removed = map.retain(|_, _| {
        map.remove("key");
        false
    });
    assert_eq!((removed, map.len()), (0, 0));
    ended(&domain, map, &one);
    assert_eq!((Arc::strong_count(&two), Arc::strong_count(&three)), (1, 1));
}

/// Equality decides `compare_exchange`; here it is asked while the entry changes.
#[test]
fn a_compare_exchange_does_not_trust_an_old_comparison() {
    thread_local! {
        static AT_COMPARISON: RefCell<Option<Box<dyn FnOnce()>>> = const { RefCell::new(None) };
    }
    #[derive(Clone, Debug)]
    struct Value(u32);
    impl PartialEq for Value {
        fn eq(&self, other: &Self) -> bool {
            if let Some(call) = AT_COMPARISON.take() {
                call();
            }
            self.0 == other.0
        }
    }
    let domain = Domain::new().unwrap();
    let map = Map::with_options(&Options::new().domain(&domain), 0, RandomState::with_seed(3)).unwrap();
    let map = Arc::new(map);
    map.upsert(1_u64, Value(1));
    let again = map.clone();
    AT_COMPARISON.set(Some(Box::new(move || assert!(again.upsert(1, Value(2)).is_some()))));
    let answer = map.compare_exchange(1, &Value(1), Value(3));
    assert!(matches!(answer, Err(conex::ExchangeError::Mismatch(Value(2)))), "{answer:?}");
    let again = map.clone();
    AT_COMPARISON.set(Some(Box::new(move || assert!(again.remove(&1).is_some()))));
    let answer = map.compare_exchange(1, &Value(2), Value(3));
    assert!(matches!(answer, Err(conex::ExchangeError::NotFound)), "{answer:?}");
}
