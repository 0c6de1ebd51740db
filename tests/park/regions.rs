//! Sessions without a guard, the regions of read-copy-update: what was reachable when one began stays until it ends.

use std::ptr::null_mut;
use std::sync::atomic::Ordering;
use std::time::Duration;

use conex::ffi::domain::*;
use conex::ffi::domain_retire::*;
use conex::ffi::guard::*;
use conex::ffi::status::conex_status::*;
use conex::park::AtomicPtr;

use crate::driver::{Subject, Suite, Where, Worker};
use crate::object::{Ends, Object};

const CELLS: usize = 2;

const OPERATIONS: &[&str] =
    &["read", "read, nested", "read, guard inside", "replace", "replace, in node", "take", "flush"];

struct OfRegions {
    domain: *mut conex_domain,
    cells: [AtomicPtr<Object>; CELLS],
    ends: &'static Ends,
}

// SAFETY: a handle of C, and objects that are retired to it.
unsafe impl Send for OfRegions {}
// SAFETY: as above.
unsafe impl Sync for OfRegions {}

impl OfRegions {
    fn new(retired: usize) -> Self {
        let ends = Ends::new();
        let mut domain = null_mut();
        assert_eq!(unsafe { conex_domain_new(std::ptr::null(), &mut domain) }, CONEX_OK);
        let this = Self { domain, cells: std::array::from_fn(|_| AtomicPtr::new(ends.object())), ends };
        for _ in 0..retired {
            this.retire(ends.object());
        }
        this
    }

    fn retire(&self, object: *mut Object) {
        if !object.is_null() {
            let size = size_of::<Object>();
            let (free, ctx) = (Some(Ends::free as _), self.ends.ctx());
            assert_eq!(unsafe { conex_domain_retire(self.domain, object.cast(), size, free, ctx) }, CONEX_OK);
        }
    }

    fn retire_in(&self, object: *mut Object) {
        if !object.is_null() {
            let (node, size) = (Ends::node(object).cast(), size_of::<Object>());
            let (free, ctx) = (Some(Ends::free as _), self.ends.ctx());
            let status =
                unsafe { conex_domain_retire_node(self.domain, node, object.cast(), size, free, ctx) };
            assert_eq!(status, CONEX_OK);
        }
    }

    fn region(&self, read: impl FnOnce()) {
        assert_eq!(unsafe { conex_domain_lock(self.domain) }, CONEX_OK);
        read();
        assert_eq!(unsafe { conex_domain_unlock(self.domain) }, CONEX_OK);
    }
}

impl Subject for OfRegions {
    fn run(&self, worker: &mut Worker, operation: usize) {
        let cell = &self.cells[worker.below(CELLS as u64) as usize];
        // Acquire: the object as it was made.
        let load = || cell.load(Ordering::Acquire);
        // AcqRel: publishes the new object, and the old one is the caller's.
        let replace = |object| cell.swap(object, Ordering::AcqRel);
        // Between two looks at one object the thread may be parked: at the load that is one.
        let look_twice = |object| {
            self.ends.look(object);
            load();
            self.ends.look(object);
        };
        match OPERATIONS[operation] {
            "read" => self.region(|| look_twice(load())),
            "read, nested" => self.region(|| {
                let object = load();
                self.region(|| look_twice(load()));
                look_twice(object);
            }),
            "read, guard inside" => self.region(|| {
                let (object, mut guard) = (load(), null_mut());
                assert_eq!(unsafe { conex_guard_enter(self.domain, &mut guard) }, CONEX_OK);
                look_twice(load());
                assert_eq!(unsafe { conex_guard_refresh(guard) }, CONEX_OK);
                assert_eq!(unsafe { conex_guard_leave(guard) }, CONEX_OK);
                look_twice(object);
            }),
            "replace" => self.retire(replace(self.ends.object())),
            "replace, in node" => self.retire_in(replace(self.ends.object())),
            "take" => self.retire_in(replace(null_mut())),
            "flush" => assert_eq!(unsafe { conex_domain_flush(self.domain) }, CONEX_OK),
            other => unreachable!("{other}"),
        }
    }

    fn verify(&self, _workers: &[Worker]) -> Result<(), String> {
        for cell in &self.cells {
            // AcqRel: as in `run`.
            self.retire(cell.swap(null_mut(), Ordering::AcqRel));
        }
        // Not busy: every region has ended.
        let status = unsafe { conex_domain_destroy(self.domain) };
        if status != CONEX_OK {
            return Err(format!("the domain's end: {status:?}"));
        }
        self.ends.verify()
    }
}

pub(crate) fn suites() -> Vec<Suite> {
    let suite = |name: &str, retired, beside: Option<&'static str>| Suite {
        name: name.to_string(),
        operations: OPERATIONS,
        victims: None,
        beside: beside.map(|operation| (operation, Where::Each)),
        make: Box::new(move |_| Box::new(OfRegions::new(retired))),
        watchdog: Duration::from_secs(20),
    };
    vec![
        suite("regions", 0, None),
        // The next retirement completes a batch.
        suite("regions, 63 retired", 63, None),
        suite("regions, beside a parked read", 0, Some("read")),
        suite("regions, beside a parked replace", 63, Some("replace")),
    ]
}
