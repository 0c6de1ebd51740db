//! Objects of a structure of the test's own, which are retired, and notice when they are used after their end.

use std::ffi::c_void;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use conex::Node;

const LIVE: u64 = 0x11FE_11FE_11FE_11FE;

pub(crate) struct Object {
    live: u64,
    node: Node,
}

/// How many were made and freed, and what was seen to be wrong.
#[derive(Default)]
pub(crate) struct Ends {
    made: AtomicU64,
    freed: AtomicU64,
    fault: Mutex<Option<&'static str>>,
}

impl Ends {
    /// A few bytes a case, which are never given back: the callback may run at any time.
    pub(crate) fn new() -> &'static Self {
        Box::leak(Box::default())
    }

    /// What `Ends::free` wants to be called with.
    pub(crate) fn ctx(&'static self) -> *mut c_void {
        std::ptr::from_ref(self).cast_mut().cast()
    }

    pub(crate) fn object(&self) -> *mut Object {
        self.made.fetch_add(1, Ordering::SeqCst);
        Box::into_raw(Box::new(Object { live: LIVE, node: Node::new() }))
    }

    /// The room for its retirement.
    pub(crate) fn node(object: *mut Object) -> *mut Node {
        // SAFETY: a live object.
        unsafe { &raw mut (*object).node }
    }

    /// Looks at an object that must not have been freed, or at null.
    pub(crate) fn look(&self, object: *mut Object) {
        // SAFETY: null, or what is being tested: memory that is there.
        if unsafe { object.as_ref() }.is_some_and(|object| object.live != LIVE) {
            self.fail("a protected object was freed");
        }
    }

    fn fail(&self, text: &'static str) {
        self.fault.lock().unwrap().get_or_insert(text);
    }

    /// To be called when an object is due.
    pub(crate) unsafe extern "C-unwind" fn free(object: *mut c_void, ctx: *mut c_void) {
        // SAFETY: from `ctx`, so it lives for ever.
        let ends = unsafe { &*ctx.cast::<Self>() };
        let object = object.cast::<Object>();
        // SAFETY: called once, and nobody else uses the object; if it was called before, its memory has been spoiled.
        if std::mem::replace(unsafe { &mut (*object).live }, 0) != LIVE {
            return ends.fail("an object was freed twice, or was none");
        }
        // SAFETY: from `object`.
        drop(unsafe { Box::from_raw(object) });
        ends.freed.fetch_add(1, Ordering::SeqCst);
    }

    /// After all: every object has been freed, once, and none too early.
    pub(crate) fn verify(&self) -> Result<(), String> {
        if let Some(fault) = *self.fault.lock().unwrap() {
            return Err(fault.into());
        }
        let (made, freed) = (self.made.load(Ordering::SeqCst), self.freed.load(Ordering::SeqCst));
        if made == freed { Ok(()) } else { Err(format!("{made} objects made, {freed} freed")) }
    }
}
