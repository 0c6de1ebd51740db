//! The end of a thread: sessions after its storage is gone, and a domain that ends when the thread gives up its membership.

use std::ffi::c_void;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use conex::{BarrierError, Domain, Options, Stack};

use super::{LONG, retire};

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
