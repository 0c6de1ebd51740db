//! Domains: what is retired is freed, not too early, once, and by the barrier at the latest.

#![cfg(not(loom))]

#[path = "../common/mod.rs"]
mod common;

use std::ffi::c_void;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Barrier, mpsc};
use std::thread;
use std::time::Duration;

use common::{Heap, scaled};
use conex::{BarrierError, Domain, Options, Stack};

const LONG: Duration = Duration::from_secs(20);

unsafe extern "C-unwind" fn count(_ptr: *mut c_void, ctx: *mut c_void) {
    // SAFETY: the tests pass a counter that outlives the domain.
    unsafe { &*ctx.cast::<AtomicUsize>() }.fetch_add(1, Ordering::SeqCst);
}

fn retire(domain: &Domain, counter: &AtomicUsize, bytes: usize) {
    let ctx = std::ptr::from_ref(counter).cast_mut().cast();
    // SAFETY: `count` uses `ctx` only, a counter that outlives the domain.
    unsafe { domain.retire(std::ptr::null_mut(), bytes, count, ctx) }.unwrap();
}

#[test]
fn the_barrier_frees_what_was_retired_before_it() {
    let freed = AtomicUsize::new(0);
    let domain = Domain::new().unwrap();
    for n in 1..=scaled(300) {
        retire(&domain, &freed, 16);
        if n % 10 == 0 {
            domain.barrier(LONG).unwrap();
            assert_eq!(freed.load(Ordering::SeqCst), n);
            assert_eq!(domain.stats().pending_objects, 0);
        }
    }
}

#[test]
fn the_barrier_reaches_what_idle_threads_retired() {
    let freed = AtomicUsize::new(0);
    let domain = Domain::new().unwrap();
    let retired = Barrier::new(3);
    let checked = Barrier::new(3);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                retire(&domain, &freed, 16);
                retired.wait();
                // Alive and idle until the check is done.
                checked.wait();
            });
        }
        retired.wait();
        assert_eq!(domain.barrier(LONG), Ok(()));
        assert_eq!(freed.load(Ordering::SeqCst), 2);
        checked.wait();
    });
}

#[test]
fn a_guard_holds_memory_back_and_the_statistics_show_it() {
    let freed = AtomicUsize::new(0);
    let domain = Domain::new().unwrap();
    let (entered, is_entered) = mpsc::channel();
    let (leave, may_leave) = mpsc::channel::<()>();
    thread::scope(|scope| {
        let domain = &domain;
        scope.spawn(move || {
            let guard = domain.enter();
            entered.send(()).unwrap();
            may_leave.recv().unwrap();
            drop(guard);
        });
        is_entered.recv().unwrap();
        let many = scaled(5_000);
        for _ in 0..many {
            retire(domain, &freed, 96);
        }
        assert_eq!(domain.barrier(Duration::from_millis(20)), Err(BarrierError::TimedOut));
        assert_eq!(freed.load(Ordering::SeqCst), 0, "the guard was entered before");
        let stats = domain.stats();
        assert_eq!((stats.pending_objects, stats.pending_bytes, stats.guards), (many, many * 96, 1));
        assert!(stats.oldest_guard >= Duration::from_millis(20));
        leave.send(()).unwrap();
        domain.barrier(LONG).unwrap();
        assert_eq!(freed.load(Ordering::SeqCst), many);
        assert_eq!(domain.stats(), conex::DomainStats::default());
    });
}

#[test]
fn a_refreshed_guard_lets_go() {
    let freed = AtomicUsize::new(0);
    let domain = Domain::new().unwrap();
    let (to_holder, steps) = mpsc::channel::<()>();
    let (to_main, done) = mpsc::channel();
    thread::scope(|scope| {
        let domain = &domain;
        scope.spawn(move || {
            let mut guard = domain.enter();
            to_main.send(()).unwrap();
            while steps.recv().is_ok() {
                guard.refresh();
                to_main.send(()).unwrap();
            }
        });
        done.recv().unwrap();
        retire(domain, &freed, 8);
        // Two steps of the clock need two refreshes.
        for _ in 0..8 {
            domain.flush();
            to_holder.send(()).unwrap();
            done.recv().unwrap();
        }
        domain.flush();
        assert_eq!(freed.load(Ordering::SeqCst), 1);
        drop(to_holder);
    });
}

#[test]
fn the_barrier_refuses_to_wait_for_its_own_thread() {
    let domain = Domain::new().unwrap();
    let guard = domain.enter();
    assert_eq!(domain.barrier(LONG), Err(BarrierError::Guarded));
    drop(guard);
    assert_eq!(domain.barrier(LONG), Ok(()));
}

#[test]
fn garbage_is_bounded_without_a_barrier() {
    let freed = AtomicUsize::new(0);
    let domain = Domain::new().unwrap();
    let mut most = 0;
    for _ in 0..scaled(100_000) {
        retire(&domain, &freed, 16);
        most = most.max(domain.stats().pending_objects);
    }
    assert!(most <= 64 * 8, "{most} blocks waited at once");
}

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
fn a_retire_callback_may_retire() {
    struct Chain {
        domain: Domain,
        left: AtomicUsize,
    }
    unsafe extern "C-unwind" fn again(_ptr: *mut c_void, ctx: *mut c_void) {
        // SAFETY: the chain below outlives the barrier that waits for its end.
        let chain = unsafe { &*ctx.cast::<Chain>() };
        if chain.left.fetch_sub(1, Ordering::SeqCst) > 1 {
            // SAFETY: as above.
            unsafe { chain.domain.retire(std::ptr::null_mut(), 8, again, ctx) }.unwrap();
        }
    }
    let domain = Domain::new().unwrap();
    let chain = Chain { domain: domain.clone(), left: AtomicUsize::new(scaled(2_000)) };
    let ctx = std::ptr::from_ref(&chain).cast_mut().cast();
    // SAFETY: `chain` lives until the loop below has seen the last callback.
    unsafe { domain.retire(std::ptr::null_mut(), 8, again, ctx) }.unwrap();
    while chain.left.load(Ordering::SeqCst) > 0 {
        domain.barrier(LONG).unwrap();
    }
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

#[test]
fn domains_do_not_hold_up_each_other() {
    let freed = AtomicUsize::new(0);
    let (one, two) = (Domain::new().unwrap(), Domain::new().unwrap());
    let _guard = one.enter();
    retire(&two, &freed, 8);
    two.barrier(LONG).unwrap();
    assert_eq!(freed.load(Ordering::SeqCst), 1);
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

/// A container that is destroyed by a retire callback, while the domain is sweeping that container.
#[test]
fn a_retire_callback_may_destroy_a_container_that_is_being_swept() {
    unsafe extern "C-unwind" fn destroy(ptr: *mut c_void, ctx: *mut c_void) {
        // SAFETY: from `Box::into_raw` below, and retired once.
        drop(unsafe { Box::from_raw(ptr.cast::<Stack<u32>>()) });
        // SAFETY: a counter that outlives the domain.
        unsafe { count(ptr, ctx) };
    }
    let destroyed = AtomicUsize::new(0);
    let domain = Domain::new().unwrap();
    let stack = Box::new(Stack::with_options(&Options::new().domain(&domain)).unwrap());
    stack.push(1);
    stack.push(2);
    let reader = domain.enter();
    let stack = Box::into_raw(stack);
    let ctx = std::ptr::from_ref(&destroyed).cast_mut().cast();
    // SAFETY: nobody can find the stack any more but the reader below, whose guard is older.
    unsafe { domain.retire(stack.cast(), 64, destroy, ctx) }.unwrap();
    domain.flush();
    // SAFETY: under a guard that was entered before the stack was retired.
    assert_eq!(unsafe { &*stack }.pop(), Some(2));
    drop(reader);
    domain.flush();
    domain.barrier(LONG).unwrap();
    assert_eq!(destroyed.load(Ordering::SeqCst), 1);
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

/// With nothing to wait for, the barrier needs no time.
#[test]
fn a_barrier_without_work_does_not_time_out() {
    let domain = Domain::new().unwrap();
    assert_eq!(domain.barrier(Duration::ZERO), Ok(()));
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

/// A thread that ends without leaving its session holds memory back for ever; but it is not the next thread that gets
/// its record whom the barrier then refuses.
#[test]
#[cfg_attr(miri, ignore = "what the guard is forgotten of is leaked")]
fn a_forgotten_guard_is_its_own_threads() {
    let freed = AtomicUsize::new(0);
    let domain = Domain::new().unwrap();
    // This thread has a record of its own before the other one gives up its.
    drop(domain.enter());
    thread::scope(|scope| scope.spawn(|| std::mem::forget(domain.enter())).join().unwrap());
    retire(&domain, &freed, 8);
    let next = || domain.barrier(Duration::from_millis(5));
    assert_eq!(thread::scope(|scope| scope.spawn(next).join().unwrap()), Err(BarrierError::TimedOut));
    assert_eq!(domain.stats().guards, 1);
}

/// A retire callback runs under a pin of its thread, so a barrier in it could never end.
#[test]
fn the_barrier_refuses_in_a_retire_callback() {
    struct Asks {
        domain: Domain,
        answers: std::sync::Mutex<Vec<Result<(), BarrierError>>>,
    }
    unsafe extern "C-unwind" fn ask(_ptr: *mut c_void, ctx: *mut c_void) {
        // SAFETY: `asks` below outlives the barrier that waits for this.
        let asks = unsafe { &*ctx.cast::<Asks>() };
        asks.answers.lock().unwrap().push(asks.domain.barrier(Duration::from_millis(10)));
    }
    let domain = Domain::new().unwrap();
    let asks = Asks { domain: domain.clone(), answers: Default::default() };
    let ctx = std::ptr::from_ref(&asks).cast_mut().cast();
    // SAFETY: `asks` lives until the barrier has seen the callback.
    unsafe { domain.retire(std::ptr::null_mut(), 8, ask, ctx) }.unwrap();
    domain.barrier(LONG).unwrap();
    assert_eq!(asks.answers.into_inner().unwrap(), [Err(BarrierError::Guarded)]);
}

/// A destructor that panics, although it must not, takes nothing but itself: the rest of its batch is freed, and the
/// barrier ends.
#[test]
fn a_panic_in_a_callback_stays_there() {
    unsafe extern "C-unwind" fn panics(_ptr: *mut c_void, _ctx: *mut c_void) {
        // Without the message, whose backtrace takes Miri longer than the barrier waits.
        std::panic::resume_unwind(Box::new(()));
    }
    let freed = AtomicUsize::new(0);
    let domain = Domain::new().unwrap();
    for _ in 0..3 {
        retire(&domain, &freed, 8);
        // SAFETY: not quite: it unwinds, which is what is tested.
        unsafe { domain.retire(std::ptr::null_mut(), 8, panics, std::ptr::null_mut()) }.unwrap();
        retire(&domain, &freed, 8);
        assert_eq!(domain.barrier(LONG), Ok(()));
    }
    assert_eq!(freed.load(Ordering::SeqCst), 6);
}

/// Runs `work` on a thread when the thread's storage, the library's part of it included, is gone.
fn at_the_end_of_a_thread(
    domain: &Domain,
    begin: impl FnOnce() -> Option<conex::Guard> + Send,
    work: fn(&Domain),
) {
    struct AtEnd(Domain, Option<conex::Guard>, fn(&Domain));
    impl Drop for AtEnd {
        fn drop(&mut self) {
            (self.2)(&self.0);
            self.1 = None;
            (self.2)(&self.0);
        }
    }
    thread_local! {
        static AT_END: std::cell::RefCell<Option<AtEnd>> = const { std::cell::RefCell::new(None) };
    }
    thread::scope(|scope| {
        let end = scope.spawn(|| {
            // First used, last ended: before the thread uses a domain.
            AT_END.set(None);
            AT_END.set(Some(AtEnd(domain.clone(), begin(), work)));
        });
        // Joined: the scope alone waits for the closure only.
        end.join().unwrap();
    });
}

#[test]
fn sessions_work_at_the_very_end_of_a_thread() {
    let domain = Domain::new().unwrap();
    let begin = || {
        drop(domain.enter());
        None
    };
    at_the_end_of_a_thread(&domain, begin, |domain| {
        let stack = Stack::with_options(&Options::new().domain(domain)).unwrap();
        let mut guard = domain.enter();
        assert!(guard.is_of_this_thread());
        stack.push(1);
        assert_eq!(stack.pop(), Some(1));
        guard.refresh();
        let inner = domain.enter();
        assert_eq!(domain.stats().guards, 2);
        assert_eq!(domain.barrier(Duration::from_millis(5)), Err(BarrierError::Guarded));
        drop(guard);
        drop(inner);
        assert_eq!(domain.barrier(LONG), Ok(()));
    });
    assert_eq!(domain.stats(), conex::DomainStats::default());
    assert_eq!(domain.barrier(LONG), Ok(()));
}

/// A session that ends after the thread's membership in the domain: its record is nobody else's until then.
#[test]
fn a_session_may_outlive_the_threads_storage() {
    let domain = Domain::new().unwrap();
    static FREED: AtomicUsize = AtomicUsize::new(0);
    let begin = || Some(domain.enter());
    at_the_end_of_a_thread(&domain, begin, |domain| {
        let guards = domain.stats().guards;
        thread::scope(|scope| {
            scope.spawn(|| {
                let guard = domain.enter();
                assert_eq!(domain.stats().guards, guards + 1);
                drop(guard);
                retire(domain, &FREED, 8);
                if guards > 0 {
                    assert_eq!(domain.barrier(Duration::from_millis(5)), Err(BarrierError::TimedOut));
                } else {
                    assert_eq!(domain.barrier(LONG), Ok(()));
                }
            });
        });
    });
    assert_eq!(domain.stats().guards, 0);
    assert_eq!(domain.barrier(LONG), Ok(()));
}

/// The last owner of a domain may be an object that was retired in it, and its end may come when a thread gives up its
/// membership. Which pin of the thread collects is crossbeam's choice, so every distance to it is tried.
#[test]
#[cfg_attr(miri, ignore = "where the callback does not come, the domain keeps itself alive")]
fn a_domain_may_end_in_its_own_disposal() {
    #[expect(dead_code, reason = "it is there to be dropped")]
    struct Owner<'a>(Domain, &'a AtomicUsize);
    unsafe extern "C-unwind" fn end(ptr: *mut c_void, _ctx: *mut c_void) {
        // SAFETY: from `Box::into_raw` below, and retired once.
        let owner = unsafe { Box::from_raw(ptr.cast::<Owner<'_>>()) };
        owner.1.fetch_add(1, Ordering::SeqCst);
    }
    let ended = AtomicUsize::new(0);
    let after = AtomicUsize::new(0);
    for pins in 0..130 {
        thread::scope(|scope| {
            let end = scope.spawn(|| {
                let domain = Domain::new().unwrap();
                for _ in 0..pins {
                    drop(domain.enter());
                }
                let owner = Box::into_raw(Box::new(Owner(domain.clone(), &ended)));
                retire(&domain, &after, 8);
                // SAFETY: nobody else knows the owner.
                unsafe { domain.retire(owner.cast(), 8, end, std::ptr::null_mut()) }.unwrap();
                retire(&domain, &after, 8);
                domain.flush();
                drop(domain);
            });
            end.join().unwrap();
        });
    }
    assert!(ended.load(Ordering::SeqCst) > 0);
    assert_eq!(after.load(Ordering::SeqCst), 2 * ended.load(Ordering::SeqCst));
}

/// A guard is held too long: the limit's function is told once, then at each doubling; and again after the memory was freed.
#[test]
fn the_limit_tells_when_memory_is_held_back() {
    struct Told {
        calls: std::sync::Mutex<Vec<(usize, u64)>>,
        again: std::sync::OnceLock<Domain>,
        freed: AtomicUsize,
    }
    unsafe extern "C-unwind" fn tell(pending: usize, age: u64, ctx: *mut c_void) {
        // SAFETY: the test passes its `Told`, which outlives the domain.
        let told = unsafe { &*ctx.cast::<Told>() };
        told.calls.lock().unwrap().push((pending, age));
        let domain = told.again.get().unwrap();
        assert_eq!(domain.barrier(LONG), Err(BarrierError::Guarded));
        drop(domain.enter());
        // What it retires itself does not make it call itself.
        for _ in 0..100 {
            retire(domain, &told.freed, 16);
        }
    }
    let told =
        Box::new(Told { calls: Default::default(), again: Default::default(), freed: AtomicUsize::new(0) });
    let ctx = std::ptr::from_ref(&*told).cast_mut().cast();
    const LIMIT: usize = if cfg!(miri) { 4 * 1024 } else { 64 * 1024 };
    // SAFETY: `told` outlives the domain, which it gives up below.
    let domain = unsafe { Domain::with_limit(LIMIT, tell, ctx) }.unwrap();
    told.again.set(domain.clone()).unwrap();
    for round in 1..=2 {
        let guard = domain.enter();
        thread::sleep(Duration::from_millis(10));
        for _ in 0..10 * LIMIT / 256 {
            retire(&domain, &told.freed, 256);
        }
        let calls = std::mem::take(&mut *told.calls.lock().unwrap());
        assert_eq!(
            calls.len(),
            4,
            "round {round}: at one, two, four and eight times the limit, or a little later: {calls:?}"
        );
        assert!(calls[0].0 >= LIMIT && calls[0].0 < LIMIT + 33 * 1024, "{calls:?}");
        assert!(calls.windows(2).all(|pair| pair[1].0 >= 2 * pair[0].0), "{calls:?}");
        assert!(calls.iter().all(|call| call.1 >= 5_000_000), "the guard's age: {calls:?}");
        drop(guard);
        domain.barrier(LONG).unwrap();
        // Notices that little waits, and begins anew.
        for _ in 0..200 {
            retire(&domain, &told.freed, 1);
        }
        domain.barrier(LONG).unwrap();
        assert!(told.calls.lock().unwrap().is_empty());
    }
    let mut told = told;
    drop(domain);
    drop(told.again.take());
}

/// How many blocks one operation may dispose of: what `src/reclaim/mod.rs` promises.
const AT_ONCE: usize = 96;

/// Runs `operation` and says how many blocks were freed meanwhile, on this thread.
fn freed_by(freed: &AtomicUsize, operation: impl FnOnce()) -> usize {
    let before = freed.load(Ordering::SeqCst);
    operation();
    freed.load(Ordering::SeqCst) - before
}

/// However much is due at once, an operation that is not asked to free pays for a share of it, and the operations that
/// follow for the rest.
#[test]
fn no_operation_frees_much_at_once() {
    let freed = AtomicUsize::new(0);
    let domain = Domain::new().unwrap();
    let many = scaled(100_000);
    // One after the other.
    let mut most = 0;
    for _ in 0..many {
        most = most.max(freed_by(&freed, || retire(&domain, &freed, 16)));
    }
    assert!(most > 0 && most <= AT_ONCE, "a retirement freed {most} blocks");
    // All of them at once, after a guard is left that held them back.
    for sessions in [false, true] {
        let (entered, is_entered) = mpsc::channel();
        let (leave, may_leave) = mpsc::channel::<()>();
        thread::scope(|scope| {
            let domain = &domain;
            let holder = scope.spawn(move || {
                let guard = domain.enter();
                entered.send(()).unwrap();
                may_leave.recv().unwrap();
                drop(guard);
            });
            is_entered.recv().unwrap();
            for _ in 0..many {
                retire(domain, &freed, 16);
            }
            assert!(domain.stats().pending_objects >= many);
            leave.send(()).unwrap();
            holder.join().unwrap();
        });
        let mut most = 0;
        let mut operations = 0;
        let mut guard = sessions.then(|| domain.enter());
        while domain.stats().pending_objects > 64 * 8 {
            operations += 1;
            let freed_now = match (operations % 3, &mut guard) {
                (0, Some(guard)) => freed_by(&freed, || guard.refresh()),
                (0, None) => freed_by(&freed, || drop(domain.enter())),
                _ => freed_by(&freed, || retire(&domain, &freed, 16)),
            };
            most = most.max(freed_now);
            assert!(operations <= 2 * many, "{} blocks wait", domain.stats().pending_objects);
        }
        drop(guard);
        assert!(most > 0 && most <= AT_ONCE, "an operation freed {most} blocks, sessions: {sessions}");
    }
    domain.barrier(LONG).unwrap();
    assert_eq!(domain.stats().pending_objects, 0);
}

/// A flush frees all that is ready, whatever the share of an operation is, in steps of the clock that do not depend on it.
#[test]
fn a_flush_frees_all_that_is_ready() {
    let freed = AtomicUsize::new(0);
    let domain = Domain::new().unwrap();
    let many = 64 * 16;
    let guard = domain.enter();
    for _ in 0..many {
        retire(&domain, &freed, 16);
    }
    drop(guard);
    for _ in 0..4 {
        domain.flush();
    }
    assert_eq!(freed.load(Ordering::SeqCst), many);
}

/// A destructor that stops for ever in the middle of its share holds back that share: others dispose of the rest.
#[test]
fn a_destructor_that_stops_holds_back_its_share() {
    struct Stops {
        freed: AtomicUsize,
        stopped: mpsc::Sender<()>,
        go_on: std::sync::Mutex<mpsc::Receiver<()>>,
        first: std::sync::atomic::AtomicBool,
    }
    unsafe extern "C-unwind" fn stop_once(_ptr: *mut c_void, ctx: *mut c_void) {
        // SAFETY: `stops` below outlives the domain.
        let stops = unsafe { &*ctx.cast::<Stops>() };
        if stops.first.swap(false, Ordering::SeqCst) {
            stops.stopped.send(()).unwrap();
            stops.go_on.lock().unwrap().recv().unwrap();
        }
        stops.freed.fetch_add(1, Ordering::SeqCst);
    }
    let (stopped, has_stopped) = mpsc::channel();
    let (go, go_on) = mpsc::channel();
    let stops = Stops {
        freed: AtomicUsize::new(0),
        stopped,
        go_on: std::sync::Mutex::new(go_on),
        first: std::sync::atomic::AtomicBool::new(true),
    };
    let domain = Domain::new().unwrap();
    let ctx = std::ptr::from_ref(&stops).cast_mut().cast();
    let many = scaled(10_000);
    let guard = domain.enter();
    for _ in 0..many {
        // SAFETY: the call uses `ctx` only.
        unsafe { domain.retire(std::ptr::null_mut(), 16, stop_once, ctx) }.unwrap();
    }
    drop(guard);
    thread::scope(|scope| {
        scope.spawn(|| {
            while stops.first.load(Ordering::SeqCst) {
                domain.flush();
            }
        });
        has_stopped.recv().unwrap();
        // What is sealed already is freed although a pin is held: only what is not waits for that.
        for _ in 0..1_000 {
            domain.flush();
        }
        let ready = stops.freed.load(Ordering::SeqCst);
        go.send(()).unwrap();
        assert!(ready + AT_ONCE >= 64 * 16 || ready + AT_ONCE >= many, "{ready} of {many} freed");
    });
    domain.barrier(LONG).unwrap();
    assert_eq!(stops.freed.load(Ordering::SeqCst), many);
}
