//! Who pays for disposal, and how much: an operation a share, a flush for all that is ready, nobody for a destructor that
//! stops.

use std::ffi::c_void;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use conex::Domain;

use super::common::scaled;
use super::{LONG, retire};

/// How many blocks one operation may dispose of: what `src/reclaim/mod.rs` promises.
const AT_ONCE: usize = 96;

/// Runs `operation` and says how many blocks were freed meanwhile, on this thread.
fn freed_by(freed: &AtomicUsize, operation: impl FnOnce()) -> usize {
    let before = freed.load(Ordering::SeqCst);
    operation();
    freed.load(Ordering::SeqCst) - before
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
