//! Counted references in loom: every interleaving of small programs, within the preemption bound.
//!
//! What is freed is overwritten, so that a thread that still reads it finds no atomic there and loom panics.
//!
//! Run by `ci/loom.sh`.

#![cfg(loom)]
#![allow(clippy::undocumented_unsafe_blocks, reason = "the allocator of tests/park")]

#[path = "park/heap.rs"]
mod heap;
#[path = "common/models.rs"]
mod models;

use std::sync::atomic::{AtomicUsize, Ordering};

use conex::{AtomicRef, Domain, Ref};
use loom::cell::UnsafeCell;
use models::{Within, race};

/// Both threads may run first; within less, for the sake of time, the one that loads.
const EITHER: &[Within] = &[Within::Bound, Within::BoundLessOne];
/// The same for long programs.
const EITHER_OF_LONG: &[Within] = &[Within::BoundLessOne, Within::BoundLessOne];

/// A value whose reads and end loom watches, and which is counted.
struct Value {
    number: UnsafeCell<u32>,
    live: &'static AtomicUsize,
}

// SAFETY: written once, before it is shared, and in its end.
unsafe impl Sync for Value {}

impl Value {
    fn get(&self) -> u32 {
        // SAFETY: nobody writes while there is a reference.
        self.number.with(|number| unsafe { *number })
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        // SAFETY: the last reference has been given up.
        self.number.with_mut(|number| unsafe { *number = 0 });
        self.live.fetch_sub(1, Ordering::SeqCst);
    }
}

fn value(domain: &Domain, number: u32, live: &'static AtomicUsize) -> Option<Ref<Value>> {
    live.fetch_add(1, Ordering::SeqCst);
    Some(Ref::new_in(domain, Value { number: UnsafeCell::new(number), live }).unwrap())
}

/// A place with value 1, in a domain of its own.
struct World {
    place: AtomicRef<Value>,
    domain: Domain,
}

fn world(live: &'static AtomicUsize) -> World {
    live.store(0, Ordering::SeqCst);
    let domain = Domain::new().unwrap();
    World { place: AtomicRef::new_in(&domain, value(&domain, 1, live)), domain }
}

/// A load finds a value that it can keep, whatever is stored meanwhile.
#[test]
fn load_against_store() {
    static LIVE: AtomicUsize = AtomicUsize::new(0);
    let store = |world: &World| world.place.store(value(&world.domain, 2, &LIVE));
    let load = |world: &World| {
        let seen = world.place.load().unwrap();
        assert!((1..=2).contains(&seen.get()));
    };
    race(
        EITHER_OF_LONG,
        || world(&LIVE),
        store,
        load,
        |world, (), ()| {
            drop(world.place);
            assert_eq!(LIVE.load(Ordering::SeqCst), 0);
        },
    );
}

/// The memory of a value that has ended is there as long as a thread may look at its count, whoever moves the clock on.
#[test]
fn load_against_store_and_flush() {
    static LIVE: AtomicUsize = AtomicUsize::new(0);
    let store = |world: &World| {
        world.place.store(None);
        for _ in 0..3 {
            world.domain.flush();
        }
    };
    let load = |world: &World| drop(world.place.load());
    race(
        EITHER_OF_LONG,
        || world(&LIVE),
        store,
        load,
        |_, (), ()| {
            assert_eq!(LIVE.load(Ordering::SeqCst), 0);
        },
    );
}

/// The place is emptied while another thread loads, and the two give up the last references.
#[test]
fn the_last_references_are_given_up_at_once() {
    static LIVE: AtomicUsize = AtomicUsize::new(0);
    let empty = |world: &World| drop(world.place.exchange(None));
    let load = |world: &World| {
        if let Some(seen) = world.place.load() {
            assert_eq!(seen.get(), 1);
        }
    };
    race(
        EITHER,
        || world(&LIVE),
        empty,
        load,
        |_, (), ()| {
            assert_eq!(LIVE.load(Ordering::SeqCst), 0);
        },
    );
}

/// Two threads exchange one value against theirs: one succeeds, the other sees its value.
#[test]
fn compare_exchange_has_one_winner() {
    type Shared = (World, Option<Ref<Value>>);
    static LIVE: AtomicUsize = AtomicUsize::new(0);
    fn attempt((world, first): &Shared, number: u32) -> u32 {
        match world.place.compare_exchange(first.as_ref(), value(&world.domain, number, &LIVE)) {
            Ok(()) => 1,
            Err((held, next)) => {
                let (held, next) = (held.unwrap().get(), next.unwrap().get());
                assert_eq!((held, next), (5 - number, number));
                0
            }
        }
    }
    let prepare = || {
        let world = world(&LIVE);
        let first = world.place.load();
        (world, first)
    };
    // They do the same.
    race(
        &[Within::Bound],
        prepare,
        |shared| attempt(shared, 3),
        |shared| attempt(shared, 2),
        |(world, first), mine, theirs| {
            assert_eq!(mine + theirs, 1);
            drop((world.place, first));
            assert_eq!(LIVE.load(Ordering::SeqCst), 0);
        },
    );
}

/// A value moves from one place to another, while another thread looks there.
#[test]
fn a_value_moves() {
    type Shared = (World, AtomicRef<Value>);
    static LIVE: AtomicUsize = AtomicUsize::new(0);
    let prepare = || {
        let world = world(&LIVE);
        let to = AtomicRef::new_in(&world.domain, None);
        (world, to)
    };
    let pass_on = |(world, to): &Shared| {
        to.store(world.place.exchange(None));
        drop(to.exchange(None));
    };
    let look = |(_, to): &Shared| assert!(to.load().is_none_or(|seen| seen.get() == 1));
    race(EITHER, prepare, pass_on, look, |_, (), ()| {
        assert_eq!(LIVE.load(Ordering::SeqCst), 0);
    });
}
