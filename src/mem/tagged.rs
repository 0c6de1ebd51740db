//! Heap blocks that say what they are, for handles that come back from a language that cannot promise to keep them.
//!
//! A handle of the C layer is a pointer to such a block. Before it is used, its first word is compared with the number
//! of the kind that is expected; a handle of another kind, a destroyed one, or a pointer to something else does not
//! have it. A destroyed block is not freed at once but waits behind the next [`QUARANTINE`] destroyed ones, so that
//! using it again is found out rather than undefined, in most cases. It cannot be in all: memory that is not ours may
//! hold anything.

use core::alloc::Layout;
use core::ptr::{self, NonNull};

use super::NoMemory;
use crate::sync::{AtomicU64, Ordering};

/// What stands before every handle's value.
#[repr(C)]
struct Header {
    /// The kind; [`DEAD`] once destroyed.
    tag: AtomicU64,
    layout: Layout,
}

/// A value behind a tag.
#[repr(C)]
pub(crate) struct Tagged<T> {
    header: Header,
    value: T,
}

/// Why a handle cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadHandle {
    /// It is null.
    Null,
    /// It is not a live handle of the kind.
    Foreign,
}

const DEAD: u64 = 0xDEAD_0000_0000_0000;

impl<T> Tagged<T> {
    /// A new block around `value`, as a pointer.
    pub(crate) fn new(tag: u64, value: T) -> Result<*mut Self, NoMemory> {
        let layout = Layout::new::<Self>();
        // SAFETY: the layout has a size: it holds a header.
        let block = unsafe { std::alloc::alloc(layout) }.cast::<Self>();
        if block.is_null() {
            return Err(NoMemory);
        }
        // SAFETY: fresh memory of the layout of `Self`.
        unsafe { block.write(Self { header: Header { tag: AtomicU64::new(tag), layout }, value }) };
        Ok(block)
    }

    /// The value behind `handle`, if it is a live handle of kind `tag`.
    ///
    /// # Safety
    /// `handle` is null, or points to readable memory, and is not destroyed during `'a`.
    #[inline]
    pub(crate) unsafe fn get<'a>(handle: *const Self, tag: u64) -> Result<&'a T, BadHandle> {
        if handle.is_null() {
            return Err(BadHandle::Null);
        }
        if !handle.is_aligned() {
            return Err(BadHandle::Foreign);
        }
        // SAFETY: not null, aligned, and readable by the caller's promise.
        let found = unsafe { &(*handle).header.tag };
        // Relaxed: a check of identity. The caller got the handle by means that ordered its making.
        if found.load(Ordering::Relaxed) != tag {
            return Err(BadHandle::Foreign);
        }
        // SAFETY: the tag says that this is a live `Tagged<T>`.
        Ok(unsafe { &(*handle).value })
    }

    /// Takes the value out for good: `ready` may refuse, and then nothing happens.
    ///
    /// # Safety
    /// As [`Tagged::get`]; and nobody else uses the handle.
    pub(crate) unsafe fn destroy<E: From<BadHandle>>(
        handle: *mut Self,
        tag: u64,
        ready: impl FnOnce(&T) -> Result<(), E>,
    ) -> Result<T, E> {
        // SAFETY: the caller's promise.
        let value: *const T = unsafe { Self::get(handle, tag) }?;
        // SAFETY: live, as `get` found.
        ready(unsafe { &*value })?;
        // SAFETY: as above.
        let found = unsafe { &(*handle).header.tag };
        // Relaxed: of two threads that destroy one handle (a mistake) at most one goes on; the value's own memory is
        // ordered by whatever told this thread that the others are done.
        if found.compare_exchange(tag, DEAD, Ordering::Relaxed, Ordering::Relaxed).is_err() {
            return Err(BadHandle::Foreign.into());
        }
        // SAFETY: live until now, and ours alone since the exchange.
        let value = unsafe { value.read() };
        quarantine(handle.cast());
        Ok(value)
    }
}

/// The first word of a handle that is part of a larger block, and is not kept in quarantine.
#[cfg(all(feature = "capi", not(loom)))]
#[repr(C)]
pub(crate) struct Mark(AtomicU64);

#[cfg(all(feature = "capi", not(loom)))]
impl Mark {
    pub(crate) fn new(tag: u64) -> Self {
        Self(AtomicU64::new(tag))
    }

    /// Whether `handle` points to a live mark of kind `tag`.
    ///
    /// # Safety
    /// `handle` is null or points to readable memory.
    #[inline]
    pub(crate) unsafe fn check(handle: *const Self, tag: u64) -> Result<(), BadHandle> {
        if handle.is_null() {
            return Err(BadHandle::Null);
        }
        if !handle.is_aligned() {
            return Err(BadHandle::Foreign);
        }
        // SAFETY: not null, aligned, and readable by the caller's promise.
        let found = unsafe { &(*handle).0 };
        // Relaxed: a check of identity, as in `Tagged::get`.
        if found.load(Ordering::Relaxed) == tag { Ok(()) } else { Err(BadHandle::Foreign) }
    }

    /// The handle is not one any more.
    pub(crate) fn end(&self) {
        // Relaxed: as above.
        self.0.store(DEAD, Ordering::Relaxed);
    }
}

/// How many destroyed blocks are kept.
const QUARANTINE: usize = 64;

/// Puts a dead block aside and frees the one that has waited longest.
#[cfg(not(loom))]
fn quarantine(block: *mut Header) {
    use crate::sync::{AtomicPtr, AtomicUsize};
    static WAITING: [AtomicPtr<Header>; QUARANTINE] = [const { AtomicPtr::new(ptr::null_mut()) }; QUARANTINE];
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    // Relaxed: only spreads the blocks over the places.
    let place = NEXT.fetch_add(1, Ordering::Relaxed) % QUARANTINE;
    // AcqRel: Release, so that whoever frees the block sees its tag as dead; Acquire, for the block that comes out.
    let oldest = WAITING[place].swap(block, Ordering::AcqRel);
    free(oldest);
}

/// A model destroys few handles, and has no statics.
#[cfg(loom)]
fn quarantine(block: *mut Header) {
    free(block);
}

fn free(block: *mut Header) {
    let Some(block) = NonNull::new(block) else { return };
    // SAFETY: a dead block that left the quarantine by a swap is this thread's alone; its header is still intact.
    let layout = unsafe { block.as_ref() }.layout;
    // SAFETY: allocated by `Tagged::new` with this layout; its value was read out.
    unsafe { std::alloc::dealloc(block.as_ptr().cast(), layout) };
}

#[cfg(all(test, feature = "capi", not(loom)))]
mod tests {
    use super::*;

    const KIND: u64 = 0x1234;

    /// Of two that destroy one handle, here one in the middle of the other, one succeeds.
    #[test]
    fn a_handle_is_destroyed_once() {
        let handle = Tagged::new(KIND, Box::new(7)).expect("memory");
        // SAFETY: readable; in quarantine once it is destroyed.
        let destroy = |ready: &dyn Fn()| unsafe {
            Tagged::destroy(handle, KIND, |_| {
                ready();
                Ok::<_, BadHandle>(())
            })
        };
        let first = core::cell::Cell::new(None);
        let second = destroy(&|| first.set(destroy(&|| ()).ok()));
        assert_eq!((first.take(), second), (Some(Box::new(7)), Err(BadHandle::Foreign)));
        assert_eq!(destroy(&|| unreachable!("it is dead")), Err(BadHandle::Foreign));
    }

    #[test]
    fn a_refusal_changes_nothing() {
        let handle = Tagged::new(KIND, 7).expect("memory");
        // SAFETY: a live handle.
        let refused = unsafe { Tagged::destroy(handle, KIND, |_| Err(BadHandle::Null)) };
        // SAFETY: as above.
        let value = unsafe { Tagged::get(handle, KIND) };
        assert_eq!((refused, value), (Err(BadHandle::Null), Ok(&7)));
        // SAFETY: as above.
        let taken = unsafe { Tagged::destroy(handle, KIND, |_| Ok::<_, BadHandle>(())) };
        assert_eq!(taken, Ok(7));
    }
}
