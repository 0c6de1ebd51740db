//! Containers, domains and guards come and go.

use std::collections::{BTreeMap, VecDeque};
use std::ptr::{null, null_mut};

use conex::ffi::domain::*;
use conex::ffi::guard::*;
use conex::ffi::hazard::*;
use conex::ffi::map::*;
use conex::ffi::queue::*;
use conex::ffi::shared_place::*;
use conex::ffi::stack::*;
use conex::ffi::status::conex_status::*;

use crate::domain::Session;
use crate::world::*;

/// Runs `op`, or gives it back if it is none of these.
pub unsafe fn run(world: &mut World, op: Op) -> Result<(), Op> {
    match op {
        Op::NewStack(e) => {
            let (element, struct_size, flags, right) = element(&e);
            let size = if right { size_of::<conex_stack_options>() } else { struct_size };
            // Room behind the options, for a struct_size that says there is more; zero, as the contract allows.
            #[repr(C)]
            struct Padded(conex_stack_options, [u64; 9000]);
            let options = Padded(
                conex_stack_options {
                    struct_size: size,
                    flags,
                    element,
                    domain: null_mut(),
                    allocator: PROCESS,
                },
                [0; 9000],
            );
            let mut stack = null_mut();
            let status = unsafe { conex_stack_new(&options.0, &mut stack) };
            match status {
                CONEX_OK if element.size == 8 && world.stacks.len() < 8 => {
                    world.stacks.push((stack, Vec::new()))
                }
                CONEX_OK => {
                    assert_eq!(unsafe { conex_stack_destroy(stack) }, CONEX_OK);
                    world.bury(stack);
                }
                _ => assert!(
                    !right && stack.is_null() && matches!(status, CONEX_ERR_INVALID | CONEX_ERR_NO_MEMORY)
                ),
            }
            assert_eq!(unsafe { conex_stack_new(null(), null_mut()) }, CONEX_ERR_NULL);
        }
        Op::NewQueue(e, segment) => {
            let (element, struct_size, flags, right) = element(&e);
            let size = if right { size_of::<conex_queue_options>() } else { struct_size };
            #[repr(C)]
            struct Padded(conex_queue_options, [u64; 9000]);
            let segment = segment.into();
            let options = conex_queue_options {
                struct_size: size,
                flags,
                element,
                domain: null_mut(),
                allocator: PROCESS,
                segment,
            };
            let options = Padded(options, [0; 9000]);
            let mut queue = null_mut();
            let status = unsafe { conex_queue_new(&options.0, &mut queue) };
            match status {
                CONEX_OK if element.size == 8 && world.queues.len() < 8 => {
                    world.queues.push((queue, VecDeque::new()))
                }
                CONEX_OK => {
                    assert_eq!(unsafe { conex_queue_destroy(queue) }, CONEX_OK);
                    world.bury(queue);
                }
                _ => assert!(
                    !right && queue.is_null() && matches!(status, CONEX_ERR_INVALID | CONEX_ERR_NO_MEMORY)
                ),
            }
        }
        Op::NewMap(bytes, capacity) => {
            if world.maps.len() < 8 {
                let word = element(&Element::Word).0;
                let options = conex_map_options {
                    struct_size: size_of::<conex_map_options>(),
                    flags: 0,
                    key: if bytes { CONEX_KEY_BYTES } else { CONEX_KEY_FIXED },
                    key_element: word,
                    value: word,
                    hash: None,
                    equal: None,
                    key_ctx: null_mut(),
                    seed: 7,
                    capacity: capacity.into(),
                    domain: null_mut(),
                    allocator: PROCESS,
                };
                let mut map = null_mut();
                assert_eq!(unsafe { conex_map_new(&options, &mut map) }, CONEX_OK);
                world.maps.push((map, BTreeMap::new(), bytes));
                let mut no_map = null_mut();
                assert_eq!(
                    unsafe { conex_map_new(&conex_map_options { key: 77, ..options }, &mut no_map) },
                    CONEX_ERR_INVALID
                );
                assert_eq!(
                    unsafe { conex_map_new(&conex_map_options { flags: 4, ..options }, &mut no_map) },
                    CONEX_ERR_INVALID
                );
            }
        }
        Op::NewDomain(flags, null_out) => {
            let options = conex_domain_options {
                struct_size: size_of::<conex_domain_options>(),
                flags,
                limit_bytes: 0,
                on_limit: None,
                limit_ctx: null_mut(),
            };
            let mut domain = null_mut();
            let status =
                unsafe { conex_domain_new(&options, if null_out { null_mut() } else { &mut domain }) };
            match (null_out, flags) {
                (true, _) => assert_eq!(status, CONEX_ERR_NULL),
                (false, 0) => {
                    assert_eq!(status, CONEX_OK);
                    if world.domains.len() < 4 {
                        world.domains.push(domain)
                    } else {
                        assert_eq!(unsafe { conex_domain_destroy(domain) }, CONEX_OK);
                        world.bury(domain);
                    }
                }
                _ => assert_eq!(status, CONEX_ERR_INVALID),
            }
        }
        Op::NewGuard(which) => {
            if world.guards.len() >= 4 {
                return Ok(());
            }
            let mut guard = null_mut();
            match world.domain(which) {
                Found::Live(_, domain) => {
                    assert_eq!(unsafe { conex_guard_enter(domain, &mut guard) }, CONEX_OK);
                    world.guards.push(guard);
                }
                Found::Wrong(domain) if domain.is_null() => {
                    assert_eq!(unsafe { conex_guard_enter(null_mut(), &mut guard) }, CONEX_OK);
                    world.guards.push(guard);
                }
                Found::Wrong(domain) => {
                    assert_eq!(unsafe { conex_guard_enter(domain, &mut guard) }, CONEX_ERR_HANDLE)
                }
                Found::Nothing => {}
            }
        }
        Op::Destroy(kind, which) => unsafe { destroy(world, kind, which) },
        other => return Err(other),
    }
    Ok(())
}

unsafe fn destroy(world: &mut World, kind: Kind, which: Which) {
    match kind {
        Kind::Stack => match world.stack(which) {
            Found::Live(i, stack) => {
                assert_eq!(unsafe { conex_stack_destroy(stack) }, CONEX_OK);
                world.stacks.remove(i);
                world.bury(stack);
            }
            Found::Wrong(stack) => assert_eq!(
                unsafe { conex_stack_destroy(stack) },
                if stack.is_null() { CONEX_OK } else { CONEX_ERR_HANDLE }
            ),
            Found::Nothing => {}
        },
        Kind::Queue => match world.queue(which) {
            Found::Live(i, queue) => {
                assert_eq!(unsafe { conex_queue_destroy(queue) }, CONEX_OK);
                world.queues.remove(i);
                world.bury(queue);
            }
            Found::Wrong(queue) => assert_eq!(
                unsafe { conex_queue_destroy(queue) },
                if queue.is_null() { CONEX_OK } else { CONEX_ERR_HANDLE }
            ),
            Found::Nothing => {}
        },
        Kind::Map => match world.map(which) {
            Found::Live(i, map) => {
                assert_eq!(unsafe { conex_map_destroy(map) }, CONEX_OK);
                world.maps.remove(i);
                world.bury(map);
            }
            Found::Wrong(map) => assert_eq!(
                unsafe { conex_map_destroy(map) },
                if map.is_null() { CONEX_OK } else { CONEX_ERR_HANDLE }
            ),
            Found::Nothing => {}
        },
        Kind::Domain => match world.domain(which) {
            Found::Live(i, domain) => {
                let status = unsafe { conex_domain_destroy(domain) };
                if world.session(domain).locks > 0 || world.refs.use_domain(domain) {
                    assert_eq!(status, CONEX_BUSY);
                } else {
                    assert!(status == CONEX_OK || (status == CONEX_BUSY && !world.guards.is_empty()));
                }
                if status == CONEX_OK {
                    world.domains.remove(i);
                    let session = world.sessions.iter().position(|session| session.domain == domain);
                    session.map(|session| world.sessions.remove(session)).into_iter().for_each(Session::end);
                    world.refs.forget(domain);
                    world.bury(domain);
                }
            }
            Found::Wrong(domain) => assert_eq!(
                unsafe { conex_domain_destroy(domain) },
                if domain.is_null() { CONEX_OK } else { CONEX_ERR_HANDLE }
            ),
            Found::Nothing => {}
        },
        Kind::Guard => match world.guard(which) {
            Found::Live(i, guard) => {
                assert_eq!(unsafe { conex_guard_leave(guard) }, CONEX_OK);
                world.guards.remove(i);
                world.bury(guard);
            }
            Found::Wrong(guard) => assert_eq!(
                unsafe { conex_guard_leave(guard) },
                if guard.is_null() { CONEX_OK } else { CONEX_ERR_HANDLE }
            ),
            Found::Nothing => {}
        },
        Kind::Shared => match world.place(which) {
            Found::Live(i, place) => {
                assert_eq!(unsafe { conex_shared_destroy(place) }, CONEX_OK);
                world.refs.places.remove(i);
                unsafe { world.refs.check() };
                world.bury(place);
            }
            Found::Wrong(place) => assert_eq!(
                unsafe { conex_shared_destroy(place) },
                if place.is_null() { CONEX_OK } else { CONEX_ERR_HANDLE }
            ),
            Found::Nothing => {}
        },
        Kind::Hazard => match world.hazard(which) {
            Found::Live(i, hazard) => {
                assert_eq!(unsafe { conex_hazard_destroy(hazard) }, CONEX_OK);
                world.cells.as_mut().expect("it has hazard pointers").hazards.remove(i);
                world.bury(hazard);
            }
            Found::Wrong(hazard) => assert_eq!(
                unsafe { conex_hazard_destroy(hazard) },
                if hazard.is_null() { CONEX_OK } else { CONEX_ERR_HANDLE }
            ),
            Found::Nothing => {}
        },
    }
}
