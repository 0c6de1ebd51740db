//! Domains, guards, sessions without a guard, and the texts of the statuses.

use std::cell::Cell;
use std::ffi::{CStr, c_void};
use std::ptr::null_mut;

use conex::ffi::domain::*;
use conex::ffi::domain_retire::*;
use conex::ffi::guard::*;
use conex::ffi::status::conex_status::*;
use conex::ffi::status::conex_status_string;

use crate::world::*;

/// What is known of a domain: null is the default one.
pub struct Session {
    pub domain: *mut conex_domain,
    /// How many sessions were begun and not ended.
    pub locks: usize,
    /// What was retired, whether it has been called, and whether a session has been there since.
    retired: Vec<(Box<Cell<bool>>, bool)>,
}

impl Session {
    pub fn new(domain: *mut conex_domain) -> Self {
        Self { domain, locks: 0, retired: Vec::new() }
    }

    /// What was retired in a session has not been called.
    pub fn check(&self) {
        assert!(self.retired.iter().all(|(called, held)| !held || !called.get()));
    }

    /// After the domain's end.
    pub fn end(self) {
        assert!(self.retired.iter().all(|(called, _)| called.get()), "not called by the domain's end");
    }
}

unsafe extern "C-unwind" fn called(_ptr: *mut c_void, ctx: *mut c_void) {
    let called = unsafe { &*ctx.cast::<Cell<bool>>() };
    assert!(!called.replace(true), "called twice");
}

/// Runs `op`, or gives it back if it is none of these.
pub unsafe fn run(world: &mut World, op: Op) -> Result<(), Op> {
    match op {
        Op::GuardRefresh(which) => match world.guard(which) {
            Found::Live(_, guard) => assert_eq!(unsafe { conex_guard_refresh(guard) }, CONEX_OK),
            Found::Wrong(guard) => wrong(guard, unsafe { conex_guard_refresh(guard) }),
            Found::Nothing => {}
        },
        Op::DomainFlush(which) => {
            let (domain, error) = world.domain_or_default(which);
            assert_eq!(unsafe { conex_domain_flush(domain) }, error.unwrap_or(CONEX_OK));
        }
        Op::DomainRetire(which, null_call) => {
            if let Found::Live(_, domain) = world.domain(which) {
                let session = world.session(domain);
                let flag = Box::new(Cell::new(false));
                let ctx = std::ptr::from_ref(&*flag).cast_mut().cast();
                let call: conex_retire_fn = if null_call { None } else { Some(called) };
                let status = unsafe { conex_domain_retire(domain, null_mut(), 10, call, ctx) };
                assert_eq!(status, if null_call { CONEX_ERR_NULL } else { CONEX_OK });
                if !null_call {
                    session.retired.push((flag, session.locks > 0));
                }
            }
        }
        Op::DomainLock(which) => {
            let (domain, error) = world.domain_or_default(which);
            assert_eq!(unsafe { conex_domain_lock(domain) }, error.unwrap_or(CONEX_OK));
            if error.is_none() {
                world.session(domain).locks += 1;
            }
        }
        Op::DomainUnlock(which) => {
            let (domain, error) = world.domain_or_default(which);
            if error.is_some() {
                assert_eq!(unsafe { conex_domain_unlock(domain) }, CONEX_ERR_HANDLE);
                return Ok(());
            }
            let session = world.session(domain);
            let expected = if session.locks > 0 { CONEX_OK } else { CONEX_ERR_INVALID };
            if session.locks == 1 {
                session.retired.iter_mut().for_each(|(_, held)| *held = false);
            }
            session.locks = session.locks.saturating_sub(1);
            assert_eq!(unsafe { conex_domain_unlock(domain) }, expected);
        }
        Op::DomainBarrier(which) => {
            let (domain, error) = world.domain_or_default(which);
            let status = unsafe { conex_domain_barrier(domain, 0) };
            match error {
                Some(error) => assert_eq!(status, error),
                None if world.session(domain).locks > 0 => assert_eq!(status, CONEX_ERR_STALLED),
                // A guard of this thread may be of another domain.
                None => assert!(
                    matches!(status, CONEX_OK | CONEX_TIMEOUT)
                        || (status == CONEX_ERR_STALLED && !world.guards.is_empty())
                ),
            }
        }
        Op::Status(status) => {
            let text = conex_status_string(status);
            assert!(!text.is_null() && !unsafe { CStr::from_ptr(text) }.is_empty());
        }
        other => return Err(other),
    }
    Ok(())
}
