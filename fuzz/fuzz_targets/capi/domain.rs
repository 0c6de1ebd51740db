//! Domains, guards, and the texts of the statuses.

use std::ffi::CStr;
use std::ptr::null_mut;

use conex::ffi::domain::*;
use conex::ffi::guard::*;
use conex::ffi::status::conex_status::*;
use conex::ffi::status::conex_status_string;

use crate::world::*;

/// Runs `op`, or gives it back if it is none of these.
pub unsafe fn run(world: &mut World, op: Op) -> Result<(), Op> {
    match op {
        Op::GuardRefresh(which) => match world.guard(which) {
            Found::Live(_, guard) => assert_eq!(unsafe { conex_guard_refresh(guard) }, CONEX_OK),
            Found::Wrong(guard) => wrong(guard, unsafe { conex_guard_refresh(guard) }),
            Found::Nothing => {}
        },
        Op::DomainFlush(which) => match world.domain(which) {
            Found::Live(_, domain) => assert_eq!(unsafe { conex_domain_flush(domain) }, CONEX_OK),
            Found::Wrong(domain) if domain.is_null() => {
                assert_eq!(unsafe { conex_domain_flush(domain) }, CONEX_OK)
            }
            Found::Wrong(domain) => wrong(domain, unsafe { conex_domain_flush(domain) }),
            Found::Nothing => {}
        },
        Op::DomainRetire(which, null_call) => {
            let call: conex_retire_fn = if null_call { None } else { Some(nothing) };
            if let Found::Live(_, domain) = world.domain(which) {
                let status = unsafe { conex_domain_retire(domain, null_mut(), 10, call, null_mut()) };
                assert_eq!(status, if null_call { CONEX_ERR_NULL } else { CONEX_OK });
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
