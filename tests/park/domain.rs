//! Domains and guards: what is retired is freed, once, whoever stands still.

use std::ffi::c_void;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use conex::Domain;

use crate::driver::{Subject, Suite, Worker};

const DOMAIN: &[&str] =
    &["retire", "enter and leave", "refresh", "nested guards", "flush", "barrier", "stats"];

struct OfDomain {
    domain: Mutex<Option<Arc<Domain>>>,
    retired: AtomicU64,
    freed: &'static AtomicU64,
}

unsafe extern "C-unwind" fn count(_ptr: *mut c_void, ctx: *mut c_void) {
    // SAFETY: a counter that lives for ever.
    unsafe { &*ctx.cast::<AtomicU64>() }.fetch_add(1, Ordering::SeqCst);
}

impl OfDomain {
    fn new(worker: &mut Worker, retired: usize) -> Self {
        let this = Self {
            domain: Mutex::new(Some(Arc::new(Domain::new().unwrap()))),
            retired: AtomicU64::new(0),
            // A few bytes a case, which are never given back: the callback may run at any time.
            freed: Box::leak(Box::default()),
        };
        for _ in 0..retired {
            this.run(worker, 0);
        }
        this
    }
}

impl Subject for OfDomain {
    fn run(&self, _worker: &mut Worker, operation: usize) {
        let domain = self.domain.lock().unwrap().clone().expect("there until the end");
        match DOMAIN[operation] {
            "retire" => {
                let ctx = std::ptr::from_ref(self.freed).cast_mut().cast();
                // SAFETY: `count` uses `ctx` only, which lives for ever.
                unsafe { domain.retire(std::ptr::null_mut(), 100, count, ctx) }.unwrap();
                self.retired.fetch_add(1, Ordering::SeqCst);
            }
            "enter and leave" => drop(domain.enter()),
            "refresh" => {
                let mut guard = domain.enter();
                guard.refresh();
            }
            "nested guards" => {
                let outer = domain.enter();
                let inner = domain.enter();
                drop(outer);
                drop(inner);
            }
            "flush" => domain.flush(),
            // It may wait, for others that are at work: here it looks once.
            "barrier" => drop(domain.barrier(Duration::ZERO)),
            "stats" => assert!(domain.stats().pending_objects < 10_000),
            other => unreachable!("{other}"),
        }
    }

    fn verify(&self, _workers: &[Worker]) -> Result<(), String> {
        let domain = self.domain.lock().unwrap().take().expect("there until now");
        domain.barrier(Duration::from_secs(20)).map_err(|error| format!("barrier: {error}"))?;
        let (retired, freed) = (self.retired.load(Ordering::SeqCst), self.freed.load(Ordering::SeqCst));
        if retired == freed {
            Ok(())
        } else {
            Err(format!("{retired} retired, {freed} freed by the barrier"))
        }
    }
}

pub(crate) fn suites() -> Vec<Suite> {
    let suite = |name: &str, retired| Suite {
        name: name.to_string(),
        operations: DOMAIN,
        victims: None,
        beside: None,
        make: Box::new(move |worker| Box::new(OfDomain::new(worker, retired))),
        watchdog: Duration::from_secs(20),
    };
    vec![suite("domain, empty", 0), suite("domain, 70 retired", 70)]
}
