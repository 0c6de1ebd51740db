//! The queue under several threads, with oracles that need no clock: every element comes out exactly once, those of
//! one producer come out in their order, "empty" is never said of a queue that cannot be empty, and memory comes back.

use std::alloc::{Layout, alloc, dealloc};
use std::collections::HashMap;
use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use conex::{Allocator, Domain, Options, Queue};

const EACH: usize = if cfg!(miri) { 60 } else { 60_000 };

/// Who pushed it, and its number among those of that thread.
type Stamp = (u32, u32);

#[derive(Clone, Copy)]
struct Plan {
    producers: u32,
    consumers: u32,
    /// Elements a call; 1 for the single operations.
    batch: usize,
    segment: usize,
}

fn produce<T>(queue: &Queue<T>, producer: u32, plan: Plan, make: impl Fn(Stamp) -> T) {
    let mut number = 0;
    while (number as usize) < EACH {
        if plan.batch == 1 {
            queue.push(make((producer, number)));
            number += 1;
        } else {
            let n = plan.batch.min(EACH - number as usize) as u32;
            assert!(queue.push_n((number..number + n).map(|number| make((producer, number))).collect()).is_ok());
            number += n;
        }
        if cfg!(miri) || number % 1024 == 0 {
            thread::yield_now();
        }
    }
}

fn consume<T>(queue: &Queue<T>, plan: Plan, done: &AtomicBool, read: impl Fn(T) -> Stamp) -> Vec<Stamp> {
    let mut got = Vec::new();
    let mut batch = Vec::new();
    loop {
        // Read before the pop: "empty" after all producers have ended is final.
        let last = done.load(Ordering::Acquire);
        if plan.batch == 1 {
            batch.extend(queue.pop());
        } else {
            assert_eq!(queue.pop_n(plan.batch, &mut batch), batch.len());
        }
        if batch.is_empty() {
            if last {
                return got;
            }
            thread::yield_now();
        }
        got.extend(batch.drain(..).map(&read));
    }
}

/// Runs a plan and checks conservation and the order of each producer's elements in each consumer's.
fn run<T: Send>(plan: Plan, make: impl Fn(Stamp) -> T + Copy + Send, read: impl Fn(T) -> Stamp + Copy + Send) {
    let domain = Domain::new().expect("memory");
    let queue = Queue::<T>::with_segments(&Options::new().domain(&domain), plan.segment).expect("memory");
    let done = AtomicBool::new(false);
    let got: Vec<Vec<Stamp>> = thread::scope(|scope| {
        let producers: Vec<_> = (0..plan.producers)
            .map(|producer| scope.spawn({ let queue = &queue; move || produce(queue, producer, plan, make) }))
            .collect();
        let consumers: Vec<_> = (0..plan.consumers)
            .map(|_| scope.spawn(|| consume(&queue, plan, &done, read)))
            .collect();
        for producer in producers {
            producer.join().expect("a producer");
        }
        done.store(true, Ordering::Release);
        consumers.into_iter().map(|consumer| consumer.join().expect("a consumer")).collect()
    });
    let mut seen = HashMap::new();
    for got in &got {
        let mut last = HashMap::new();
        for &(producer, number) in got {
            if let Some(before) = last.insert(producer, number) {
                assert!(before < number, "producer {producer}: {number} came out after {before}");
            }
            *seen.entry((producer, number)).or_insert(0) += 1;
        }
    }
    for producer in 0..plan.producers {
        for number in 0..EACH as u32 {
            assert_eq!(seen.get(&(producer, number)), Some(&1), "element {number} of producer {producer}");
        }
    }
    assert_eq!(seen.len(), plan.producers as usize * EACH);
    assert!(queue.is_empty());
    assert_eq!(queue.len(), 0);
}

fn words(producers: u32, consumers: u32, batch: usize, segment: usize) {
    run(Plan { producers, consumers, batch, segment }, |stamp| stamp, |stamp| stamp);
}

#[test]
fn one_to_one() {
    words(1, 1, 1, 0);
    words(1, 1, 1, 1);
}

#[test]
fn many_to_many() {
    words(2, 2, 1, 0);
    words(2, 2, 1, 3);
    words(4, 4, 1, 16);
}

#[test]
fn many_to_one_and_one_to_many() {
    words(3, 1, 1, 5);
    words(1, 3, 1, 5);
}

#[test]
fn batches() {
    words(2, 2, 32, 0);
    words(2, 2, 7, 5);
    words(1, 1, 32, 64);
}

#[test]
fn large_and_owning_elements() {
    let large = |(producer, number): Stamp| [u64::from(producer) << 32 | u64::from(number); 9];
    run(Plan { producers: 2, consumers: 2, batch: 1, segment: 9 }, large, |element| {
        assert!(element.iter().all(|word| *word == element[0]), "a torn element");
        ((element[0] >> 32) as u32, element[0] as u32)
    });
    run(Plan { producers: 2, consumers: 2, batch: 5, segment: 4 }, Box::new, |element| *element);
}

/// Each thread pushes before it pops, so no pop can find the queue empty.
#[test]
fn never_empty() {
    let rounds = if cfg!(miri) { 40 } else { 40_000 };
    for segment in [1, 2, 16, 0] {
        let queue = Queue::with_segments(&Options::new(), segment).expect("memory");
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for round in 0..rounds {
                        queue.push(round);
                        assert!(!queue.is_empty(), "this thread's own element, or one for it, is in the queue");
                        assert!(queue.pop().is_some(), "there is an element for each thread that looks for one");
                    }
                });
            }
        });
        assert!(queue.is_empty());
    }
}

/// Elements of one batch come out in their order even if others come between, whatever is given up meanwhile.
#[test]
fn batches_keep_their_order_past_slots_that_were_given_up() {
    let queue = Queue::with_segments(&Options::new(), 24).expect("memory");
    let done = AtomicBool::new(false);
    let rounds = if cfg!(miri) { 10 } else { 20_000 };
    thread::scope(|scope| {
        let consumer = scope.spawn(|| {
            let mut last = 0_u64;
            loop {
                let end = done.load(Ordering::Acquire);
                match queue.pop() {
                    Some(number) => {
                        assert_eq!(number, last + 1);
                        last = number;
                    }
                    None if end => return last,
                    None => (),
                }
            }
        });
        let mut number = 0;
        for round in 0..rounds {
            let n = 1 + round % 50;
            assert!(queue.push_n((number + 1..=number + n).collect()).is_ok());
            number += n;
        }
        done.store(true, Ordering::Release);
        assert_eq!(consumer.join().expect("the consumer"), number);
    });
}

/// Counts what is allocated, and fails when told to.
#[derive(Default)]
struct Ledger {
    bytes: AtomicUsize,
    blocks: AtomicUsize,
    peak: AtomicUsize,
    calls: AtomicUsize,
    fail_at: AtomicUsize,
}

impl Ledger {
    fn allocator(&self) -> Allocator {
        unsafe extern "C" fn allocate(size: usize, align: usize, ctx: *mut c_void) -> *mut c_void {
            // SAFETY: `ctx` is the ledger, which outlives its queues.
            let ledger = unsafe { &*ctx.cast::<Ledger>() };
            if ledger.calls.fetch_add(1, Ordering::Relaxed) + 1 == ledger.fail_at.load(Ordering::Relaxed) {
                return std::ptr::null_mut();
            }
            let bytes = ledger.bytes.fetch_add(size, Ordering::Relaxed) + size;
            ledger.peak.fetch_max(bytes, Ordering::Relaxed);
            ledger.blocks.fetch_add(1, Ordering::Relaxed);
            // SAFETY: a container never asks for nothing.
            unsafe { alloc(Layout::from_size_align(size, align).expect("a layout")).cast() }
        }
        unsafe extern "C" fn free(ptr: *mut c_void, size: usize, align: usize, ctx: *mut c_void) {
            // SAFETY: as above.
            let ledger = unsafe { &*ctx.cast::<Ledger>() };
            ledger.bytes.fetch_sub(size, Ordering::Relaxed);
            ledger.blocks.fetch_sub(1, Ordering::Relaxed);
            // SAFETY: allocated above with this layout.
            unsafe { dealloc(ptr.cast(), Layout::from_size_align(size, align).expect("a layout")) };
        }
        // SAFETY: both may be called from anywhere while the ledger lives, and do what they say.
        unsafe { Allocator::hooks(allocate, free, std::ptr::from_ref(self).cast_mut().cast()) }
    }

    fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }
}

#[test]
fn memory_comes_back() {
    let ledger = Ledger::default();
    let queue = Queue::<u64>::with_options(&Options::new().allocator(ledger.allocator())).expect("memory");
    assert!(ledger.bytes() + size_of_val(&queue) < 4096, "an idle empty queue has {} bytes", ledger.bytes());
    let many = if cfg!(miri) { 5_000 } else { 1_000_000 };
    for number in 0..many {
        queue.push(number);
    }
    let peak = ledger.bytes();
    assert!(peak < many as usize * 10 + 40_000, "{peak} bytes for {many} words");
    for number in 0..many {
        assert_eq!(queue.pop(), Some(number));
    }
    assert!(ledger.bytes() <= 3 * 17 * 1024, "a drained queue has {} bytes", ledger.bytes());
    drop(queue);
    assert_eq!(ledger.blocks.load(Ordering::Relaxed), 0);
    assert_eq!(ledger.bytes(), 0);
}

/// Threads that stopped somewhere in the past hold back no more than two segments each.
#[test]
fn idle_threads_hold_back_little() {
    let ledger = Ledger::default();
    let options = Options::new().allocator(ledger.allocator());
    let queue = Queue::<u64>::with_segments(&options, 64).expect("memory");
    let one = ledger.bytes();
    let (idle, rounds) = if cfg!(miri) { (3, 10) } else { (6, 1000) };
    let gate = std::sync::Barrier::new(idle + 1);
    thread::scope(|scope| {
        for _ in 0..idle {
            scope.spawn(|| {
                queue.push(0);
                queue.pop();
                gate.wait();
                // Idle, as it were stalled, with its slots as they are.
                gate.wait();
            });
        }
        gate.wait();
        for round in 0..rounds * 64 {
            queue.push(round);
            assert!(queue.pop().is_some());
        }
        let bound = (2 * idle + 4) * one;
        assert!(ledger.bytes() <= bound, "{} bytes are held back, at most {bound} should", ledger.bytes());
        gate.wait();
    });
    drop(queue);
    assert_eq!(ledger.bytes(), 0);
}

/// Whichever allocation of a scenario fails, nothing is lost.
#[test]
fn no_memory_loses_nothing() {
    let scenario = |fail_at: usize| {
        let ledger = Ledger::default();
        ledger.fail_at.store(fail_at, Ordering::Relaxed);
        let options = Options::new().allocator(ledger.allocator());
        let Ok(queue) = Queue::<Box<usize>>::with_segments(&options, 4) else {
            assert_eq!(ledger.bytes(), 0);
            return fail_at == 1;
        };
        let mut failed = false;
        let mut expected = Vec::new();
        for number in 0..30 {
            let mut element = Box::new(number);
            while let Err(back) = queue.try_push(element) {
                assert_eq!(*back, number);
                failed = true;
                element = back;
            }
            expected.push(number);
            let mut batch: Vec<_> = (0..number).map(|i| Box::new(1000 * number + i)).collect();
            expected.extend(batch.iter().map(|element| **element));
            while let Err(rest) = queue.push_n(batch) {
                assert!(rest.len() <= number);
                failed = true;
                batch = rest;
            }
        }
        assert_eq!(queue.len(), expected.len());
        assert_eq!(queue.into_iter().map(|element| *element).collect::<Vec<_>>(), expected);
        assert_eq!(ledger.bytes(), 0);
        failed
    };
    let mut fail_at = 1;
    while scenario(fail_at) {
        fail_at += 1;
    }
    assert!(fail_at > 20, "the scenario allocates a segment every four elements");
}

/// An allocator hook that uses the very queue it serves, on the same thread.
#[test]
fn a_hook_may_use_the_queue() {
    static SHARED: std::sync::OnceLock<Queue<usize>> = std::sync::OnceLock::new();
    unsafe extern "C" fn allocate(size: usize, align: usize, _: *mut c_void) -> *mut c_void {
        if let Some(queue) = SHARED.get() {
            // Pops only: a push here could need memory for ever.
            while queue.pop().is_some() {}
        }
        // SAFETY: a container never asks for nothing.
        unsafe { alloc(Layout::from_size_align(size, align).expect("a layout")).cast() }
    }
    unsafe extern "C" fn free(ptr: *mut c_void, size: usize, align: usize, _: *mut c_void) {
        // SAFETY: allocated above with this layout.
        unsafe { dealloc(ptr.cast(), Layout::from_size_align(size, align).expect("a layout")) };
    }
    // SAFETY: both may be called from anywhere at any time.
    let allocator = unsafe { Allocator::hooks(allocate, free, std::ptr::null_mut()) };
    let queue = Queue::with_segments(&Options::new().allocator(allocator), 3).expect("memory");
    let queue = SHARED.get_or_init(|| queue);
    for number in 0..100 {
        queue.push(number);
    }
    while queue.pop().is_some() {}
    assert!(queue.is_empty());
}

/// A queue used by the destructor of a thread-local of another library, when this one's are gone.
#[test]
fn a_thread_may_use_the_queue_while_it_ends() {
    static QUEUE: std::sync::OnceLock<Queue<u32>> = std::sync::OnceLock::new();
    struct AtExit;
    impl Drop for AtExit {
        fn drop(&mut self) {
            for number in 0..20 {
                QUEUE.get().expect("made below").push(number);
            }
            for _ in 0..10 {
                assert!(QUEUE.get().expect("made below").pop().is_some());
            }
        }
    }
    thread_local! {
        static AT_EXIT: AtExit = const { AtExit };
    }
    let queue = QUEUE.get_or_init(|| Queue::with_segments(&Options::new(), 2).expect("memory"));
    for first in [true, false] {
        thread::spawn(move || {
            // Thread-locals end in the order of their first use, or in the reverse one: try both.
            if first {
                AT_EXIT.with(|_| ());
                queue.push(100);
            } else {
                queue.push(100);
                AT_EXIT.with(|_| ());
            }
        })
        .join()
        .expect("the thread");
    }
    assert_eq!(queue.len(), 22);
    while queue.pop().is_some() {}
}
