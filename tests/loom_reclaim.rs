//! The domain in loom: every interleaving of small programs, within the preemption bound.
//!
//! The blocks are retired pointers whose callback counts them, so that a block that is freed twice, never, or under a
//! guard shows. Counters are the standard library's: they are not part of the program that is checked.
//!
//! Run by `ci/loom.sh`.

#![cfg(loom)]

#[path = "common/models.rs"]
mod models;

use std::alloc::Layout;
use std::ffi::c_void;
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use conex::{Allocator, Domain, Map, Options};
use loom::sync::Arc;
use loom::sync::atomic::AtomicPtr;
use loom::thread;
use models::{let_first, long_model, model};

/// Never reached: a model that waits for it would be stopped by loom before.
const LONG: Duration = Duration::from_secs(3600);

unsafe extern "C-unwind" fn count(_ptr: *mut c_void, ctx: *mut c_void) {
    // SAFETY: the models pass a counter that outlives the domain.
    unsafe { &*ctx.cast::<AtomicUsize>() }.fetch_add(1, Ordering::SeqCst);
}

fn retire(domain: &Domain, freed: &'static AtomicUsize) {
    let ctx = std::ptr::from_ref(freed).cast_mut().cast();
    // SAFETY: `count` uses `ctx` only, a static counter.
    unsafe { domain.retire(std::ptr::null_mut(), 16, count, ctx) }.unwrap();
}

/// A block that is retired while another thread sweeps is either swept or found by the next sweep.
#[test]
fn retire_against_sweep() {
    static FREED: AtomicUsize = AtomicUsize::new(0);
    long_model(|other_first| {
        FREED.store(0, Ordering::SeqCst);
        let domain = Domain::new().unwrap();
        // A full batch: the limbo is on the dirty list, and its stack is empty.
        retire(&domain, &FREED);
        retire(&domain, &FREED);
        let other = {
            let domain = domain.clone();
            thread::spawn(move || retire(&domain, &FREED))
        };
        let_first(other_first);
        domain.flush();
        other.join().unwrap();
        domain.barrier(LONG).unwrap();
        assert_eq!(FREED.load(Ordering::SeqCst), 3);
    });
}

/// A thread's barrier frees what it retired itself, also when another thread is just about to put the limbo on the
/// dirty list.
#[test]
fn barrier_against_a_thread_that_retires() {
    static MINE: AtomicUsize = AtomicUsize::new(0);
    static THEIRS: AtomicUsize = AtomicUsize::new(0);
    long_model(|other_first| {
        MINE.store(0, Ordering::SeqCst);
        THEIRS.store(0, Ordering::SeqCst);
        let domain = Domain::new().unwrap();
        let other = {
            let domain = domain.clone();
            thread::spawn(move || retire(&domain, &THEIRS))
        };
        let_first(other_first);
        // Of these two one completes a batch, whatever the other thread does, and one may stay in the open.
        retire(&domain, &MINE);
        retire(&domain, &MINE);
        domain.barrier(LONG).unwrap();
        assert_eq!(MINE.load(Ordering::SeqCst), 2);
        other.join().unwrap();
        drop(domain);
        assert_eq!(THEIRS.load(Ordering::SeqCst), 1);
    });
}

/// Two slots are taken and a third chain waits in the open: the sweep of another thread may fail to seal it, and the
/// barrier must not take that sweep's word.
#[test]
fn barrier_against_a_sweep_that_finds_no_slot() {
    static FREED: AtomicUsize = AtomicUsize::new(0);
    long_model(|other_first| {
        FREED.store(0, Ordering::SeqCst);
        let domain = Domain::new().unwrap();
        let guard = domain.enter();
        for _ in 0..5 {
            retire(&domain, &FREED);
        }
        drop(guard);
        let other = {
            let domain = domain.clone();
            thread::spawn(move || domain.flush())
        };
        let_first(other_first);
        domain.barrier(LONG).unwrap();
        assert_eq!(FREED.load(Ordering::SeqCst), 5);
        other.join().unwrap();
    });
}

/// What a reader found under its guard is not freed before it lets go, however the clock is pushed.
#[test]
fn a_reader_keeps_what_it_reads() {
    struct Block {
        freed: AtomicBool,
    }
    unsafe extern "C-unwind" fn free(ptr: *mut c_void, ctx: *mut c_void) {
        // SAFETY: the model's block, which the model itself keeps until its end.
        let block = unsafe { &*ptr.cast::<Block>() };
        assert!(!block.freed.swap(true, Ordering::SeqCst), "freed twice");
        // SAFETY: as in `retire`.
        unsafe { count(ptr, ctx) };
    }
    static FREED: AtomicUsize = AtomicUsize::new(0);
    long_model(|other_first| {
        FREED.store(0, Ordering::SeqCst);
        let block = std::sync::Arc::new(Block { freed: AtomicBool::new(false) });
        let ptr = std::sync::Arc::as_ptr(&block).cast_mut();
        let domain = Domain::new().unwrap();
        let shared = Arc::new(AtomicPtr::new(ptr));
        let reader = {
            let (domain, shared) = (domain.clone(), shared.clone());
            let block = block.clone();
            thread::spawn(move || {
                let guard = domain.enter();
                let found = shared.load(Ordering::Acquire);
                thread::yield_now();
                assert!(found.is_null() || !block.freed.load(Ordering::SeqCst), "freed under a guard");
                drop(guard);
            })
        };
        let_first(other_first);
        let found = shared.swap(std::ptr::null_mut(), Ordering::AcqRel);
        let ctx = std::ptr::from_ref(&FREED).cast_mut().cast();
        // SAFETY: unlinked by the swap; `free` uses the block, which the model keeps, and a static.
        unsafe { domain.retire(found.cast(), 16, free, ctx) }.unwrap();
        domain.flush();
        domain.flush();
        reader.join().unwrap();
        domain.barrier(LONG).unwrap();
        assert_eq!(FREED.load(Ordering::SeqCst), 1);
    });
}

/// Two threads fill and seal batches at the same time: each block is freed once.
#[test]
fn seal_against_seal() {
    static FREED: AtomicUsize = AtomicUsize::new(0);
    long_model(|other_first| {
        FREED.store(0, Ordering::SeqCst);
        let domain = Domain::new().unwrap();
        let other = {
            let domain = domain.clone();
            thread::spawn(move || {
                retire(&domain, &FREED);
                retire(&domain, &FREED);
            })
        };
        let_first(other_first);
        retire(&domain, &FREED);
        other.join().unwrap();
        domain.barrier(LONG).unwrap();
        assert_eq!(FREED.load(Ordering::SeqCst), 3);
    });
}

/// The last two owners of a domain give it up at the same time, with blocks in the open and sealed.
#[test]
fn the_last_owner_frees_everything() {
    static FREED: AtomicUsize = AtomicUsize::new(0);
    model(|| {
        FREED.store(0, Ordering::SeqCst);
        let domain = Domain::new().unwrap();
        retire(&domain, &FREED);
        let other = {
            let domain = domain.clone();
            thread::spawn(move || {
                retire(&domain, &FREED);
                drop(domain);
            })
        };
        domain.flush();
        drop(domain);
        other.join().unwrap();
        assert_eq!(FREED.load(Ordering::SeqCst), 2);
    });
}

/// A container is dropped while another thread sweeps, seals and disposes of its blocks: when the drop returns all
/// memory was given back, once.
#[test]
fn drop_of_a_container_against_flush() {
    static OUT: AtomicUsize = AtomicUsize::new(0);
    unsafe extern "C-unwind" fn alloc(size: usize, align: usize, _ctx: *mut c_void) -> *mut c_void {
        OUT.fetch_add(1, Ordering::SeqCst);
        // SAFETY: a container asks for more than nothing.
        unsafe { std::alloc::alloc(Layout::from_size_align(size, align).unwrap()) }.cast()
    }
    unsafe extern "C-unwind" fn free(ptr: *mut c_void, size: usize, align: usize, _ctx: *mut c_void) {
        assert_ne!(OUT.fetch_sub(1, Ordering::SeqCst), 0, "freed twice");
        // SAFETY: from `alloc` with this layout.
        unsafe { std::alloc::dealloc(ptr.cast(), Layout::from_size_align(size, align).unwrap()) };
    }
    model(|| {
        OUT.store(0, Ordering::SeqCst);
        let domain = Domain::new().unwrap();
        // SAFETY: the hooks are functions without state of their own.
        let allocator = unsafe { Allocator::hooks(alloc, free, std::ptr::null_mut()) };
        let options = Options::new().domain(&domain).allocator(allocator);
        let hasher = BuildHasherDefault::<DefaultHasher>::default();
        let map = Map::<u32, u32, _>::with_options(&options, 0, hasher).unwrap();
        // A batch that is sealed, and one block in the open.
        for value in 0..4 {
            map.upsert(1, value);
        }
        let other = {
            let domain = domain.clone();
            thread::spawn(move || domain.flush())
        };
        drop(map);
        assert_eq!(OUT.load(Ordering::SeqCst), 0);
        other.join().unwrap();
    });
}

/// A chain is ready, and longer than a share: two threads divide it between them, one of them in a barrier.
#[test]
fn a_ready_chain_is_shared() {
    static FREED: AtomicUsize = AtomicUsize::new(0);
    long_model(|other_first| {
        FREED.store(0, Ordering::SeqCst);
        let domain = Domain::new().unwrap();
        // Three batches: with the third one the first is ready.
        for _ in 0..6 {
            retire(&domain, &FREED);
        }
        let other = {
            let domain = domain.clone();
            thread::spawn(move || drop(domain.enter()))
        };
        let_first(other_first);
        domain.barrier(LONG).unwrap();
        assert_eq!(FREED.load(Ordering::SeqCst), 6);
        other.join().unwrap();
    });
}
