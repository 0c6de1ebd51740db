//! Hazard pointers: what one of them protects stays, whoever stands still, and what waits is bounded.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use conex::park::AtomicPtr;
use conex::{Domain, HazardPointer};

use crate::driver::{Subject, Suite, Where, Worker};
use crate::object::{Ends, Object};

const CELLS: usize = 2;
/// Hazard pointers that are there throughout, one a worker, and with those that operations make.
const WORKERS: usize = 5;
const MOST: usize = WORKERS + 3;

const OPERATIONS: &[&str] = &[
    "protect",
    "try_protect",
    "reset",
    "reset_to",
    "make and drop",
    "replace",
    "replace, in node",
    "take",
    "flush",
    "barrier",
];

/// What a worker protects, and with what; nobody else takes its lock.
struct Reader {
    hazard: HazardPointer,
    seen: *mut Object,
}

// SAFETY: the object is looked at by whoever has the reader's lock, while it is protected.
unsafe impl Send for Reader {}

struct OfHazard {
    domain: Mutex<Option<Arc<Domain>>>,
    cells: [AtomicPtr<Object>; CELLS],
    readers: Mutex<Vec<Arc<Mutex<Reader>>>>,
    most: AtomicUsize,
    ends: &'static Ends,
}

impl OfHazard {
    fn new(retired: usize) -> Self {
        let domain = Domain::new().unwrap();
        let reader = || {
            let reader = Reader { hazard: domain.hazard_pointer().unwrap(), seen: std::ptr::null_mut() };
            Arc::new(Mutex::new(reader))
        };
        let ends = Ends::new();
        let this = Self {
            readers: Mutex::new((0..WORKERS).map(|_| reader()).collect()),
            cells: std::array::from_fn(|_| AtomicPtr::new(ends.object())),
            most: AtomicUsize::new(0),
            ends,
            domain: Mutex::new(Some(Arc::new(domain))),
        };
        for _ in 0..retired {
            this.retire(&this.domain(), ends.object());
        }
        this
    }

    fn domain(&self) -> Arc<Domain> {
        self.domain.lock().unwrap().clone().expect("there until the end")
    }

    /// Retires what has been unlinked, or null.
    fn retire(&self, domain: &Domain, object: *mut Object) {
        if !object.is_null() {
            // SAFETY: unlinked by the caller; `free` uses the object and what lives for ever.
            unsafe {
                domain.retire_hazardous(object.cast(), size_of::<Object>(), Ends::free, self.ends.ctx())
            }
            .unwrap();
        }
    }

    /// As `retire`, in the object's own room.
    fn retire_in(&self, domain: &Domain, object: *mut Object) {
        if !object.is_null() {
            let (node, size) = (Ends::node(object), size_of::<Object>());
            // SAFETY: as in `retire`; the node is the object's.
            unsafe { domain.retire_hazardous_in(node, object.cast(), size, Ends::free, self.ends.ctx()) };
        }
    }
}

impl Subject for OfHazard {
    fn run(&self, worker: &mut Worker, operation: usize) {
        let domain = self.domain();
        let reader = self.readers.lock().unwrap()[worker.id as usize].clone();
        let mut reader = reader.lock().unwrap();
        // It has been protected since the worker's operation before this one.
        self.ends.look(reader.seen);
        let cell = &self.cells[worker.below(CELLS as u64) as usize];
        // AcqRel: publishes the new object, and the old one is the caller's.
        let replace = |object| cell.swap(object, Ordering::AcqRel);
        match OPERATIONS[operation] {
            "protect" => reader.seen = reader.hazard.protect(cell),
            "try_protect" => {
                // Relaxed: only compared.
                let wanted = cell.load(Ordering::Relaxed);
                let seen = reader.hazard.try_protect(wanted, cell);
                reader.seen = seen.map_or(std::ptr::null_mut(), |()| wanted);
            }
            "reset" => {
                reader.seen = std::ptr::null_mut();
                reader.hazard.reset();
            }
            "reset_to" => {
                // Protected before it is shared, and so after it is retired.
                let object = self.ends.object();
                reader.hazard.reset_to(object);
                reader.seen = object;
                self.retire(&domain, replace(object));
            }
            "make and drop" => {
                let mut hazard = domain.hazard_pointer().unwrap();
                self.ends.look(hazard.protect(cell));
            }
            "replace" => self.retire(&domain, replace(self.ends.object())),
            "replace, in node" => self.retire_in(&domain, replace(self.ends.object())),
            "take" => self.retire_in(&domain, replace(std::ptr::null_mut())),
            "flush" => domain.flush(),
            // It may wait, for others that are at work: here it looks once.
            "barrier" => drop(domain.barrier(Duration::ZERO)),
            other => unreachable!("{other}"),
        }
        self.ends.look(reader.seen);
    }

    /// However long the others go on, what waits stays bounded.
    fn demand(&self, _worker: &mut Worker) {
        let domain = self.domain();
        for _ in 0..300 {
            self.retire(&domain, self.ends.object());
            self.most.fetch_max(domain.stats().pending_objects, Ordering::SeqCst);
        }
    }

    fn verify(&self, _workers: &[Worker]) -> Result<(), String> {
        let domain = self.domain.lock().unwrap().take().expect("there until now");
        for reader in std::mem::take(&mut *self.readers.lock().unwrap()) {
            self.ends.look(reader.lock().unwrap().seen);
        }
        for cell in &self.cells {
            // AcqRel: as in `run`.
            self.retire(&domain, cell.swap(std::ptr::null_mut(), Ordering::AcqRel));
        }
        domain.barrier(Duration::from_secs(20)).map_err(|error| format!("barrier: {error}"))?;
        self.ends.verify()?;
        // With two parked threads, each in the middle of a retirement.
        let (most, bound) = (self.most.load(Ordering::SeqCst), 3 * (64 + 2 * MOST + WORKERS));
        if most <= bound { Ok(()) } else { Err(format!("{most} objects waited, more than {bound}")) }
    }
}

pub(crate) fn suites() -> Vec<Suite> {
    let suite = |name: &str, retired, beside: Option<&'static str>| Suite {
        name: name.to_string(),
        operations: OPERATIONS,
        victims: None,
        beside: beside.map(|operation| (operation, Where::Each)),
        make: Box::new(move |_| Box::new(OfHazard::new(retired))),
        watchdog: Duration::from_secs(20),
    };
    // The next retirement looks at all hazard pointers, and at all that has been retired: hundreds of steps.
    let before_a_scan = Suite {
        victims: Some(&["replace", "flush"]),
        ..suite("hazard pointers, before a scan", 64 + 2 * WORKERS - 1, None)
    };
    vec![
        suite("hazard pointers", 0, None),
        before_a_scan,
        suite("hazard pointers, beside a parked protect", 0, Some("protect")),
        suite("hazard pointers, beside a parked replace", 0, Some("replace")),
        suite("hazard pointers, beside a parked flush", 2, Some("flush")),
    ]
}
