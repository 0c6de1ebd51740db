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
use loom::sync::Arc;
use loom::thread;
use models::{let_first, long_model, model};

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

/// A load finds a value that it can keep, whatever is stored meanwhile.
#[test]
fn load_against_store() {
    static LIVE: AtomicUsize = AtomicUsize::new(0);
    long_model(|other_first| {
        LIVE.store(0, Ordering::SeqCst);
        let domain = Domain::new().unwrap();
        let place = Arc::new(AtomicRef::new_in(&domain, value(&domain, 1, &LIVE)));
        let reader = {
            let place = place.clone();
            thread::spawn(move || {
                let seen = place.load().unwrap();
                assert!((1..=2).contains(&seen.get()));
            })
        };
        let_first(other_first);
        place.store(value(&domain, 2, &LIVE));
        reader.join().unwrap();
        drop(place);
        assert_eq!(LIVE.load(Ordering::SeqCst), 0);
    });
}

/// The memory of a value that has ended is there as long as a thread may look at its count, whoever moves the clock on.
#[test]
fn load_against_store_and_flush() {
    static LIVE: AtomicUsize = AtomicUsize::new(0);
    long_model(|other_first| {
        LIVE.store(0, Ordering::SeqCst);
        let domain = Domain::new().unwrap();
        let place = Arc::new(AtomicRef::new_in(&domain, value(&domain, 1, &LIVE)));
        let reader = {
            let place = place.clone();
            thread::spawn(move || drop(place.load()))
        };
        let_first(other_first);
        place.store(None);
        for _ in 0..3 {
            domain.flush();
        }
        reader.join().unwrap();
        assert_eq!(LIVE.load(Ordering::SeqCst), 0);
    });
}

/// The place is emptied while another thread loads, and the two give up the last references.
#[test]
fn the_last_references_are_given_up_at_once() {
    static LIVE: AtomicUsize = AtomicUsize::new(0);
    model(|| {
        LIVE.store(0, Ordering::SeqCst);
        let domain = Domain::new().unwrap();
        let place = Arc::new(AtomicRef::new_in(&domain, value(&domain, 1, &LIVE)));
        let reader = {
            let place = place.clone();
            thread::spawn(move || {
                if let Some(seen) = place.load() {
                    assert_eq!(seen.get(), 1);
                }
            })
        };
        drop(place.exchange(None));
        reader.join().unwrap();
        assert_eq!(LIVE.load(Ordering::SeqCst), 0);
    });
}

/// Two threads exchange one value against theirs: one succeeds, the other sees its value.
#[test]
fn compare_exchange_has_one_winner() {
    static LIVE: AtomicUsize = AtomicUsize::new(0);
    model(|| {
        LIVE.store(0, Ordering::SeqCst);
        let domain = Domain::new().unwrap();
        let place = Arc::new(AtomicRef::new_in(&domain, value(&domain, 1, &LIVE)));
        let first = place.load();
        let attempt =
            |place: &AtomicRef<Value>, first: &Option<Ref<Value>>, number, domain: &Domain| match place
                .compare_exchange(first.as_ref(), value(domain, number, &LIVE))
            {
                Ok(()) => 1,
                Err((held, next)) => {
                    let (held, next) = (held.unwrap().get(), next.unwrap().get());
                    assert_eq!((held, next), (5 - number, number));
                    0
                }
            };
        let other = {
            let (place, first, domain) = (place.clone(), first.clone(), domain.clone());
            thread::spawn(move || attempt(&place, &first, 2, &domain))
        };
        let mine = attempt(&place, &first, 3, &domain);
        assert_eq!(mine + other.join().unwrap(), 1);
        drop((place, first));
        assert_eq!(LIVE.load(Ordering::SeqCst), 0);
    });
}

/// A value moves from one place to another, while another thread looks there.
#[test]
fn a_value_moves() {
    static LIVE: AtomicUsize = AtomicUsize::new(0);
    model(|| {
        LIVE.store(0, Ordering::SeqCst);
        let domain = Domain::new().unwrap();
        let from = AtomicRef::new_in(&domain, value(&domain, 1, &LIVE));
        let to = Arc::new(AtomicRef::<Value>::new_in(&domain, None));
        let reader = {
            let to = to.clone();
            thread::spawn(move || {
                assert!(to.load().is_none_or(|seen| seen.get() == 1));
            })
        };
        to.store(from.exchange(None));
        drop(to.exchange(None));
        reader.join().unwrap();
        assert_eq!(LIVE.load(Ordering::SeqCst), 0);
    });
}
