//! Hazard pointers in loom: every interleaving of small programs, within the preemption bound.
//!
//! Run by `ci/loom.sh`.

#![cfg(loom)]

use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use conex::Domain;
use loom::sync::Arc;
use loom::sync::atomic::AtomicPtr;
use loom::thread;

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

fn retire(domain: &Domain, object: *mut Object, freed: &'static AtomicUsize) {
    let ctx = std::ptr::from_ref(freed).cast_mut().cast();
    // SAFETY: unlinked by the models; `free` uses the object, which the model keeps, and a static.
    unsafe { domain.retire_hazardous(object.cast(), 16, free, ctx) }.unwrap();
}

/// What a reader protects is not freed before it lets go.
#[test]
fn a_reader_keeps_what_it_protects() {
    static FREED: AtomicUsize = AtomicUsize::new(0);
    loom::model(|| {
        FREED.store(0, Ordering::SeqCst);
        let objects = [object(), object()];
        let ptr = |i: usize| std::sync::Arc::as_ptr(&objects[i]).cast_mut();
        let domain = Domain::new().unwrap();
        let source = Arc::new(AtomicPtr::new(ptr(0)));
        let reader = {
            let (domain, source) = (domain.clone(), source.clone());
            let _keep = objects.clone();
            thread::spawn(move || {
                let mut hazard = domain.hazard_pointer().unwrap();
                for _ in 0..2 {
                    let seen = hazard.protect(&source);
                    thread::yield_now();
                    // SAFETY: the model keeps the objects.
                    assert!(
                        seen.is_null() || !unsafe { &*seen }.freed.load(Ordering::SeqCst),
                        "freed under a hazard"
                    );
                }
                drop(_keep);
            })
        };
        let old = source.swap(ptr(1), Ordering::AcqRel);
        retire(&domain, old, &FREED);
        domain.flush();
        reader.join().unwrap();
        domain.flush();
        assert_eq!(FREED.load(Ordering::SeqCst), 1);
    });
}

/// A hazard pointer that is taken anew, from a record that another thread just gave back or adds.
#[test]
fn a_hazard_pointer_comes_while_a_scan_goes() {
    static FREED: AtomicUsize = AtomicUsize::new(0);
    loom::model(|| {
        FREED.store(0, Ordering::SeqCst);
        let first = object();
        let domain = Domain::new().unwrap();
        let source = Arc::new(AtomicPtr::new(std::sync::Arc::as_ptr(&first).cast_mut()));
        let mut mine = domain.hazard_pointer().unwrap();
        mine.protect(&source);
        let reader = {
            let (domain, source, first) = (domain.clone(), source.clone(), first.clone());
            thread::spawn(move || {
                let mut hazard = domain.hazard_pointer().unwrap();
                let seen = hazard.protect(&source);
                assert!(seen.is_null() || !first.freed.load(Ordering::SeqCst), "freed under a hazard");
            })
        };
        drop(mine);
        retire(&domain, source.swap(std::ptr::null_mut(), Ordering::AcqRel), &FREED);
        domain.flush();
        reader.join().unwrap();
        drop(domain);
        assert_eq!(FREED.load(Ordering::SeqCst), 1);
    });
}

/// Two threads retire and scan at the same time: each object is freed once, and the barrier's count comes out even.
#[test]
fn retire_against_retire() {
    static FREED: AtomicUsize = AtomicUsize::new(0);
    loom::model(|| {
        FREED.store(0, Ordering::SeqCst);
        let objects = [object(), object(), object()];
        let ptr = |i: usize| std::sync::Arc::as_ptr(&objects[i]).cast_mut();
        let domain = Domain::new().unwrap();
        retire(&domain, ptr(0), &FREED);
        let other = {
            let (domain, object) = (domain.clone(), objects[1].clone());
            thread::spawn(move || retire(&domain, std::sync::Arc::as_ptr(&object).cast_mut(), &FREED))
        };
        retire(&domain, ptr(2), &FREED);
        other.join().unwrap();
        domain.flush();
        assert_eq!(FREED.load(Ordering::SeqCst), 3);
    });
}

/// One thread protects, another retires, a third one scans.
#[test]
fn scan_of_a_third_thread() {
    static FREED: AtomicUsize = AtomicUsize::new(0);
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(2);
    builder.check(|| {
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
