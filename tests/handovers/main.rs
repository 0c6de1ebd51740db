//! What goes from thread to thread, one thing a test: an element, a node, a chunk, a segment, a table, a record.
//!
//! The threads take turns, and nothing is ordered by that: in Miri a thread sleeps until its time has come, on a clock that is
//! Miri's own. (A word that says whose turn it is would do, were it not for the library's fences: they make an order of the
//! most relaxed word.) So what a later step reads, or uses again, is ordered after the earlier one by the container's own
//! release and acquire alone. Run plainly these tests say little; Miri reports the missing order as a data race, each time:
//! `ci/miri.sh handovers`. The numbers of the ordering pairs are those of `docs/MEMORY-ORDERING.md`.

#![cfg(not(loom))]

use std::alloc::Layout;
use std::cell::Cell;
use std::ffi::c_void;
use std::hash::{BuildHasher, Hasher};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use conex::{Allocator, AtomicRef, Domain, Map, Options, Queue, Ref, Stack};

/// Whose turn it is.
struct Turn {
    now: AtomicUsize,
    begin: Instant,
}

/// What the word is when a step has failed.
const FAILED: usize = usize::MAX;

impl Turn {
    fn new() -> Self {
        Self { now: AtomicUsize::new(0), begin: Instant::now() }
    }

    /// Waits until it is the turn of step `at`.
    fn wait(&self, at: usize) {
        if cfg!(miri) {
            // No step takes that long on Miri's clock, by which an instruction takes microseconds.
            let time = self.begin + Duration::from_secs(60) * u32::try_from(at).expect("few steps");
            return thread::sleep(time.saturating_duration_since(Instant::now()));
        }
        loop {
            match self.now.load(Ordering::Relaxed) {
                FAILED => panic!("another step has failed"),
                now if now >= at => return,
                _ => thread::yield_now(),
            }
        }
    }

    /// Runs `step` and passes the turn on to `next`.
    fn pass(&self, next: usize, step: impl FnOnce()) {
        struct Failed<'a>(&'a AtomicUsize);
        impl Drop for Failed<'_> {
            fn drop(&mut self) {
                self.0.store(FAILED, Ordering::Relaxed);
            }
        }
        let failed = Failed(&self.now);
        step();
        std::mem::forget(failed);
        self.now.store(next, Ordering::Relaxed);
    }
}

/// Repeats `step` until it answers true: a load may well be out of date, since the turn orders nothing.
fn until(mut step: impl FnMut() -> bool) {
    // In Miri here no load is out of date.
    let tries = if cfg!(miri) { 100 } else { 100_000_000 };
    for _ in 0..tries {
        if step() {
            return;
        }
        thread::yield_now();
    }
    panic!("what should come does not");
}

/// A step: the thread that runs it, and what it does.
type Step<'a> = (usize, &'a (dyn Fn() + Sync));

/// Runs the steps one after the other. No thread ends before the last.
fn relay(steps: &[Step<'_>]) {
    let turn = Turn::new();
    let threads = steps.iter().map(|(who, _)| who + 1).max().expect("a step");
    thread::scope(|scope| {
        for me in 0..threads {
            let turn = &turn;
            scope.spawn(move || {
                for (at, (_, step)) in steps.iter().enumerate().filter(|(_, (who, _))| *who == me) {
                    turn.wait(at);
                    turn.pass(at + 1, step);
                }
                turn.wait(steps.len());
            });
        }
    });
}

/// The same on threads that have used `domain` before. A thread's first pin looks at what all others did last, and so orders
/// it; and every pin is a fence, so that only what a step has done after its pin is left to the container.
fn relay_in(domain: &Domain, steps: &[Step<'_>]) {
    let enter = || drop(domain.enter());
    let threads = steps.iter().map(|(who, _)| who + 1).max().expect("a step");
    let all: Vec<Step<'_>> =
        (0..threads).map(|who| (who, &enter as _)).chain(steps.iter().copied()).collect();
    relay(&all);
}

fn options() -> Options {
    Options::new().domain(&Domain::new().expect("memory"))
}

fn stack<T>() -> Stack<T> {
    Stack::with_options(&options()).expect("memory")
}

/// A queue each of whose segments has one slot. The first segment is full.
fn queue(first: u64) -> Queue<Box<u64>> {
    let queue = Queue::with_segments(&options(), 1).expect("memory");
    queue.push(Box::new(first));
    queue
}

// --- The stack

/// Pair (1) → (2).
#[test]
fn an_element_of_a_stack() {
    let stack = stack();
    relay(&[
        (0, &|| stack.push(Box::new(7))),
        (1, &|| until(|| stack.pop().is_some_and(|element| *element == 7))),
        (1, &|| assert!(stack.push_n(vec![Box::new(1), Box::new(2)]).is_ok())),
        (0, &|| assert_eq!(stack.pop_n(1, &mut Vec::new()), 1)),
        (2, &|| assert_eq!(stack.pop_all(|element| assert_eq!(*element, 1)), 1)),
    ]);
}

/// An element of which a chunk has seven, and of which a thread keeps one free node.
type Large = [u64; 1024];

/// Pair (6): the second run that is given back to one chunk, whose header is on the list already.
#[test]
fn a_node_of_a_stack() {
    let stack = stack::<Large>();
    let push = |n| (0..n).for_each(|_| stack.push([1; 1024]));
    let pop = |n| (0..n).for_each(|_| assert!(stack.pop().is_some()));
    relay(&[
        (0, &|| push(5)),
        // Two nodes go back with those that were never used, two more later, and a fifth one stays in use.
        (0, &|| pop(4)),
        (1, &|| push(6)),
        (1, &|| pop(7)),
    ]);
}

/// Pairs (7), (9): headers that another thread has made; and the records of threads.
#[test]
fn a_header_of_a_stack() {
    let stack = stack();
    relay(&[(0, &|| stack.push(1_u64)), (1, &|| stack.push(2)), (2, &|| stack.push(3))]);
}

/// Pair (9), without turns: only between two of its steps does a thread show the headers that it has made before those are on
/// a list. Miri needs some hundred seeds, and many preemptions, to stop it there.
#[test]
fn headers_of_a_stack_made_at_once() {
    let stack = stack();
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| stack.push(1_u64));
        }
    });
}

/// Pair (7) the other way: a header that was vacant again.
#[test]
fn a_header_of_a_stack_that_comes_back() {
    let stack = stack::<Large>();
    let push = |n| (0..n).for_each(|_| stack.push([1; 1024]));
    let pop = |n| (0..n).for_each(|_| assert!(stack.pop().is_some()));
    relay(&[
        // Of two chunks one becomes free, and its header vacant, by what the same thread has given back.
        (0, &|| push(14)),
        (0, &|| pop(10)),
        (1, &|| push(14)),
        (1, &|| pop(18)),
    ]);
}

/// Pair (10): the counters of another thread's cache.
#[test]
fn a_cache_of_a_stack() {
    let stack = stack();
    relay(&[(0, &|| stack.push(1_u64)), (1, &|| assert!(stack.len() <= 1))]);
}

/// Pair (8): a chunk that became free after a thread had found that it needs one. Until it was given the headers for it, in
/// the allocator's hook, another thread empties the last of the chunks that there are.
#[test]
fn a_chunk_of_a_stack() {
    static TURN: OnceLock<Turn> = OnceLock::new();
    thread_local! {
        static WAITS: Cell<bool> = const { Cell::new(false) };
    }
    unsafe extern "C-unwind" fn alloc(size: usize, align: usize, _: *mut c_void) -> *mut c_void {
        if WAITS.replace(false) {
            let turn = TURN.get().expect("there is one");
            turn.pass(1, || ());
            turn.wait(2);
        }
        // SAFETY: a container asks for more than nothing.
        unsafe { std::alloc::alloc(Layout::from_size_align(size, align).unwrap()).cast() }
    }
    unsafe extern "C-unwind" fn free(ptr: *mut c_void, size: usize, align: usize, _: *mut c_void) {
        // SAFETY: from `alloc` with this layout.
        unsafe { std::alloc::dealloc(ptr.cast(), Layout::from_size_align(size, align).unwrap()) };
    }
    // SAFETY: the hooks may be called at any time.
    let allocator = unsafe { Allocator::hooks(alloc, free, null_mut()) };
    let stack = Stack::<Large>::with_options(&options().allocator(allocator)).expect("memory");
    // All nodes of six chunks, and with them all headers that are made at first.
    (0..42).for_each(|_| stack.push([1; 1024]));
    let turn = TURN.get_or_init(Turn::new);
    thread::scope(|scope| {
        scope.spawn(|| {
            // Has its cache before.
            let top = stack.pop().expect("filled");
            stack.push(top);
            WAITS.set(true);
            stack.push([2; 1024]);
            assert!(!WAITS.get(), "else this tests nothing");
        });
        scope.spawn(|| {
            turn.wait(1);
            // The seven of one chunk; the eighth brings the last of their nodes back.
            turn.pass(2, || (0..8).for_each(|_| assert!(stack.pop().is_some())));
        });
    });
}

/// Pair (1) → (2) of the registry: the number of a thread that has ended, and with it the cache.
#[test]
fn a_record_of_an_ended_thread() {
    let stack = stack();
    let turn = Turn::new();
    thread::scope(|scope| {
        let heir = scope.spawn(|| {
            turn.wait(1);
            stack.push(2_u64);
        });
        let first = scope.spawn(|| stack.push(1_u64));
        first.join().unwrap();
        turn.pass(1, || ());
        heir.join().unwrap();
    });
}

// --- The queue

/// Pair (1) → (2), one by one and in batches.
#[test]
fn an_element_of_a_queue() {
    let queue = Queue::with_segments(&options(), 8).expect("memory");
    relay(&[
        (0, &|| queue.push(Box::new(7))),
        (1, &|| until(|| queue.pop().is_some_and(|element| *element == 7))),
    ]);
    let batch = || (1..=3).map(Box::new).collect();
    relay(&[
        (0, &|| assert!(queue.push_n(batch()).is_ok())),
        (1, &|| {
            let mut popped = Vec::new();
            until(|| {
                queue.pop_n(3, &mut popped);
                popped.len() == 3
            });
            assert_eq!(popped, batch());
        }),
    ]);
}

/// Pair (3) → (4): a segment that is found by the link of the one before it.
#[test]
fn a_segment_behind_another() {
    let queue = queue(1);
    relay(&[
        (0, &|| queue.push(Box::new(2))),
        (1, &|| until(|| queue.pop().is_some_and(|element| *element == 1))),
        (1, &|| until(|| queue.pop().is_some_and(|element| *element == 2))),
    ]);
}

/// Pair (5) → (4): by the tail.
#[test]
fn a_segment_at_the_tail() {
    let queue = queue(1);
    relay(&[(0, &|| queue.push(Box::new(2))), (1, &|| queue.push(Box::new(3)))]);
}

/// Pair (5) → (4): by the head.
#[test]
fn a_segment_at_the_head() {
    let queue = queue(1);
    relay(&[
        (0, &|| queue.push(Box::new(2))),
        (0, &|| until(|| queue.pop().is_some_and(|element| *element == 1))),
        // Leaves the first segment, and does not add to a number of the second one.
        (0, &|| until(|| !queue.is_empty())),
        (1, &|| until(|| queue.pop().is_some_and(|element| *element == 2))),
    ]);
}

/// Pair (9): a segment that comes from the pool.
#[test]
fn a_segment_of_the_pool() {
    let queue = queue(1);
    relay(&[
        (0, &|| queue.push(Box::new(2))),
        (0, &|| until(|| queue.pop().is_some_and(|element| *element == 1))),
        (0, &|| until(|| !queue.is_empty())),
        (1, &|| queue.push(Box::new(3))),
    ]);
}

/// Pairs (3) → (4) of the hazards and (1) → (2) of what waits: a segment that one thread left in passing, another one
/// retired while it was named, and a third one uses again.
#[test]
fn a_segment_that_was_named() {
    let queue = queue(1);
    queue.push(Box::new(2));
    queue.push(Box::new(3));
    relay(&[
        // Names the first segment.
        (2, &|| until(|| !queue.is_empty())),
        (0, &|| until(|| queue.pop().is_some_and(|element| *element == 1))),
        // Retires it: it is named, and waits.
        (0, &|| until(|| !queue.is_empty())),
        // Names the second one.
        (2, &|| until(|| !queue.is_empty())),
        (1, &|| until(|| queue.pop().is_some_and(|element| *element == 2))),
        // Retires the second one, and finds the first one free.
        (1, &|| until(|| !queue.is_empty())),
        (1, &|| queue.push(Box::new(4))),
    ]);
}

// --- The map

/// Hashes are the same in every run.
struct Plain;

impl BuildHasher for Plain {
    type Hasher = PlainHasher;

    fn build_hasher(&self) -> PlainHasher {
        PlainHasher(0)
    }
}

struct PlainHasher(u64);

impl Hasher for PlainHasher {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

fn map(domain: &Domain) -> Map<u64, Box<u64>, Plain> {
    Map::with_options(&Options::new().domain(domain), 0, Plain).expect("memory")
}

/// Pair (1): an entry by the header of its bucket.
#[test]
fn an_entry_of_a_map() {
    let domain = Domain::new().expect("memory");
    let map = map(&domain);
    relay_in(
        &domain,
        &[
            (0, &|| map.insert(1, Box::new(7)).unwrap()),
            (1, &|| until(|| map.with(&1, |value| **value) == Some(7))),
            (1, &|| assert_eq!(map.upsert(1, Box::new(8)).as_deref(), Some(&7))),
            (0, &|| until(|| map.remove(&1).is_some_and(|value| *value == 8))),
        ],
    );
}

/// The same through overflow nodes: all keys belong to one bucket, which has seven cells, and no two have the same hash.
#[test]
fn a_node_of_a_map() {
    // As the map spreads hashes: the top bits of the product are the bucket.
    let position = |hash: u64| (hash ^ hash >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let keys: Vec<u64> = (0..).filter(|key| position(Plain.hash_one(key)) >> 61 == 0).take(10).collect();
    let domain = Domain::new().expect("memory");
    let map = map(&domain);
    let insert = |key: &u64| map.insert(*key, Box::new(*key)).unwrap();
    let find = |key: &u64| until(|| map.with(key, |value| **value) == Some(*key));
    relay_in(
        &domain,
        &[
            (0, &|| keys[..9].iter().for_each(insert)),
            // First of all an insertion: a lookup sees the header before it pins, and the pin is a fence.
            (1, &|| insert(&keys[9])),
            (1, &|| keys[..9].iter().rev().for_each(find)),
            (0, &|| find(&keys[9])),
        ],
    );
    assert_eq!((keys.len(), map.stats().buckets), (10, 4), "else they may stand in cells");
}

/// Pair (4): the table that another thread has begun to fill, for one that comes to help.
#[test]
fn a_next_table_of_a_map() {
    let insert = |map: &Map<u64, Box<u64>, Plain>, key: u64| map.insert(key, Box::new(key)).unwrap();
    let domain = Domain::new().expect("memory");
    // With as many keys growth begins, without a look at the figures.
    let other = map(&domain);
    let mut keys = 0;
    while !other.stats().resizing {
        insert(&other, keys);
        keys += 1;
    }
    let map = map(&domain);
    // Of the keys that follow, one at least belongs to a bucket that has not moved.
    relay_in(
        &domain,
        &[
            (0, &|| (0..keys).for_each(|key| insert(&map, key))),
            (1, &|| (2000..2004).for_each(|key| insert(&map, key))),
        ],
    );
    assert!(map.stats().buckets > 8 || map.stats().resizing, "else this tests nothing");
}

/// Pair (7): the counter of a thread beyond the first ones.
#[test]
fn a_counter_of_a_map() {
    let domain = Domain::new().expect("memory");
    let map = map(&domain);
    relay_in(&domain, &[(4, &|| map.insert(1, Box::new(1)).unwrap()), (0, &|| assert!(map.len() <= 1))]);
}

// --- Reclamation

unsafe extern "C-unwind" fn count(_: *mut c_void, ctx: *mut c_void) {
    // SAFETY: the tests pass a counter that outlives the domain.
    unsafe { &*ctx.cast::<AtomicUsize>() }.fetch_add(1, Ordering::Relaxed);
}

unsafe extern "C-unwind" fn free(ptr: *mut c_void, _: *mut c_void) {
    // SAFETY: the tests pass such a box.
    drop(unsafe { Box::from_raw(ptr.cast::<u64>()) });
}

/// Pair (1) of the limbo: what a block says of those below it. Five threads, because four have an open stack each.
#[test]
fn a_retired_block() {
    static FREED: AtomicUsize = AtomicUsize::new(0);
    FREED.store(0, Ordering::Relaxed);
    let domain = Domain::new().expect("memory");
    // SAFETY: the callback uses a static counter only.
    let retire = || unsafe {
        domain.retire(null_mut(), 16, count, std::ptr::from_ref(&FREED).cast_mut().cast()).unwrap();
    };
    relay_in(&domain, &[(0, &retire), (4, &retire)]);
    drop(domain);
    assert_eq!(FREED.load(Ordering::Relaxed), 2);
}

/// Pair (1) → (2) of the counted reference: the last one frees what the others have used.
#[test]
fn a_domain_of_two_owners() {
    let domain = Domain::new().expect("memory");
    let other = domain.clone();
    let turn = Turn::new();
    thread::scope(|scope| {
        let turn = &turn;
        scope.spawn(move || {
            turn.pass(1, || {
                other.flush();
                drop(other);
            });
        });
        scope.spawn(move || {
            turn.wait(1);
            drop(domain);
        });
    });
}

/// Pair (5) → (6) of the hazard pointers: what was retired, for the thread that scans. It scans because it retires as well: a
/// flush would look at the clock first, which orders what the other one has done.
#[test]
fn an_object_retired_to_hazard_pointers() {
    static FREED: AtomicUsize = AtomicUsize::new(0);
    FREED.store(0, Ordering::Relaxed);
    let domain = Domain::new().expect("memory");
    // SAFETY: the callback uses a static counter only.
    let retire = || unsafe {
        let ctx = std::ptr::from_ref(&FREED).cast_mut().cast();
        domain.retire_hazardous(null_mut(), 16, count, ctx).unwrap();
    };
    relay_in(&domain, &[(0, &retire), (1, &retire)]);
    drop(domain);
    assert_eq!(FREED.load(Ordering::Relaxed), 2);
}

/// Pair (3) → (4) of the hazard pointers: the last use of an object before its end.
#[test]
fn an_object_that_was_protected() {
    let domain = Domain::new().expect("memory");
    let source = AtomicPtr::new(Box::into_raw(Box::new(7_u64)));
    // Locked by one thread only.
    let hazard = Mutex::new(domain.hazard_pointer().expect("memory"));
    relay_in(
        &domain,
        &[
            (0, &|| {
                let mut hazard = hazard.lock().unwrap();
                let seen = hazard.protect(&source);
                // SAFETY: protected.
                assert_eq!(unsafe { *seen }, 7);
                hazard.reset();
            }),
            (1, &|| {
                let seen = source.swap(null_mut(), Ordering::AcqRel);
                // SAFETY: unlinked; `free` ends the box.
                unsafe { domain.retire_hazardous(seen.cast(), 8, free, null_mut()) }.unwrap();
                until(|| {
                    domain.flush();
                    domain.stats().pending_objects == 0
                });
            }),
        ],
    );
}

/// Pair (1) → (2) of the counted references: a value by its place.
#[test]
fn a_value_in_a_place() {
    let domain = Domain::new().expect("memory");
    let value = |n: u64| Some(Ref::new_in(&domain, n).expect("memory"));
    let place = AtomicRef::new_in(&domain, None);
    let seen = |n| until(|| place.load().is_some_and(|value| *value == n));
    relay_in(&domain, &[(0, &|| place.store(value(1))), (1, &|| seen(1))]);
    let exchange = || {
        // Its pin is the last fence before the value is made.
        let _session = domain.enter();
        until(|| place.compare_exchange(place.load().as_ref(), value(2)).is_ok());
    };
    relay_in(&domain, &[(0, &exchange), (1, &|| seen(2))]);
}
