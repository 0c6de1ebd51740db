//! What a thread keeps of the domains it uses.
//!
//! Each thread has, for each domain it used, a [`Handle`]: its registration with the domain's collector and its record
//! in the domain. Handles live in thread-local storage; the one used last is found with one look. A thread that ends
//! gives them back. Code that runs after that (destructors of other thread-locals, C++ `thread_local` objects among
//! them) gets handles that last as long as its outermost pin: see [`Late`].
//!
//! Nothing here is shared between threads but the record, whose fields one thread writes and all may read.

mod handle;
#[cfg(all(test, not(loom)))]
mod tests;

use core::cell::{Cell, RefCell};
use core::ptr;

use self::handle::Handle;
pub(super) use self::handle::{ThreadRecord, give_back};
use super::domain::{Domain, Shared};
use super::limbo::Disposing;
use super::pinned::Pinned;
use crate::mem::Record;
use crate::sync::thread_local;

struct Thread {
    #[expect(clippy::vec_box, reason = "`Last` points at a handle, so handles must not move")]
    handles: RefCell<Vec<Box<Handle>>>,
    /// Whether `Last` may point at its handles: not if they end with a pin, which nobody counts who finds them there.
    lasts: bool,
}

impl Drop for Thread {
    fn drop(&mut self) {
        // Before the handles go: their end can run deferred calls, which then find no handle here.
        // Only in a model can `LASTING` be gone by now, and then nobody looks there any more.
        let _ = LASTING.try_with(|lasting| lasting.last.domain.set(ptr::null()));
    }
}

impl Thread {
    const fn new(lasts: bool) -> Self {
        Self { handles: RefCell::new(Vec::new()), lasts }
    }

    fn pin(&self, domain: &Domain) -> Pinned {
        // SAFETY: a boxed handle of the list; only a `find` of this thread removes handles, and only those of domains
        // that ended, which this one has not: the caller holds it.
        unsafe { &*self.find(domain) }.pin(domain.shared())
    }

    /// The handle of the domain, an old or a new one; it is then the last used. It stays where it is as long as the domain.
    fn find(&self, domain: &Domain) -> *const Handle {
        let shared = domain.shared();
        let (handle, dead) = {
            let mut handles = self.handles.borrow_mut();
            let dead: Vec<_> = handles.extract_if(.., |handle| handle.shared.has_ended()).collect();
            let at = handles.iter().position(|handle| handle.is_of(shared) && handle.is_present());
            let at = at.unwrap_or_else(|| {
                let before =
                    handles.iter().find(|handle| handle.is_of(shared) && handle.outlived.get().is_none());
                let handle = before.map_or_else(|| Handle::new(domain), |before| before.again(domain));
                handles.push(Box::new(handle));
                handles.len() - 1
            });
            let holds = shared.is_held_by(id())
                && handles
                    .iter()
                    .any(|handle| handle.is_of(shared) && !handle.is_present() && handle.local.is_pinned());
            if !holds {
                shared.let_go(id());
                if self.lasts {
                    LASTING.with(|lasting| lasting.last.set(&handles[at]));
                }
            }
            (&raw const *handles[at], dead)
        };
        // Not while the list is borrowed: ending a registration can run deferred calls, and they can come back here.
        // `last` may then be another domain's, so it is not asked again.
        drop(dead);
        handle
    }

    /// Ends the pin of the `open`th session that has no guard, if that was begun in an earlier era.
    #[cfg(all(feature = "capi", not(loom)))]
    fn end_old_lock(&self, shared: &Shared, open: usize) -> bool {
        let handles = self.handles.borrow();
        // The oldest first.
        let mut of_domain = handles.iter().filter(|handle| handle.is_of(shared));
        let Some(old) = of_domain.find(|handle| handle.outlived.get().is_some_and(|locks| locks >= open))
        else {
            return false;
        };
        // Nested, so it does nothing but count.
        let pin = old.local.pin();
        // SAFETY: stands for the pin that was forgotten when the session began: pins of one registration are all alike.
        drop(unsafe { ptr::read(&raw const pin) });
        true
    }

    /// Whether this thread has a pin of the domain.
    fn is_pinned(&self, shared: &Shared) -> bool {
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
/// The handle is in the list of this thread's [`Thread`], never of its [`Late`] one: whoever takes a handle out of the list
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
    static THREAD: Thread = const { Thread::new(true) };
    static LASTING: Lasting = const { Lasting::new() };
}

#[cfg(loom)]
thread_local! {
    static THREAD: Thread = Thread::new(true);
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

/// Pins the domain.
#[inline]
pub(super) fn pin(domain: &Domain) -> Pinned {
    let shared: &Shared = domain.shared();
    let last =
        LASTING.with(|lasting| ptr::eq(lasting.last.domain.get(), shared).then(|| lasting.last.handle.get()));
    let Some(handle) = last else { return find_pin(domain) };
    // SAFETY: in a list of this thread's (see `Last`), which only this thread changes.
    unsafe { &*handle }.pin(shared)
}

#[cold]
fn find_pin(domain: &Domain) -> Pinned {
    THREAD.try_with(|thread| thread.pin(domain)).unwrap_or_else(|_| late_pin(domain))
}

/// This thread looks for its handles again, as if for the first time.
#[cfg(all(unix, not(any(miri, loom))))]
pub(super) fn forget_last() {
    LASTING.with(|lasting| lasting.last.domain.set(ptr::null()));
}

/// See [`Thread::end_old_lock`].
#[cfg(all(feature = "capi", not(loom)))]
#[cold]
pub(super) fn end_old_lock(shared: &Shared, open: usize) -> bool {
    THREAD.try_with(|thread| thread.end_old_lock(shared, open)).unwrap_or(false)
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
        unsafe { (*self.record).index() }
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
            let handle = thread.find(domain);
            // SAFETY: as in `Thread::pin`.
            let record = unsafe { (*handle).record };
            Member { record, stray: ptr::null_mut() }
        })
        .unwrap_or_else(|_| stray_member(domain))
}

#[cold]
fn stray_member(domain: &Domain) -> Member {
    let handle = Box::new(Handle::new(domain));
    Member { record: handle.record, stray: Box::into_raw(handle) }
}

/// Whether the calling thread has a pin of the domain: a session, or an operation further up its stack that runs
/// deferred calls.
pub(super) fn is_pinned(shared: &Shared) -> bool {
    THREAD.try_with(|thread| thread.is_pinned(shared)).unwrap_or_else(|_| {
        let late = LASTING.with(|lasting| lasting.late.get());
        // SAFETY: null, or alive until its last pin ends, which this thread does.
        unsafe { late.as_ref() }.is_some_and(|late| late.thread.is_pinned(shared))
    })
}

/// A pin for a thread whose thread-local storage is gone.
#[cold]
fn late_pin(domain: &Domain) -> Pinned {
    let late = LASTING.with(|lasting| {
        if lasting.late.get().is_null() {
            let late = Box::new(Late { thread: Thread::new(false), pins: Cell::new(0) });
            lasting.late.set(Box::into_raw(late));
        }
        lasting.late.get()
    });
    // SAFETY: it lives until its last pin ends, and the next line counts this one.
    let late = unsafe { &*late };
    late.pins.set(late.pins.get() + 1);
    late.thread.pin(domain).made_late()
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
