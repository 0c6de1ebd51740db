//! What the types of the library say of themselves, what they are by default, and how they are made from others.

#![cfg(not(loom))]

use std::collections::hash_map::RandomState as StdState;
use std::hash::{BuildHasher, Hash, Hasher};
use std::time::Duration;

use conex::{
    Allocator, AtomicRef, BarrierError, Domain, DomainStats, Map, NoMemory, Node, Options, PopError, Queue,
    RandomState, Ref, Stack,
};

#[test]
fn errors_say_what_was_wrong() {
    let error = |error: &dyn std::error::Error| error.to_string();
    assert_eq!(error(&NoMemory), "no memory for the operation; nothing was changed");
    assert_eq!(error(&BarrierError::TimedOut), "the time was up before all retired memory was freed");
    assert!(error(&BarrierError::Guarded).contains("holds a guard of the domain"));
    assert_eq!(error(&PopError::TimedOut), "the time was up before there was an element");
    assert_eq!(error(&PopError::Closed), "the queue is closed and empty");
    let queue = Queue::<u64>::with_options(&Options::new().domain(&Domain::new().unwrap())).unwrap();
    let early = queue.pop_wait(Duration::from_nanos(1)).unwrap_err();
    queue.close();
    let late = queue.pop_wait(Duration::from_secs(20)).unwrap_err();
    assert_eq!((early, late), (PopError::TimedOut, PopError::Closed));
}

#[test]
fn everything_can_be_printed() {
    let domain = Domain::new().unwrap();
    let options = Options::new().domain(&domain);
    let stack = Stack::with_options(&options).unwrap();
    stack.push(1_u64);
    assert_eq!(format!("{stack:?}"), "Stack { len: 1, .. }");
    let map = Map::with_options(&options, 0, RandomState::with_seed(1)).unwrap();
    assert_eq!(map.insert("key", 1), Ok(()));
    assert_eq!(format!("{map:?}"), "Map { len: 1, .. }");
    assert_eq!(format!("{:?}", RandomState::new()), "RandomState { .. }");
    assert_eq!(format!("{:?}", RandomState::new().build_hasher()), "MapHasher { .. }");
    let guard = domain.enter();
    assert_eq!(format!("{guard:?}"), "Guard { .. }");
    assert!(guard.is_of_this_thread() && guard.domain().is_same(&domain));
    drop(guard);
    assert_eq!(format!("{:?}", domain.hazard_pointer().unwrap()), "HazardPointer { .. }");
    let value = Ref::new_in(&domain, "value").unwrap();
    assert_eq!(format!("{value:?}"), "\"value\"");
    assert_eq!(format!("{:?}", AtomicRef::new_in(&domain, Some(value))), "AtomicRef { .. }");
    domain.barrier(Duration::from_secs(20)).unwrap();
    assert_eq!(format!("{domain:?}"), format!("Domain {{ stats: {:?} }}", DomainStats::default()));
    assert_eq!(format!("{:?}", Allocator::default()), format!("{:?}", Allocator::process()));
}

#[test]
#[cfg_attr(miri, ignore = "the default domain lives as long as the process")]
fn defaults_are_empty_and_of_the_default_domain() {
    let (stack, queue, map) = (Stack::<u64>::default(), Queue::<u64>::default(), Map::<u64, u64>::default());
    assert!(stack.is_empty() && queue.is_empty() && map.is_empty());
    assert_eq!((stack.pop(), queue.pop(), map.get(&1)), (None, None, None));
    let before = Domain::default().stats().guards;
    let guard = Domain::default().enter();
    assert_eq!(Domain::default().stats().guards, before + 1);
    assert!(guard.domain().is_same(&Domain::default()));
    drop(guard);
    let place = AtomicRef::new(Some(Ref::new(7)));
    assert_eq!(place.load().as_deref(), Some(&7));
    let _ = Node::default();
}

#[test]
#[cfg_attr(miri, ignore = "the default domain lives as long as the process")]
fn containers_are_made_from_iterators() {
    let mut stack: Stack<u64> = (0..3).collect();
    stack.extend(3..5);
    let mut popped = Vec::new();
    assert_eq!(stack.pop_all(|n| popped.push(n)), 5);
    assert_eq!(popped, [4, 3, 2, 1, 0]);
    let mut queue: Queue<u64> = (0..3).collect();
    queue.extend(3..5);
    assert_eq!(queue.drain().collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
}

/// Both a map's own state and that of the standard library serve; equal keys hash alike, with one seed.
#[test]
#[cfg_attr(miri, ignore = "the default domain lives as long as the process")]
fn any_hasher_serves() {
    fn hash(state: &impl BuildHasher, key: &impl Hash) -> u64 {
        state.hash_one(key)
    }
    let (one, two) = (RandomState::with_seed(1), RandomState::with_seed(2));
    assert_eq!(hash(&one, &"key"), hash(&one.clone(), &"key".to_string()));
    assert_ne!(hash(&one, &"key"), hash(&two, &"key"));
    let differ = |a: &dyn Fn(&mut dyn Hasher), b: &dyn Fn(&mut dyn Hasher)| {
        let of = |write: &dyn Fn(&mut dyn Hasher)| {
            let mut hasher = one.build_hasher();
            write(&mut hasher);
            hasher.finish()
        };
        assert_eq!(of(a), of(a));
        assert_ne!(of(a), of(b));
    };
    differ(&|h| h.write_u8(1), &|h| h.write_u8(2));
    differ(&|h| h.write_u16(1), &|h| h.write_u16(2));
    differ(&|h| h.write_u32(1), &|h| h.write_u32(2));
    differ(&|h| h.write_u64(1), &|h| h.write_u64(2));
    differ(&|h| h.write_u128(1), &|h| h.write_u128(1 << 64));
    differ(&|h| h.write_usize(1), &|h| h.write_usize(2));
    differ(&|h| h.write(b"one"), &|h| h.write(b"two"));
    let map = Map::with_hasher(StdState::new());
    for n in 0..100_u32 {
        assert_eq!(map.insert((n, n as u8, u128::from(n), n as usize), n), Ok(()));
    }
    assert!((0..100_u32).all(|n| map.get(&(n, n as u8, u128::from(n), n as usize)) == Some(n)));
    let own = Map::with_capacity(100);
    assert_eq!(own.insert(RandomState::default().hash_one(1), ()), Ok(()));
    assert_eq!(own.len(), 1);
}
