//! Hazard pointers: what they protect stays, everything else goes, and what waits is bounded.

#![cfg(not(loom))]

mod common;

use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use common::{Heap, retiring, scaled};
use conex::{BarrierError, Domain, Node};

const LONG: Duration = Duration::from_secs(20);
/// The constant of the bound: 64, or 2 under Miri.
const SLACK: usize = if cfg!(miri) { 2 } else { 64 };

/// An object that says when it is read after its end.
struct Object {
    live: u64,
    node: Node,
}

const LIVE: u64 = 0x11FE_11FE_11FE_11FE;

fn object() -> *mut Object {
    Box::into_raw(Box::new(Object { live: LIVE, node: Node::new() }))
}

unsafe extern "C-unwind" fn free(ptr: *mut c_void, ctx: *mut c_void) {
    let object = ptr.cast::<Object>();
    // SAFETY: called once, and nobody else uses the object.
    let live = std::mem::replace(unsafe { &mut (*object).live }, 0);
    assert_eq!(live, LIVE);
    // SAFETY: from `object`.
    drop(unsafe { Box::from_raw(object) });
    // SAFETY: the tests pass a counter that outlives the domain.
    unsafe { &*ctx.cast::<AtomicUsize>() }.fetch_add(1, Ordering::SeqCst);
}

fn retire(domain: &Domain, object: *mut Object, freed: &AtomicUsize) {
    let ctx = std::ptr::from_ref(freed).cast_mut().cast();
    // SAFETY: the tests unlink the object before; `free` uses the object and a counter that outlives the domain.
    unsafe { domain.retire_hazardous(object.cast(), 24, free, ctx) }.unwrap();
}

fn live(object: *mut Object) -> bool {
    // SAFETY: protected, or not retired yet.
    unsafe { (*object).live == LIVE }
}

#[test]
fn what_is_protected_stays_until_it_is_not() {
    let freed = AtomicUsize::new(0);
    let domain = Domain::new().unwrap();
    let mut hazard = domain.hazard_pointer().unwrap();
    let source = AtomicPtr::new(object());
    let seen = hazard.protect(&source);
    retire(&domain, source.swap(object(), Ordering::AcqRel), &freed);
    for _ in 0..scaled(2_000) {
        retire(&domain, object(), &freed);
        assert!(live(seen));
    }
    assert_eq!(domain.barrier(Duration::from_millis(5)), Err(BarrierError::TimedOut));
    assert_eq!(freed.load(Ordering::SeqCst), scaled(2_000));
    assert_eq!(domain.stats().pending_objects, 1);
    assert!(live(seen));
    // A guard does not matter to it.
    let guard = domain.enter();
    hazard.reset();
    domain.flush();
    assert_eq!(freed.load(Ordering::SeqCst), scaled(2_000) + 1);
    drop(guard);
    let seen = hazard.protect(&source);
    retire(&domain, source.swap(std::ptr::null_mut(), Ordering::AcqRel), &freed);
    domain.flush();
    assert!(live(seen));
    assert_eq!(hazard.try_protect(seen, &source), Err(std::ptr::null_mut()));
    domain.barrier(LONG).unwrap();
    assert_eq!(freed.load(Ordering::SeqCst), scaled(2_000) + 2);
    assert_eq!(domain.stats(), conex::DomainStats::default());
}

#[test]
fn try_protect_and_reset_to() {
    let freed = AtomicUsize::new(0);
    let domain = Domain::new().unwrap();
    let (mut one, mut two) = (domain.hazard_pointer().unwrap(), domain.hazard_pointer().unwrap());
    let first = object();
    let source = AtomicPtr::new(first);
    two.reset_to(first);
    assert_eq!(one.try_protect(first, &source), Ok(()));
    let second = object();
    source.store(second, Ordering::Release);
    retire(&domain, first, &freed);
    assert_eq!(one.try_protect(first, &source), Err(second));
    domain.flush();
    assert!(live(first), "the other one protects it");
    drop(two);
    domain.flush();
    assert_eq!(freed.load(Ordering::SeqCst), 1);
    retire(&domain, second, &freed);
    drop(one);
    drop(domain);
    assert_eq!(freed.load(Ordering::SeqCst), 2, "the end of the domain frees everything");
}

/// With `H` hazard pointers and one thread at most `64 + 2 H` blocks wait, protected or not.
#[test]
fn what_waits_is_bounded() {
    let freed = AtomicUsize::new(0);
    let domain = Domain::new().unwrap();
    for hazards in [0, 1, 3, scaled(500)] {
        let mut held = Vec::new();
        for _ in 0..hazards {
            let mut hazard = domain.hazard_pointer().unwrap();
            let source = AtomicPtr::new(object());
            hazard.protect(&source);
            retire(&domain, source.into_inner(), &freed);
            held.push(hazard);
        }
        let mut most = 0;
        for _ in 0..scaled(5_000) {
            retire(&domain, object(), &freed);
            most = most.max(domain.stats().pending_objects);
        }
        assert!(most <= SLACK + 2 * hazards, "{most} waited with {hazards} hazard pointers");
        assert!(most >= hazards, "what is protected waits");
        drop(held);
        domain.barrier(LONG).unwrap();
        assert_eq!(domain.stats().pending_objects, 0);
    }
}

/// A reader that sleeps under a hazard pointer holds back one object, not what comes after it.
#[test]
fn a_sleeping_reader_holds_back_one_object() {
    let freed = AtomicUsize::new(0);
    let domain = Domain::new().unwrap();
    let source = AtomicPtr::new(object());
    let (protected, is_protected) = std::sync::mpsc::channel();
    let (wake, sleeping) = std::sync::mpsc::channel::<()>();
    thread::scope(|scope| {
        let (domain, source) = (&domain, &source);
        scope.spawn(move || {
            let mut hazard = domain.hazard_pointer().unwrap();
            let seen = hazard.protect(source);
            protected.send(()).unwrap();
            sleeping.recv().unwrap();
            assert!(live(seen));
        });
        is_protected.recv().unwrap();
        for _ in 0..scaled(20_000) {
            retire(domain, source.swap(object(), Ordering::AcqRel), &freed);
            assert!(domain.stats().pending_objects <= SLACK + 2);
        }
        assert_eq!(domain.barrier(Duration::from_millis(1)), Err(BarrierError::TimedOut));
        assert_eq!(domain.stats().pending_objects, 1);
        wake.send(()).unwrap();
    });
    retire(&domain, source.into_inner(), &freed);
    domain.barrier(LONG).unwrap();
    assert_eq!(freed.load(Ordering::SeqCst), scaled(20_000) + 1);
}

#[test]
fn readers_and_writers() {
    let freed = AtomicUsize::new(0);
    let domain = Domain::new().unwrap();
    let sources: Vec<_> = (0..3).map(|_| AtomicPtr::new(object())).collect();
    let done = AtomicBool::new(false);
    let made = AtomicUsize::new(3);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut hazards: Vec<_> = (0..3).map(|_| domain.hazard_pointer().unwrap()).collect();
                while !done.load(Ordering::Relaxed) {
                    let seen: Vec<_> = hazards
                        .iter_mut()
                        .zip(&sources)
                        .map(|(hazard, source)| hazard.protect(source))
                        .collect();
                    assert!(seen.into_iter().all(live));
                }
            });
        }
        let writers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    for i in 0..scaled(30_000) {
                        made.fetch_add(1, Ordering::Relaxed);
                        let old = sources[i % 3].swap(object(), Ordering::AcqRel);
                        if i % 2 == 0 {
                            retire(&domain, old, &freed);
                        } else {
                            let ctx = std::ptr::from_ref(&freed).cast_mut().cast();
                            // SAFETY: a live object.
                            let node = unsafe { &raw mut (*old).node };
                            // SAFETY: unlinked by the swap; the node is the object's.
                            unsafe { domain.retire_hazardous_in(node, old.cast(), 24, free, ctx) };
                        }
                        if i % 1000 == 0 {
                            let _ = domain.barrier(Duration::from_millis(1));
                        }
                    }
                })
            })
            .collect();
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        done.store(true, Ordering::Relaxed);
    });
    for source in sources {
        retire(&domain, source.into_inner(), &freed);
    }
    domain.barrier(LONG).unwrap();
    assert_eq!(freed.load(Ordering::SeqCst), made.into_inner());
}

#[test]
fn a_retire_callback_may_retire_and_is_refused_the_barrier() {
    retiring::may_retire(Domain::retire_hazardous);
}

#[test]
fn a_panic_in_a_callback_stays_there() {
    retiring::a_panic_stays_there(Domain::retire_hazardous);
}

#[test]
fn domains_are_apart() {
    let freed = AtomicUsize::new(0);
    let (one, two) = (Domain::new().unwrap(), Domain::new().unwrap());
    let mut hazard = one.hazard_pointer().unwrap();
    assert!(hazard.domain().is_same(&one));
    let mine = object();
    hazard.reset_to(mine);
    retire(&two, mine, &freed);
    two.barrier(LONG).unwrap();
    assert_eq!(freed.load(Ordering::SeqCst), 1);
    assert!(!one.is_unused());
    drop(hazard);
    assert!(one.is_unused());
}

#[test]
fn hazard_pointers_are_used_again_and_survive_any_failed_allocation() {
    let freed = AtomicUsize::new(0);
    let domain = Domain::new().unwrap();
    drop(domain.enter());
    for _ in 0..3 {
        drop([domain.hazard_pointer().unwrap(), domain.hazard_pointer().unwrap()]);
    }
    let before = Heap::live();
    for _ in 0..scaled(1_000) {
        drop([domain.hazard_pointer().unwrap(), domain.hazard_pointer().unwrap()]);
    }
    assert_eq!(Heap::live(), before);
    let held = [domain.hazard_pointer().unwrap(), domain.hazard_pointer().unwrap()];
    assert!(Heap::failing_after(0, || domain.hazard_pointer()).is_err());
    drop(held);

    // A scan has no memory for its table: it finds the same.
    let mut hazard = domain.hazard_pointer().unwrap();
    let source = AtomicPtr::new(object());
    let seen = hazard.protect(&source);
    retire(&domain, source.into_inner(), &freed);
    retire(&domain, object(), &freed);
    let ctx = std::ptr::from_ref(&freed).cast_mut().cast();
    // SAFETY: nothing is retired.
    let none = Heap::failing_after(0, || unsafe { domain.retire_hazardous(ctx, 8, free, ctx) });
    assert!(none.is_err());
    Heap::failing_after(0, || domain.flush());
    assert!(live(seen));
    assert_eq!(freed.load(Ordering::SeqCst), 1);
}
