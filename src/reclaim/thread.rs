//! What a thread keeps of the domains it uses.
//!
//! Each thread has, for each domain it used, a [`Handle`]: its registration with the domain's collector and its record
//! in the domain. Handles live in thread-local storage; the one used last is found with one look. A thread that ends
//! gives them back. Code that runs after that (destructors of other thread-locals, C++ `thread_local` objects among
//! them) gets handles that last as long as its outermost pin: see [`Late`].
//!
//! Nothing here is shared between threads but the record, whose fields one thread writes and all may read.

use core::cell::{Cell, RefCell};
use core::ptr;

use super::domain::{Domain, Shared};
use super::hazard::Lanes;
use super::limbo::Disposing;
use super::pinned::Pinned;
use crate::mem::{Counted, Record};
use crate::sync::{AtomicBool, AtomicU64, AtomicUsize, Ordering, thread_local};

/// What the other threads may know of this one, in one domain. Written by the thread that holds the record.
#[derive(Default)]
pub(super) struct ThreadRecord {
    /// Blocks and bytes that holders of this record have retired, ever.
    pub(super) retired_objects: AtomicUsize,
    pub(super) retired_bytes: AtomicUsize,
    /// Sessions of this thread: how many are open, and since when the oldest (nanoseconds of the domain's clock).
    pub(super) sessions: AtomicUsize,
    pub(super) session_since: AtomicU64,
    /// Those among the sessions that no [`Guard`](super::Guard) stands for.
    pub(super) locks: AtomicUsize,
    /// The blocks that this thread protects without a pin.
    pub(super) lanes: Lanes,
    /// The membership ended while a session was open. The end of the last session gives the record back.
    pub(super) orphan: AtomicBool,
    /// Whether deferred calls of the domain are running on this thread.
    pub(super) collecting: AtomicBool,
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

    fn is_of(&self, shared: &Counted<Shared>) -> bool {
        ptr::eq(&raw const *self.shared, &raw const **shared)
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
        // Relaxed, both: only this thread writes them; who gets the record next acquires it from `give_back`.
        if record.value.sessions.load(Ordering::Relaxed) == 0 {
            record.give_back();
        } else {
            record.value.orphan.store(true, Ordering::Relaxed);
        }
    }
}

struct Thread {
    #[expect(clippy::vec_box, reason = "`Last` points at a handle, so handles must not move")]
    handles: RefCell<Vec<Box<Handle>>>,
}

impl Drop for Thread {
    fn drop(&mut self) {
        // Before the handles go: their end can run deferred calls, which then find no handle here.
        // Only in a model can `LASTING` be gone by now, and then nobody looks there any more.
        let _ = LASTING.try_with(|lasting| lasting.last.domain.set(ptr::null()));
    }
}

impl Thread {
    const fn new() -> Self {
        Self { handles: RefCell::new(Vec::new()) }
    }

    fn pin(&self, shared: &Counted<Shared>, collector: &crossbeam_epoch::Collector) -> Pinned {
        // SAFETY: a boxed handle of the list; only a `find` of this thread removes handles, and only those of domains
        // that ended, which this one has not: the caller holds it.
        unsafe { &*self.find(shared, collector) }.pin()
    }

    /// The handle of the domain that `shared` and `collector` belong to, an old or a new one; it is then the last used.
    /// It stays where it is as long as the domain.
    fn find(&self, shared: &Counted<Shared>, collector: &crossbeam_epoch::Collector) -> *const Handle {
        let (handle, dead) = {
            let mut handles = self.handles.borrow_mut();
            let dead: Vec<_> = handles.extract_if(.., |handle| handle.shared.has_ended()).collect();
            let handle = match handles.iter().position(|handle| handle.is_of(shared)) {
                Some(at) => &handles[at],
                None => {
                    handles.push(Box::new(Handle::new(shared, collector)));
                    &handles[handles.len() - 1]
                }
            };
            LASTING.with(|lasting| lasting.last.set(handle));
            (&raw const **handle, dead)
        };
        // Not while the list is borrowed: ending a registration can run deferred calls, and they can come back here.
        // `last` may then be another domain's, so it is not asked again.
        drop(dead);
        handle
    }

    /// Whether this thread has a pin of the domain.
    fn is_pinned(&self, shared: &Counted<Shared>) -> bool {
        self.handles.borrow().iter().any(|handle| handle.is_of(shared) && handle.local.is_pinned())
    }
}

/// The handles of a thread whose thread-local storage is gone. They are made by its first pin and given back with its
/// last one, because nothing would give them back later.
struct Late {
    thread: Thread,
    pins: Cell<usize>,
}

/// The handle used last: its domain, itself, and its record. Null domain: none.
///
/// The handle is in the list of this thread's [`Thread`], or of its [`Late`] one: whoever takes a handle out of a list
/// either sets another one here before (see `find`) or clears this (see `Thread::drop`). So the domain's address cannot
/// have been given to another one, because the handle keeps it alive.
struct Last {
    domain: Cell<*const Shared>,
    handle: Cell<*const Handle>,
    record: Cell<*const Record<ThreadRecord>>,
}

impl Last {
    const fn new() -> Self {
        Self {
            domain: Cell::new(ptr::null()),
            handle: Cell::new(ptr::null()),
            record: Cell::new(ptr::null()),
        }
    }

    fn set(&self, handle: &Handle) {
        self.domain.set(&raw const *handle.shared);
        self.handle.set(handle);
        self.record.set(handle.record);
    }
}

/// What needs no destructor, and so is there until the thread has run all of them, and is found without a look at
/// whether it still is.
struct Lasting {
    last: Last,
    late: Cell<*const Late>,
    /// The innermost chain that this thread is disposing of.
    disposing: Cell<*const Disposing>,
}

impl Lasting {
    const fn new() -> Self {
        Self { last: Last::new(), late: Cell::new(ptr::null()), disposing: Cell::new(ptr::null()) }
    }
}

#[cfg(not(loom))]
thread_local! {
    static THREAD: Thread = const { Thread::new() };
    static LASTING: Lasting = const { Lasting::new() };
}

#[cfg(loom)]
thread_local! {
    static THREAD: Thread = Thread::new();
    static LASTING: Lasting = Lasting::new();
}

/// A number of the calling thread that no other living thread has.
pub(super) fn id() -> usize {
    LASTING.with(|lasting| ptr::from_ref(lasting).addr())
}

/// The innermost chain that this thread is disposing of; null if none.
pub(super) fn disposing() -> *const Disposing {
    LASTING.with(|lasting| lasting.disposing.get())
}

pub(super) fn set_disposing(disposing: *const Disposing) {
    LASTING.with(|lasting| lasting.disposing.set(disposing));
}

/// Pins the domain that `shared` and `collector` belong to.
#[inline]
pub(super) fn pin(shared: &Counted<Shared>, collector: &crossbeam_epoch::Collector) -> Pinned {
    let last = LASTING.with(|lasting| {
        ptr::eq(lasting.last.domain.get(), &raw const **shared).then(|| lasting.last.handle.get())
    });
    let Some(handle) = last else { return find_pin(shared, collector) };
    // SAFETY: in a list of this thread's (see `Last`), which only this thread changes.
    unsafe { &*handle }.pin()
}

#[cold]
fn find_pin(shared: &Counted<Shared>, collector: &crossbeam_epoch::Collector) -> Pinned {
    THREAD.try_with(|thread| thread.pin(shared, collector)).unwrap_or_else(|_| late_pin(shared, collector))
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

    /// The record's number: small, and no other thread's while this membership lasts.
    #[inline(always)]
    pub(super) fn index(&self) -> usize {
        // SAFETY: as above.
        unsafe { (*self.record).index }
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
    let last =
        LASTING.with(|lasting| ptr::eq(lasting.last.domain.get(), shared).then(|| lasting.last.record.get()));
    last.map_or_else(|| find_member(domain), |record| Member { record, stray: ptr::null_mut() })
}

#[cold]
fn find_member(domain: &Domain) -> Member {
    THREAD
        .try_with(|thread| {
            let (shared, collector) = domain.parts();
            let handle = thread.find(shared, collector);
            // SAFETY: as in `Thread::pin`.
            let record = unsafe { (*handle).record };
            Member { record, stray: ptr::null_mut() }
        })
        .unwrap_or_else(|_| stray_member(domain))
}

#[cold]
fn stray_member(domain: &Domain) -> Member {
    let (shared, collector) = domain.parts();
    let handle = Box::new(Handle::new(shared, collector));
    Member { record: handle.record, stray: Box::into_raw(handle) }
}

/// Whether the calling thread has a pin of the domain: a session, or an operation further up its stack that runs
/// deferred calls.
pub(super) fn is_pinned(shared: &Counted<Shared>) -> bool {
    THREAD.try_with(|thread| thread.is_pinned(shared)).unwrap_or_else(|_| {
        let late = LASTING.with(|lasting| lasting.late.get());
        // SAFETY: null, or alive until its last pin ends, which this thread does.
        unsafe { late.as_ref() }.is_some_and(|late| late.thread.is_pinned(shared))
    })
}

/// A pin for a thread whose thread-local storage is gone.
#[cold]
fn late_pin(shared: &Counted<Shared>, collector: &crossbeam_epoch::Collector) -> Pinned {
    let late = LASTING.with(|lasting| {
        if lasting.late.get().is_null() {
            let late = Box::new(Late { thread: Thread::new(), pins: Cell::new(0) });
            lasting.late.set(Box::into_raw(late));
        }
        lasting.late.get()
    });
    // SAFETY: it lives until its last pin ends, and the next line counts this one.
    let late = unsafe { &*late };
    late.pins.set(late.pins.get() + 1);
    late.thread.pin(shared, collector).made_late()
}

/// A pin of [`late_pin`] has ended.
#[cold]
pub(super) fn end_late_pin() {
    let last = LASTING.with(|lasting| {
        // SAFETY: the pin that ended kept it alive until now.
        let late = unsafe { &*lasting.late.get() };
        late.pins.set(late.pins.get() - 1);
        (late.pins.get() == 0).then(|| lasting.late.replace(ptr::null()))
    });
    if let Some(late) = last {
        // SAFETY: from `Box::into_raw` in `late_pin`, and taken out of its place by its last user. Ending its
        // registrations can run deferred calls, whose pins make another one.
        drop(unsafe { Box::from_raw(late.cast_mut()) });
    }
}
