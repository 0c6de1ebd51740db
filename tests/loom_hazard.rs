//! Hazard pointers in loom: every interleaving of small programs, within the preemption bound.
//!
//! Run by `ci/loom.sh`.

#![cfg(loom)]

#[path = "common/models.rs"]
mod models;

use std::ffi::c_void;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use conex::{Domain, HazardPointer};
use loom::sync::Arc;
use loom::sync::atomic::AtomicPtr;
use loom::thread;
use models::{Within, explore, race};

struct Object {
    freed: AtomicBool,
}

unsafe extern "C-unwind" fn free(ptr: *mut c_void, ctx: *mut c_void) {
    // SAFETY: the model's object, which the model itself keeps until its end.
    let object = unsafe { &*ptr.cast::<Object>() };
    assert!(!object.freed.swap(true, Ordering::SeqCst), "freed twice");
    // SAFETY: a static counter.
    unsafe { &*ctx.cast::<AtomicUsize>() }.fetch_add(1, Ordering::SeqCst);
}

fn object() -> std::sync::Arc<Object> {
    std::sync::Arc::new(Object { freed: AtomicBool::new(false) })
}

/// What the two threads of a model share.
struct World {
    domain: Domain,
    /// Where the first object is found.
    source: AtomicPtr<Object>,
    objects: [std::sync::Arc<Object>; 3],
    /// For the one that may have it, to give it up.
    hazard: Mutex<Option<HazardPointer>>,
}

impl World {
    fn new() -> Self {
        let objects = [object(), object(), object()];
        let source = AtomicPtr::new(std::sync::Arc::as_ptr(&objects[0]).cast_mut());
        Self { domain: Domain::new().unwrap(), source, objects, hazard: Mutex::new(None) }
    }

    fn ptr(&self, i: usize) -> *mut Object {
        std::sync::Arc::as_ptr(&self.objects[i]).cast_mut()
    }

    /// Protects what the source leads to, lets the other thread go on, and looks whether it is still there.
    fn read(&self, hazard: &mut HazardPointer) {
        let seen = hazard.protect(&self.source);
        thread::yield_now();
        // SAFETY: the model keeps the objects.
        assert!(seen.is_null() || !unsafe { &*seen }.freed.load(Ordering::SeqCst), "freed under a hazard");
    }
}

fn retire(domain: &Domain, object: *mut Object, freed: &'static AtomicUsize) {
    let ctx = std::ptr::from_ref(freed).cast_mut().cast();
    // SAFETY: unlinked by the models; `free` uses the object, which the model keeps, and a static.
    unsafe { domain.retire_hazardous(object.cast(), 16, free, ctx) }.unwrap();
}

/// What a reader protects is not freed before it lets go.
#[test]
fn a_reader_keeps_what_it_protects() {
    static FREED: AtomicUsize = AtomicUsize::new(0);
    let prepare = || {
        FREED.store(0, Ordering::SeqCst);
        World::new()
    };
    let retire = |world: &World| {
        let old = world.source.swap(world.ptr(1), Ordering::AcqRel);
        retire(&world.domain, old, &FREED);
        world.domain.flush();
    };
    let read = |world: &World| {
        let mut hazard = world.domain.hazard_pointer().unwrap();
        world.read(&mut hazard);
        world.read(&mut hazard);
    };
    race(&[Within::Bound, Within::Bound], prepare, retire, read, |world, (), ()| {
        world.domain.flush();
        assert_eq!(FREED.load(Ordering::SeqCst), 1);
    });
}

/// A hazard pointer that is taken anew, from a record that another thread just gave back or adds.
#[test]
fn a_hazard_pointer_comes_while_a_scan_goes() {
    static FREED: AtomicUsize = AtomicUsize::new(0);
    let prepare = || {
        FREED.store(0, Ordering::SeqCst);
        let world = World::new();
        let mut first = world.domain.hazard_pointer().unwrap();
        first.protect(&world.source);
        *world.hazard.lock().unwrap() = Some(first);
        world
    };
    let retire = |world: &World| {
        *world.hazard.lock().unwrap() = None;
        let old = world.source.swap(std::ptr::null_mut(), Ordering::AcqRel);
        retire(&world.domain, old, &FREED);
        world.domain.flush();
    };
    let read = |world: &World| world.read(&mut world.domain.hazard_pointer().unwrap());
    race(&[Within::Bound, Within::Bound], prepare, retire, read, |world, (), ()| {
        drop(world.domain);
        assert_eq!(FREED.load(Ordering::SeqCst), 1);
    });
}

/// Two threads retire and scan at the same time: each object is freed once, and the barrier's count comes out even.
#[test]
fn retire_against_retire() {
    static FREED: AtomicUsize = AtomicUsize::new(0);
    let prepare = || {
        FREED.store(0, Ordering::SeqCst);
        let world = World::new();
        retire(&world.domain, world.ptr(0), &FREED);
        world
    };
    let mine = |world: &World| retire(&world.domain, world.ptr(2), &FREED);
    let theirs = |world: &World| retire(&world.domain, world.ptr(1), &FREED);
    // They do the same.
    race(&[Within::Bound], prepare, mine, theirs, |world, (), ()| {
        world.domain.flush();
        assert_eq!(FREED.load(Ordering::SeqCst), 3);
    });
}

/// One thread protects, another retires, a third one scans.
#[test]
fn scan_of_a_third_thread() {
    static FREED: AtomicUsize = AtomicUsize::new(0);
    explore(Within::Preemptions(2), || {
        FREED.store(0, Ordering::SeqCst);
        let first = object();
        let domain = Domain::new().unwrap();
        let source = Arc::new(AtomicPtr::new(std::sync::Arc::as_ptr(&first).cast_mut()));
        let mut hazard = domain.hazard_pointer().unwrap();
        let reader = {
            let (source, first) = (source.clone(), first.clone());
            thread::spawn(move || {
                let seen = hazard.protect(&source);
                assert!(seen.is_null() || !first.freed.load(Ordering::SeqCst), "freed under a hazard");
            })
        };
        let writer = {
            let domain = domain.clone();
            thread::spawn(move || {
                retire(&domain, source.swap(std::ptr::null_mut(), Ordering::AcqRel), &FREED);
            })
        };
        domain.flush();
        reader.join().unwrap();
        writer.join().unwrap();
        drop(domain);
        assert_eq!(FREED.load(Ordering::SeqCst), 1);
    });
}
