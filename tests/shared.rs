//! Counted references and the places that hold them: a value lives as long as somebody has it, and ends once.

#![cfg(not(loom))]

mod common;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use common::{Counted, Heap, scaled};
use conex::{AtomicRef, Domain, DomainStats, Ref};

const LONG: Duration = Duration::from_secs(20);

#[test]
fn a_value_outlives_its_place_and_ends_with_its_last_reference() {
    let live = AtomicUsize::new(0);
    let domain = Domain::new().unwrap();
    let place = AtomicRef::new_in(&domain, Some(Ref::new_in(&domain, Counted::new(&live)).unwrap()));
    let seen = place.load().unwrap();
    assert_eq!(Ref::count(&seen), 2);
    let again = seen.clone();
    place.store(None);
    assert!(place.load().is_none());
    assert_eq!((Ref::count(&seen), live.load(Ordering::SeqCst)), (2, 1));
    assert!(Ref::ptr_eq(&seen, &again));
    drop(again);
    drop(place);
    assert_eq!((Ref::count(&seen), live.load(Ordering::SeqCst)), (1, 1));
    drop(seen);
    assert_eq!(live.load(Ordering::SeqCst), 0, "at once, whatever the domain does");
    domain.barrier(LONG).unwrap();
    assert_eq!(domain.stats(), DomainStats::default());
    assert!(domain.is_unused());
}

#[test]
fn store_exchange_and_compare_exchange() {
    let domain = Domain::new().unwrap();
    let new = |n: u32| Some(Ref::new_in(&domain, n).unwrap());
    let place = AtomicRef::new_in(&domain, None);
    assert!(place.exchange(new(1)).is_none());
    let one = place.load();
    assert_eq!(**one.as_ref().unwrap(), 1);
    assert_eq!(*place.exchange(new(2)).unwrap(), 1);
    // An equal value is not the same one.
    let (held, next) = place.compare_exchange(new(2).as_ref(), new(3)).unwrap_err();
    assert_eq!((*held.unwrap(), *next.unwrap()), (2, 3));
    let (held, next) = place.compare_exchange(None, new(3)).unwrap_err();
    assert_eq!((**held.as_ref().unwrap(), **next.as_ref().unwrap()), (2, 3));
    assert!(place.compare_exchange(held.as_ref(), next).is_ok());
    assert_eq!(Ref::count(&held.unwrap()), 1);
    let three = place.load();
    assert!(place.compare_exchange(three.as_ref(), None).is_ok());
    assert!(place.compare_exchange(None, three).is_ok());
    assert_eq!(*place.load().unwrap(), 3);
    // The same value in two places, and twice in one after the other.
    let other = AtomicRef::new_in(&domain, place.load());
    place.store(one);
    place.store(other.load());
    other.store(place.load());
    assert_eq!(Ref::count(&place.load().unwrap()), 3);
}

#[test]
#[should_panic(expected = "of another domain")]
fn a_reference_of_another_domain_is_refused() {
    let (one, two) = (Domain::new().unwrap(), Domain::new().unwrap());
    let place = AtomicRef::new_in(&one, None);
    place.store(Some(Ref::new_in(&two, 1).unwrap()));
}

#[test]
fn any_layout() {
    #[derive(Debug, PartialEq)]
    #[repr(align(512))]
    struct Aligned(u8);
    let domain = Domain::new().unwrap();
    let place = AtomicRef::new_in(&domain, Some(Ref::new_in(&domain, Aligned(7)).unwrap()));
    let seen = place.load().unwrap();
    assert_eq!((std::ptr::from_ref(&*seen).addr() % 512, &*seen), (0, &Aligned(7)));
    let bytes = Ref::new_in(&domain, [1_u8; 3]).unwrap();
    assert_eq!(*bytes, [1; 3]);
    drop(Ref::new_in(&domain, ()).unwrap());
}

/// Readers keep what they find, writers replace it, by every operation: each value ends once, none too early.
#[test]
fn readers_and_writers() {
    let live = AtomicUsize::new(0);
    let domain = Domain::new().unwrap();
    let new = || Some(Ref::new_in(&domain, Counted::new(&live)).unwrap());
    let places: Vec<_> = (0..2).map(|_| AtomicRef::new_in(&domain, new())).collect();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut kept = std::collections::VecDeque::new();
                while !done.load(Ordering::Relaxed) {
                    for place in &places {
                        kept.push_back(place.load());
                        if kept.len() > 7 {
                            kept.pop_front();
                        }
                    }
                }
            });
        }
        let writers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    for i in 0..scaled(20_000) {
                        let (place, other) = (&places[i % 2], &places[(i + 1) % 2]);
                        match i % 4 {
                            0 => place.store(new()),
                            1 => other.store(place.exchange(new())),
                            2 => drop(place.compare_exchange(place.load().as_ref(), new())),
                            _ => place.store(other.load()),
                        }
                    }
                })
            })
            .collect();
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        done.store(true, Ordering::Relaxed);
    });
    drop(places);
    assert_eq!(live.load(Ordering::SeqCst), 0);
    domain.barrier(LONG).unwrap();
    assert_eq!(domain.stats(), DomainStats::default());
}

/// A value whose end reads and writes the place that it was in.
#[test]
fn the_end_of_a_value_may_use_the_place() {
    struct Chain {
        place: Arc<OnceLock<AtomicRef<Chain>>>,
        domain: Domain,
        left: usize,
        ended: Arc<AtomicUsize>,
    }
    impl Drop for Chain {
        fn drop(&mut self) {
            self.ended.fetch_add(1, Ordering::SeqCst);
            if self.left > 0 {
                let (place, ended) = (self.place.clone(), self.ended.clone());
                let next = Chain { place, domain: self.domain.clone(), left: self.left - 1, ended };
                let place = self.place.get().unwrap();
                assert!(place.load().is_none());
                // Gives up its reference to the next one at once, in the end of this one.
                place.store(Some(Ref::new_in(&self.domain, next).unwrap()));
                place.store(None);
            }
        }
    }
    let ended = Arc::new(AtomicUsize::new(0));
    let domain = Domain::new().unwrap();
    let place = Arc::new(OnceLock::new());
    assert!(place.set(AtomicRef::new_in(&domain, None)).is_ok());
    let first = Chain { place: place.clone(), domain: domain.clone(), left: 50, ended: ended.clone() };
    place.get().unwrap().store(Some(Ref::new_in(&domain, first).unwrap()));
    place.get().unwrap().store(None);
    assert_eq!(ended.load(Ordering::SeqCst), 51);
}

#[test]
fn no_memory_is_an_answer_and_memory_is_bounded() {
    let live = AtomicUsize::new(0);
    let domain = Domain::new().unwrap();
    let place = AtomicRef::new_in(&domain, None);
    let element = Counted::new(&live);
    assert!(Heap::failing_after(0, || Ref::new_in(&domain, element)).is_err());
    assert_eq!(live.load(Ordering::SeqCst), 0, "dropped");
    let mut most = 0;
    for _ in 0..scaled(50_000) {
        place.store(Some(Ref::new_in(&domain, Counted::new(&live)).unwrap()));
        assert_eq!(live.load(Ordering::SeqCst), 1);
        most = most.max(domain.stats().pending_objects);
    }
    assert!(most <= 64 * 8, "{most} blocks waited at once");
    // Failing in the middle of nothing: loads and stores need no memory.
    let (one, seen) = (Ref::new_in(&domain, Counted::new(&live)).unwrap(), place.load());
    Heap::failing_after(0, || place.store(seen));
    drop(one);
}

/// The last reference may be the last of its domain.
#[test]
fn a_reference_keeps_its_domain() {
    let reference = Ref::new_in(&Domain::new().unwrap(), String::from("kept")).unwrap();
    let place = AtomicRef::new_in(&Domain::new().unwrap(), None::<Ref<u32>>);
    assert_eq!(*reference, "kept");
    assert!(place.load().is_none());
    thread::scope(|scope| scope.spawn(|| drop(reference)).join().unwrap());
}
