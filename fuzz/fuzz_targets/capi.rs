//! The C functions, called in any order with arguments of which some are wrong: right calls do what the models do, wrong
//! ones answer an error and change nothing, and nothing ever crashes.

#![no_main]
#![allow(clippy::missing_safety_doc, clippy::undocumented_unsafe_blocks, reason = "calls of C functions")]

#[path = "capi/domain.rs"]
mod domain;
#[path = "capi/hazard.rs"]
mod hazard;
#[path = "capi/make.rs"]
mod make;
#[path = "capi/map.rs"]
mod map;
#[path = "capi/sequences.rs"]
mod sequences;
#[path = "capi/shared.rs"]
mod shared;
#[path = "capi/world.rs"]
mod world;

use conex::ffi::domain::*;
use conex::ffi::guard::*;
use conex::ffi::map::*;
use conex::ffi::queue::*;
use conex::ffi::stack::*;
use conex::ffi::status::conex_status::*;
use libfuzzer_sys::fuzz_target;

use domain::Session;
use world::{Op, World};

fuzz_target!(|ops: Vec<Op>| {
    let mut world = World::default();
    for op in ops.into_iter().take(400) {
        unsafe { run(&mut world, op) };
        world.sessions.iter().for_each(Session::check);
    }
    for (stack, _) in world.stacks {
        assert_eq!(unsafe { conex_stack_destroy(stack) }, CONEX_OK);
    }
    for (queue, _) in world.queues {
        assert_eq!(unsafe { conex_queue_destroy(queue) }, CONEX_OK);
    }
    for (map, ..) in world.maps {
        assert_eq!(unsafe { conex_map_destroy(map) }, CONEX_OK);
    }
    for guard in world.guards.into_iter().rev() {
        assert_eq!(unsafe { conex_guard_leave(guard) }, CONEX_OK);
    }
    unsafe { world.refs.end() };
    if let Some(cells) = world.cells {
        unsafe { cells.end() };
    }
    for session in &world.sessions {
        for _ in 0..session.locks {
            assert_eq!(unsafe { conex_domain_unlock(session.domain) }, CONEX_OK);
        }
    }
    for domain in world.domains {
        assert_eq!(unsafe { conex_domain_destroy(domain) }, CONEX_OK);
    }
    world.sessions.into_iter().for_each(Session::end);
});

unsafe fn run(world: &mut World, op: Op) {
    let rest = unsafe { make::run(world, op) }
        .or_else(|op| unsafe { sequences::run(world, op) })
        .or_else(|op| unsafe { map::run(world, op) })
        .or_else(|op| unsafe { domain::run(world, op) })
        .or_else(|op| unsafe { shared::run(world, op) })
        .or_else(|op| unsafe { hazard::run(world, op) });
    assert!(rest.is_ok(), "nobody runs {rest:?}");
}
