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
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use conex::{Allocator, Domain, Map, Options};
use loom::sync::atomic::AtomicPtr;
use loom::thread;
use models::{Within, race};

/// Both threads may run first.
const EITHER: &[Within] = &[Within::Bound, Within::Bound];
/// The same for long programs.
const EITHER_OF_LONG: &[Within] = &[Within::BoundLessOne, Within::BoundLessOne];

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
    let prepare = || {
        FREED.store(0, Ordering::SeqCst);
        let domain = Domain::new().unwrap();
        // A full batch: the limbo is on the dirty list, and its stack is empty.
        retire(&domain, &FREED);
        retire(&domain, &FREED);
        domain
    };
    let sweep = |domain: &Domain| domain.flush();
    race(
        EITHER_OF_LONG,
        prepare,
        sweep,
        |domain| retire(domain, &FREED),
        |domain, _, ()| {
            domain.barrier(LONG).unwrap();
            assert_eq!(FREED.load(Ordering::SeqCst), 3);
        },
    );
}

/// A thread's barrier frees what it retired itself, also when another thread is just about to put the limbo on the
/// dirty list.
#[test]
fn barrier_against_a_thread_that_retires() {
    static MINE: AtomicUsize = AtomicUsize::new(0);
    static THEIRS: AtomicUsize = AtomicUsize::new(0);
    let prepare = || {
        MINE.store(0, Ordering::SeqCst);
        THEIRS.store(0, Ordering::SeqCst);
        Domain::new().unwrap()
    };
    let barrier = |domain: &Domain| {
        // Of these two one completes a batch, whatever the other thread does, and one may stay in the open.
        retire(domain, &MINE);
        retire(domain, &MINE);
        domain.barrier(LONG).unwrap();
        assert_eq!(MINE.load(Ordering::SeqCst), 2);
    };
    race(
        EITHER_OF_LONG,
        prepare,
        barrier,
        |domain| retire(domain, &THEIRS),
        |domain, (), ()| {
            drop(domain);
            assert_eq!(THEIRS.load(Ordering::SeqCst), 1);
        },
    );
}

/// Two slots are taken and a third chain waits in the open: the sweep of another thread may fail to seal it, and the
/// barrier must not take that sweep's word.
#[test]
fn barrier_against_a_sweep_that_finds_no_slot() {
    static FREED: AtomicUsize = AtomicUsize::new(0);
    let prepare = || {
        FREED.store(0, Ordering::SeqCst);
        let domain = Domain::new().unwrap();
        let guard = domain.enter();
        for _ in 0..5 {
            retire(&domain, &FREED);
        }
        drop(guard);
        domain
    };
    let barrier = |domain: &Domain| {
        domain.barrier(LONG).unwrap();
        assert_eq!(FREED.load(Ordering::SeqCst), 5);
    };
    race(EITHER_OF_LONG, prepare, barrier, |domain| domain.flush(), |_, (), _| ());
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
    type Shared = (Domain, std::sync::Arc<Block>, AtomicPtr<Block>);
    static FREED: AtomicUsize = AtomicUsize::new(0);
    let prepare = || {
        FREED.store(0, Ordering::SeqCst);
        let block = std::sync::Arc::new(Block { freed: AtomicBool::new(false) });
        let shared = AtomicPtr::new(std::sync::Arc::as_ptr(&block).cast_mut());
        (Domain::new().unwrap(), block, shared)
    };
    let retire = |(domain, _, shared): &Shared| {
        let found = shared.swap(std::ptr::null_mut(), Ordering::AcqRel);
        let ctx = std::ptr::from_ref(&FREED).cast_mut().cast();
        // SAFETY: unlinked by the swap; `free` uses the block, which the model keeps, and a static.
        unsafe { domain.retire(found.cast(), 16, free, ctx) }.unwrap();
        domain.flush();
        domain.flush();
    };
    let read = |(domain, block, shared): &Shared| {
        let guard = domain.enter();
        let found = shared.load(Ordering::Acquire);
        thread::yield_now();
        assert!(found.is_null() || !block.freed.load(Ordering::SeqCst), "freed under a guard");
        drop(guard);
    };
    race(EITHER_OF_LONG, prepare, retire, read, |(domain, ..), (), ()| {
        domain.barrier(LONG).unwrap();
        assert_eq!(FREED.load(Ordering::SeqCst), 1);
    });
}

/// Two threads fill and seal batches at the same time: each block is freed once.
#[test]
fn seal_against_seal() {
    static FREED: AtomicUsize = AtomicUsize::new(0);
    let prepare = || {
        FREED.store(0, Ordering::SeqCst);
        Domain::new().unwrap()
    };
    let twice = |domain: &Domain| {
        retire(domain, &FREED);
        retire(domain, &FREED);
    };
    race(
        EITHER_OF_LONG,
        prepare,
        |domain| retire(domain, &FREED),
        twice,
        |domain, (), ()| {
            domain.barrier(LONG).unwrap();
            assert_eq!(FREED.load(Ordering::SeqCst), 3);
        },
    );
}

/// The last two owners of a domain give it up at the same time, with blocks in the open and sealed.
#[test]
fn the_last_owner_frees_everything() {
    type Owned = Mutex<Option<Domain>>;
    static FREED: AtomicUsize = AtomicUsize::new(0);
    let prepare = || {
        FREED.store(0, Ordering::SeqCst);
        let domain = Domain::new().unwrap();
        retire(&domain, &FREED);
        let other = domain.clone();
        [domain, other].map(|domain| Mutex::new(Some(domain)))
    };
    let take = |owned: &Owned| owned.lock().unwrap().take().unwrap();
    let flush = move |[mine, _]: &[Owned; 2]| {
        let domain = take(mine);
        domain.flush();
        drop(domain);
    };
    let retire = move |[_, mine]: &[Owned; 2]| {
        let domain = take(mine);
        retire(&domain, &FREED);
        drop(domain);
    };
    race(EITHER, prepare, flush, retire, |_, (), ()| assert_eq!(FREED.load(Ordering::SeqCst), 2));
}

/// A container is dropped while another thread sweeps, seals and disposes of its blocks: when the drop returns all
/// memory was given back, once.
#[test]
fn drop_of_a_container_against_flush() {
    type Words = Map<u32, u32, BuildHasherDefault<DefaultHasher>>;
    type Shared = (Domain, Mutex<Option<Words>>);
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
    let prepare = || {
        OUT.store(0, Ordering::SeqCst);
        let domain = Domain::new().unwrap();
        // SAFETY: the hooks are functions without state of their own.
        let allocator = unsafe { Allocator::hooks(alloc, free, std::ptr::null_mut()) };
        let options = Options::new().domain(&domain).allocator(allocator);
        let map = Words::with_options(&options, 0, BuildHasherDefault::default()).unwrap();
        // A batch that is sealed, and one block in the open.
        for value in 0..4 {
            map.upsert(1, value);
        }
        (domain, Mutex::new(Some(map)))
    };
    let end = |(_, map): &Shared| {
        let map = map.lock().unwrap().take();
        drop(map);
        assert_eq!(OUT.load(Ordering::SeqCst), 0);
    };
    race(EITHER, prepare, end, |(domain, _)| domain.flush(), |_, (), _| ());
}

/// A chain is ready, and longer than a share: two threads divide it between them, one of them in a barrier.
#[test]
fn a_ready_chain_is_shared() {
    static FREED: AtomicUsize = AtomicUsize::new(0);
    let prepare = || {
        FREED.store(0, Ordering::SeqCst);
        let domain = Domain::new().unwrap();
        // Three batches: with the third one the first is ready.
        for _ in 0..6 {
            retire(&domain, &FREED);
        }
        domain
    };
    let barrier = |domain: &Domain| {
        domain.barrier(LONG).unwrap();
        assert_eq!(FREED.load(Ordering::SeqCst), 6);
    };
    race(EITHER_OF_LONG, prepare, barrier, |domain| drop(domain.enter()), |_, (), ()| ());
}
