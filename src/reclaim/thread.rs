//! What a thread keeps of the domains it uses.
//!
//! Each thread has, for each domain it used, a [`Handle`]: its registration with the domain's collector and its record
//! in the domain. Handles live in thread-local storage; the one used last is found with one look. A thread that ends
//! gives them back. Code that runs after that (destructors of other thread-locals, C++ `thread_local` objects among
//! them) gets a handle for the single pin.
//!
//! Nothing here is shared between threads but the record, whose fields one thread writes and all may read.

use core::cell::{Cell, RefCell};
use core::ptr;

use super::domain::{Domain, Shared};
use super::hazard::Lanes;
use super::pinned::Pinned;
use crate::mem::{Counted, Record};
use crate::sync::{AtomicU64, AtomicUsize, thread_local};

/// What the other threads may know of this one, in one domain. Written by the thread that holds the record.
#[derive(Default)]
pub(super) struct ThreadRecord {
    /// Blocks and bytes that holders of this record have retired, ever.
    pub(super) retired_objects: AtomicUsize,
    pub(super) retired_bytes: AtomicUsize,
    /// Sessions of this thread: how many are open, and since when the oldest (nanoseconds of the domain's clock).
    pub(super) sessions: AtomicUsize,
    pub(super) session_since: AtomicU64,
    /// The blocks that this thread protects without a pin.
    pub(super) lanes: Lanes,
}

/// One thread's membership in one domain.
struct Handle {
    shared: Counted<Shared>,
    // The registration is dropped before this clone of its collector: a registration that is the collector's last
    // reference would free itself in the middle of its own end.
    local: crossbeam_epoch::LocalHandle,
    _collector: crossbeam_epoch::Collector,
    record: *const Record<ThreadRecord>,
}

impl Handle {
    fn new(shared: &Counted<Shared>, collector: &crossbeam_epoch::Collector) -> Self {
        let record: *const _ = shared.threads.take(ThreadRecord::default);
        Self { shared: shared.clone(), local: collector.register(), _collector: collector.clone(), record }
    }

    fn pin(&self) -> Pinned {
        Pinned::new(self.local.pin(), self.record)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: `shared` keeps the registry of records alive.
        let record = unsafe { &*self.record };
        // Whoever takes the record next protects nothing, and until then nothing is held back.
        record.value.lanes.clear();
        record.give_back();
    }
}

struct Thread {
    /// The handle used last, and the domain it belongs to. The pointer is into `handles`, which boxes them.
    last_domain: Cell<*const Shared>,
    last: Cell<*const Handle>,
    /// Its record.
    last_record: Cell<*const Record<ThreadRecord>>,
    #[expect(clippy::vec_box, reason = "`last` points at a handle, so handles must not move")]
    handles: RefCell<Vec<Box<Handle>>>,
    /// Whether deferred calls are running on this thread.
    collecting: Cell<bool>,
}

impl Thread {
    const fn new() -> Self {
        Self {
            last_domain: Cell::new(ptr::null()),
            last: Cell::new(ptr::null()),
            last_record: Cell::new(ptr::null()),
            handles: RefCell::new(Vec::new()),
            collecting: Cell::new(false),
        }
    }
}

#[cfg(not(loom))]
thread_local! {
    static THREAD: Thread = const { Thread::new() };
}

#[cfg(loom)]
thread_local! {
    static THREAD: Thread = Thread::new();
}

/// A number of the calling thread that no other living thread has; 0 when its thread-local storage is gone.
pub(super) fn id() -> usize {
    THREAD.try_with(|thread| ptr::from_ref(thread).addr()).unwrap_or(0)
}

/// Pins the domain that `shared` and `collector` belong to.
#[inline]
pub(super) fn pin(shared: &Counted<Shared>, collector: &crossbeam_epoch::Collector) -> Pinned {
    THREAD
        .try_with(|thread| {
            if ptr::eq(thread.last_domain.get(), &raw const **shared) {
                // SAFETY: `last` belongs to `last_domain`, whose handle is in `handles` (see `find`). The domain's
                // address cannot have been given to another one, because the handle keeps it alive.
                return unsafe { &*thread.last.get() }.pin();
            }
            find(thread, shared, collector)
        })
        .unwrap_or_else(|_| stray(shared, collector))
}

/// The calling thread's record in a domain, for work that needs no pin. Two words, so that it stays in registers.
pub(super) struct Member {
    record: *const Record<ThreadRecord>,
    /// The boxed handle of a thread whose thread-local storage is gone, which ends with the operation; else null.
    stray: *mut Handle,
}

impl Member {
    #[inline(always)]
    pub(super) fn record(&self) -> &ThreadRecord {
        // SAFETY: records live as long as the domain's `Shared`, and the caller's domain keeps that alive.
        let record = unsafe { &*self.record };
        &record.value
    }
}

impl Drop for Member {
    #[inline(always)]
    fn drop(&mut self) {
        #[cold]
        fn end(stray: *mut Handle) {
            // SAFETY: from `Box::into_raw` in `stray_member`, ended once.
            drop(unsafe { Box::from_raw(stray) });
        }
        if !self.stray.is_null() {
            end(self.stray);
        }
    }
}

/// The calling thread's membership in `domain`, whose shared part is at `shared`.
#[inline(always)]
pub(super) fn member(shared: *const Shared, domain: &Domain) -> Member {
    THREAD
        .try_with(|thread| {
            if !ptr::eq(thread.last_domain.get(), shared) {
                let (shared, collector) = domain.parts();
                handle(thread, shared, collector);
            }
            Member { record: thread.last_record.get(), stray: ptr::null_mut() }
        })
        .unwrap_or_else(|_| stray_member(domain))
}

#[cold]
fn stray_member(domain: &Domain) -> Member {
    let (shared, collector) = domain.parts();
    let handle = Box::new(Handle::new(shared, collector));
    Member { record: handle.record, stray: Box::into_raw(handle) }
}

/// A pin with a handle that is not the last one used, or a new one.
#[cold]
fn find(thread: &Thread, shared: &Counted<Shared>, collector: &crossbeam_epoch::Collector) -> Pinned {
    // SAFETY: a boxed handle of the list; only a later `handle` of this thread removes handles, and only those of
    // domains that ended.
    unsafe { &*handle(thread, shared, collector) }.pin()
}

/// A handle that is not the last one used, or a new one; the last one used from now on.
#[cold]
fn handle(
    thread: &Thread,
    shared: &Counted<Shared>,
    collector: &crossbeam_epoch::Collector,
) -> *const Handle {
    let dead = {
        let mut handles = thread.handles.borrow_mut();
        let dead: Vec<_> = handles.extract_if(.., |handle| handle.shared.has_ended()).collect();
        let handle =
            match handles.iter().position(|handle| ptr::eq(&raw const *handle.shared, &raw const **shared)) {
                Some(at) => &handles[at],
                None => {
                    handles.push(Box::new(Handle::new(shared, collector)));
                    &handles[handles.len() - 1]
                }
            };
        thread.last.set(&raw const **handle);
        thread.last_record.set(handle.record);
        thread.last_domain.set(&raw const **shared);
        dead
    };
    // Not while the list is borrowed: ending a registration can run deferred calls, and they can come back here.
    drop(dead);
    thread.last.get()
}

/// A pin for a thread whose thread-local storage is gone.
#[cold]
fn stray(shared: &Counted<Shared>, collector: &crossbeam_epoch::Collector) -> Pinned {
    // The record is given back at once: its counters may then be written by two threads and lose a count, which only
    // the statistics would notice.
    Handle::new(shared, collector).pin()
}

/// Runs deferred calls that are due, unless this is happening already further up this thread's stack: a destructor that
/// retires more must not nest ever deeper.
pub(super) fn collect(guard: &crossbeam_epoch::Guard) {
    struct Done<'a>(&'a Cell<bool>);
    impl Drop for Done<'_> {
        fn drop(&mut self) {
            self.0.set(false);
        }
    }
    let flushed = THREAD.try_with(|thread| {
        if !thread.collecting.replace(true) {
            let _done = Done(&thread.collecting);
            guard.flush();
        }
    });
    if flushed.is_err() {
        guard.flush();
    }
}
