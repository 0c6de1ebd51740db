//! What is left when something ends, a domain, a container, or a thread: nothing, not even in the statistics.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use conex::{Domain, Options, Stack};

use super::common::{Heap, scaled};
use super::{LONG, retire};

#[test]
fn dropping_a_domain_frees_everything() {
    let freed = AtomicUsize::new(0);
    let domain = Domain::new().unwrap();
    for _ in 0..scaled(1_000) {
        retire(&domain, &freed, 16);
    }
    drop(domain);
    assert_eq!(freed.load(Ordering::SeqCst), scaled(1_000));
}

#[test]
fn a_domain_outlives_its_name() {
    let stack = {
        let domain = Domain::new().unwrap();
        Stack::with_options(&Options::new().domain(&domain)).unwrap()
    };
    stack.push(1);
    assert_eq!(stack.pop(), Some(1));
}

#[test]
fn short_lived_threads_leave_nothing() {
    let domain = Domain::new().unwrap();
    let stack = Stack::with_options(&Options::new().domain(&domain)).unwrap();
    for i in 0..scaled(2_000) {
        thread::scope(|scope| {
            scope.spawn(|| {
                stack.push(i);
                stack.pop();
            });
        });
    }
    domain.barrier(LONG).unwrap();
    assert_eq!(domain.stats().pending_objects, 0);
}

/// Threads come and go, domains come and go, and everything is used from everywhere.
#[test]
fn churn_of_domains_and_threads() {
    for _ in 0..scaled(50) {
        let freed = AtomicUsize::new(0);
        let domains: Vec<_> = (0..3).map(|_| Domain::new().unwrap()).collect();
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    for i in 0..scaled(300) {
                        let domain = &domains[i % 3];
                        let guard = (i % 7 == 0).then(|| domain.enter());
                        retire(domain, &freed, 8);
                        if guard.is_none() && i % 50 == 1 {
                            let _ = domain.barrier(Duration::from_millis(1));
                        }
                    }
                });
            }
        });
        drop(domains);
        assert_eq!(freed.load(Ordering::SeqCst), 3 * scaled(300));
    }
}

/// Containers come and go, nobody ever calls flush or barrier: nothing may pile up.
#[test]
fn destroyed_containers_leave_nothing() {
    let domain = Domain::new().unwrap();
    let round = || {
        for _ in 0..if cfg!(miri) { 64 } else { 200 } {
            let stack = Stack::with_options(&Options::new().domain(&domain)).unwrap();
            stack.push(1);
            stack.pop();
        }
    };
    round();
    let before = Heap::live();
    for _ in 0..scaled(50) {
        round();
    }
    let grown = Heap::live() - before;
    assert!(grown < 64 * 1024, "{grown} bytes more than after the first round");
}

/// A domain that is dropped while all places for sealed chains are taken leaves nothing behind.
#[test]
fn a_domain_dropped_in_a_backlog_leaves_nothing() {
    let freed = AtomicUsize::new(0);
    let many = if cfg!(miri) { 2 * 20 + 1 } else { 64 * 20 + 5 };
    let round = || {
        let domain = Domain::new().unwrap();
        let guard = domain.enter();
        for _ in 0..many {
            retire(&domain, &freed, 16);
        }
        drop(guard);
        drop(domain);
        // Gives up this thread's membership in the domain.
        drop(Domain::new().unwrap().enter());
    };
    round();
    let before = Heap::live();
    for _ in 0..4 {
        round();
    }
    assert_eq!(freed.load(Ordering::SeqCst), 5 * many);
    assert!(Heap::live() - before < 1024, "{} bytes more than after the first round", Heap::live() - before);
}

/// The statistics are true after a long time, whatever the sizes were.
#[test]
fn pending_bytes_do_not_drift() {
    let freed = AtomicUsize::new(0);
    let domain = Domain::new().unwrap();
    for _ in 0..scaled(1_000) {
        retire(&domain, &freed, 1);
    }
    domain.barrier(LONG).unwrap();
    retire(&domain, &freed, 100);
    let pending = domain.stats().pending_bytes;
    assert!((100..=112).contains(&pending), "{pending}");
}
