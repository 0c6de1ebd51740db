//! Waiting for elements, and closing.

#![cfg(not(loom))]

mod common;

use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::{Counted, scaled};
use conex::{Domain, Options, PopError, Queue};

const FOREVER: Duration = Duration::MAX;

fn queue<T>(segment: usize) -> Queue<T> {
    let domain = Domain::new().expect("memory");
    Queue::with_segments(&Options::new().domain(&domain), segment).expect("memory")
}

#[test]
fn a_closed_queue_refuses_and_drains() {
    for segment in [1, 3, 0] {
        let queue = queue(segment);
        assert!(queue.push_n((0..10).collect()).is_ok());
        assert!(!queue.is_closed());
        queue.close();
        queue.close();
        assert!(queue.is_closed());
        for _ in 0..20 {
            assert_eq!(queue.try_push(99), Err(99));
            assert_eq!(queue.push_n(vec![97, 98]), Err(vec![97, 98]));
        }
        assert_eq!(queue.len(), 10);
        assert!(!queue.is_empty());
        for number in 0..5 {
            assert_eq!(queue.pop(), Some(number));
        }
        assert_eq!(queue.pop_wait(FOREVER), Ok(5));
        let mut rest = Vec::new();
        assert_eq!(queue.pop_n_wait(10, &mut rest, FOREVER), Ok(4));
        assert_eq!(rest, [6, 7, 8, 9]);
        assert_eq!(queue.pop(), None);
        assert_eq!(queue.pop_wait(FOREVER), Err(PopError::Closed));
        assert_eq!(queue.pop_n_wait(10, &mut rest, FOREVER), Err(PopError::Closed));
        assert!(queue.is_empty());
        assert_eq!(queue.try_push(99), Err(99));
    }
}

#[test]
fn closed_queues_of_all_fillings_drop_what_is_left() {
    let live = AtomicUsize::new(0);
    for elements in 0..20 {
        let queue = queue(4);
        for _ in 0..elements {
            queue.push(Counted::new(&live));
        }
        queue.close();
        assert!(queue.try_push(Counted::new(&live)).is_err());
        assert_eq!(queue.len(), elements);
        if elements % 2 == 0 {
            queue.pop();
        }
    }
    assert_eq!(live.load(Ordering::SeqCst), 0);
}

#[test]
fn the_timeout_is_kept() {
    let queue = queue::<u32>(0);
    let begin = Instant::now();
    assert_eq!(queue.pop_wait(Duration::ZERO), Err(PopError::TimedOut));
    assert_eq!(queue.pop_wait(Duration::from_millis(30)), Err(PopError::TimedOut));
    assert!(begin.elapsed() >= Duration::from_millis(30));
    assert!(begin.elapsed() < Duration::from_secs(10));
    let mut none = Vec::new();
    assert_eq!(queue.pop_n_wait(3, &mut none, Duration::from_millis(5)), Err(PopError::TimedOut));
    assert_eq!(queue.pop_n_wait(0, &mut none, FOREVER), Ok(0));
    assert!(none.is_empty());
}

#[test]
fn a_pop_of_many_waits_for_one() {
    let queue = queue(0);
    thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(Duration::from_millis(20));
            queue.push(7);
        });
        let mut got = Vec::new();
        assert_eq!(queue.pop_n_wait(100, &mut got, FOREVER), Ok(1));
        assert_eq!(got, [7]);
    });
}

#[test]
fn close_wakes_everybody() {
    let queue = queue::<u32>(0);
    thread::scope(|scope| {
        for _ in 0..5 {
            scope.spawn(|| assert_eq!(queue.pop_wait(FOREVER), Err(PopError::Closed)));
        }
        thread::sleep(Duration::from_millis(20));
        queue.close();
    });
}

/// A waiter sleeps: it uses no processor time.
#[test]
#[cfg(target_os = "linux")]
#[cfg_attr(miri, ignore = "there is no clock of a thread's time")]
fn an_idle_waiter_uses_no_time() {
    let time = || {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: a valid out-parameter.
        unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
        Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
    };
    let queue = queue::<u32>(0);
    let before = time();
    assert_eq!(queue.pop_wait(Duration::from_millis(500)), Err(PopError::TimedOut));
    let used = time() - before;
    assert!(used < Duration::from_millis(1), "a waiter used {used:?} of 500 ms");
}

/// One element at a time, there and back: a lost wake-up would hang, and the watchdog would say so.
#[test]
fn no_wake_up_is_lost() {
    let rounds = scaled(2_000);
    let (there, back) = (queue(0), queue(3));
    thread::scope(|scope| {
        scope.spawn(|| {
            while let Ok(number) = there.pop_wait(FOREVER) {
                back.push(number);
            }
        });
        for number in 0..rounds {
            there.push(number);
            assert_eq!(back.pop_wait(Duration::from_secs(60)), Ok(number));
        }
        there.close();
    });
}

/// Producers and waiting consumers until a close in the middle: what was accepted comes out, once, and what was refused
/// does not.
#[test]
fn accepted_is_popped_and_refused_is_not() {
    for segment in [1, 2, 5, 0] {
        for round in 0..scaled(20) {
            let queue = queue::<(usize, usize)>(segment);
            let start = Barrier::new(6);
            let (accepted, popped) = thread::scope(|scope| {
                let producers: Vec<_> = (0..2)
                    .map(|producer| {
                        let (queue, start) = (&queue, &start);
                        scope.spawn(move || {
                            start.wait();
                            (0..2000).take_while(|number| queue.try_push((producer, *number)).is_ok()).count()
                        })
                    })
                    .collect();
                let consumers: Vec<_> = (0..3)
                    .map(|consumer| {
                        let (queue, start) = (&queue, &start);
                        scope.spawn(move || {
                            start.wait();
                            let mut got = Vec::new();
                            if consumer == 0 {
                                while queue.pop_n_wait(7, &mut got, FOREVER).is_ok() {}
                            } else {
                                while let Ok(element) = queue.pop_wait(FOREVER) {
                                    got.push(element);
                                }
                            }
                            assert_eq!(queue.pop(), None, "closed and empty is for ever");
                            got
                        })
                    })
                    .collect();
                start.wait();
                for _ in 0..round {
                    thread::yield_now();
                }
                queue.close();
                let accepted: Vec<_> =
                    producers.into_iter().map(|producer| producer.join().unwrap()).collect();
                let popped: Vec<_> =
                    consumers.into_iter().flat_map(|consumer| consumer.join().unwrap()).collect();
                (accepted, popped)
            });
            assert!(queue.is_empty());
            for (producer, accepted) in accepted.into_iter().enumerate() {
                let mut numbers: Vec<_> =
                    popped.iter().filter(|element| element.0 == producer).map(|element| element.1).collect();
                numbers.sort_unstable();
                assert_eq!(numbers, (0..accepted).collect::<Vec<_>>());
            }
        }
    }
}
