//! Stack and queue.

use std::ptr::{null, null_mut};

use conex::ffi::queue::*;
use conex::ffi::queue_batch::*;
use conex::ffi::stack::*;
use conex::ffi::status::conex_status::*;

use crate::world::*;

/// Runs `op`, or gives it back if it is none of these.
pub unsafe fn run(world: &mut World, op: Op) -> Result<(), Op> {
    match op {
        Op::StackPush(which, value, null_element) => match world.stack(which) {
            Found::Live(i, stack) => {
                let status =
                    unsafe { conex_stack_push(stack, if null_element { null() } else { at(&value) }) };
                assert_eq!(status, if null_element { CONEX_ERR_NULL } else { CONEX_OK });
                if !null_element {
                    world.stacks[i].1.push(value);
                }
            }
            Found::Wrong(stack) => wrong(stack, unsafe { conex_stack_push(stack, at(&value)) }),
            Found::Nothing => {}
        },
        Op::StackPushN(which, values, count) => match world.stack(which) {
            Found::Live(i, stack) => {
                let mut pushed = usize::MAX;
                let out = if count { &mut pushed } else { null_mut() };
                assert_eq!(
                    unsafe { conex_stack_push_n(stack, values.as_ptr().cast(), values.len(), out) },
                    CONEX_OK
                );
                assert!(!count || pushed == values.len());
                world.stacks[i].1.extend(values);
            }
            Found::Wrong(stack) => wrong(stack, unsafe {
                conex_stack_push_n(stack, values.as_ptr().cast(), values.len(), null_mut())
            }),
            Found::Nothing => {}
        },
        Op::StackPop(which, null_out) => match world.stack(which) {
            Found::Live(i, stack) => {
                let mut out = 0_u64;
                let status =
                    unsafe { conex_stack_pop(stack, if null_out { null_mut() } else { to(&mut out) }) };
                if null_out {
                    assert_eq!(status, CONEX_ERR_NULL);
                } else {
                    let expected = world.stacks[i].1.pop();
                    assert_eq!(status, if expected.is_some() { CONEX_OK } else { CONEX_EMPTY });
                    assert_eq!(out, expected.unwrap_or(0));
                }
            }
            Found::Wrong(stack) => wrong(stack, unsafe { conex_stack_pop(stack, to(&mut 0_u64)) }),
            Found::Nothing => {}
        },
        Op::StackPopN(which, n, null_count) => match world.stack(which) {
            Found::Live(i, stack) => {
                let (mut out, mut count) = (vec![0_u64; n.into()], usize::MAX);
                let to_count = if null_count { null_mut() } else { &mut count };
                let status = unsafe { conex_stack_pop_n(stack, out.as_mut_ptr().cast(), n.into(), to_count) };
                if null_count {
                    assert_eq!(status, CONEX_ERR_NULL);
                } else {
                    let expected: Vec<_> = (0..n).map_while(|_| world.stacks[i].1.pop()).collect();
                    assert_eq!(status, if n > 0 && expected.is_empty() { CONEX_EMPTY } else { CONEX_OK });
                    assert_eq!((count, &out[..expected.len()]), (expected.len(), expected.as_slice()));
                }
            }
            Found::Wrong(stack) => {
                wrong(stack, unsafe { conex_stack_pop_n(stack, to(&mut 0_u64), 1, &mut 0) })
            }
            Found::Nothing => {}
        },
        Op::StackPopAll(which) => match world.stack(which) {
            Found::Live(i, stack) => {
                let mut out: Vec<u64> = Vec::new();
                let mut count = 0;
                let status = unsafe { conex_stack_pop_all(stack, Some(collect), to(&mut out), &mut count) };
                let mut expected = std::mem::take(&mut world.stacks[i].1);
                expected.reverse();
                assert!(status == CONEX_OK || (status == CONEX_EMPTY && expected.is_empty()));
                assert_eq!((count, out), (expected.len(), expected));
            }
            Found::Wrong(stack) => {
                wrong(stack, unsafe { conex_stack_pop_all(stack, None, null_mut(), null_mut()) })
            }
            Found::Nothing => {}
        },
        Op::StackLen(which, null_out) => match world.stack(which) {
            Found::Live(i, stack) => {
                let (mut len, mut empty) = (0, false);
                assert_eq!(
                    unsafe { conex_stack_len(stack, if null_out { null_mut() } else { &mut len }) },
                    if null_out { CONEX_ERR_NULL } else { CONEX_OK }
                );
                assert_eq!(unsafe { conex_stack_is_empty(stack, &mut empty) }, CONEX_OK);
                assert_eq!(empty, world.stacks[i].1.is_empty());
                assert!(null_out || len == world.stacks[i].1.len());
            }
            Found::Wrong(stack) => wrong(stack, unsafe { conex_stack_len(stack, &mut 0) }),
            Found::Nothing => {}
        },
        Op::QueuePush(which, value, null_element) => match world.queue(which) {
            Found::Live(i, queue) => {
                let status =
                    unsafe { conex_queue_push(queue, if null_element { null() } else { at(&value) }) };
                assert_eq!(status, if null_element { CONEX_ERR_NULL } else { CONEX_OK });
                if !null_element {
                    world.queues[i].1.push_back(value);
                }
            }
            Found::Wrong(queue) => wrong(queue, unsafe { conex_queue_push(queue, at(&value)) }),
            Found::Nothing => {}
        },
        Op::QueuePushN(which, values) => match world.queue(which) {
            Found::Live(i, queue) => {
                let mut count = usize::MAX;
                assert_eq!(
                    unsafe { conex_queue_push_n(queue, values.as_ptr().cast(), values.len(), &mut count) },
                    CONEX_OK
                );
                assert_eq!(count, values.len());
                world.queues[i].1.extend(values);
            }
            Found::Wrong(queue) => wrong(queue, unsafe {
                conex_queue_push_n(queue, values.as_ptr().cast(), values.len(), &mut 0)
            }),
            Found::Nothing => {}
        },
        Op::QueuePop(which, null_out) => match world.queue(which) {
            Found::Live(i, queue) => {
                let mut out = 0_u64;
                let status =
                    unsafe { conex_queue_pop(queue, if null_out { null_mut() } else { to(&mut out) }) };
                if null_out {
                    assert_eq!(status, CONEX_ERR_NULL);
                } else {
                    let expected = world.queues[i].1.pop_front();
                    assert_eq!(status, if expected.is_some() { CONEX_OK } else { CONEX_EMPTY });
                    assert_eq!(out, expected.unwrap_or(0));
                }
            }
            Found::Wrong(queue) => wrong(queue, unsafe { conex_queue_pop(queue, to(&mut 0_u64)) }),
            Found::Nothing => {}
        },
        Op::QueuePopN(which, n) => match world.queue(which) {
            Found::Live(i, queue) => {
                let (mut out, mut count) = (vec![0_u64; n.into()], usize::MAX);
                let status =
                    unsafe { conex_queue_pop_n(queue, out.as_mut_ptr().cast(), n.into(), &mut count) };
                let model = &mut world.queues[i].1;
                assert_eq!(status, if n > 0 && model.is_empty() { CONEX_EMPTY } else { CONEX_OK });
                assert!(count <= n.into() && (count > 0 || n == 0 || model.is_empty()));
                assert!(out[..count].iter().copied().eq(model.drain(..count)));
            }
            Found::Wrong(queue) => {
                wrong(queue, unsafe { conex_queue_pop_n(queue, to(&mut 0_u64), 1, &mut 0) })
            }
            Found::Nothing => {}
        },
        Op::QueueLen(which, null_out) => match world.queue(which) {
            Found::Live(i, queue) => {
                let (mut len, mut empty) = (0, false);
                assert_eq!(
                    unsafe { conex_queue_is_empty(queue, if null_out { null_mut() } else { &mut empty }) },
                    if null_out { CONEX_ERR_NULL } else { CONEX_OK }
                );
                assert_eq!(unsafe { conex_queue_len(queue, &mut len) }, CONEX_OK);
                assert_eq!(len, world.queues[i].1.len());
                assert!(null_out || empty == world.queues[i].1.is_empty());
            }
            Found::Wrong(queue) => wrong(queue, unsafe { conex_queue_len(queue, &mut 0) }),
            Found::Nothing => {}
        },
        Op::HugeBatch(stack, queue) => {
            if let Found::Live(_, stack) = world.stack(stack) {
                let mut count = 1;
                assert_eq!(
                    unsafe { conex_stack_push_n(stack, at(&0_u64), usize::MAX / 4, &mut count) },
                    CONEX_ERR_INVALID
                );
                assert_eq!(unsafe { conex_stack_push_n(stack, null(), 3, &mut count) }, CONEX_ERR_NULL);
            }
            if let Found::Live(_, queue) = world.queue(queue) {
                let mut count = 1;
                assert_eq!(
                    unsafe { conex_queue_push_n(queue, at(&0_u64), usize::MAX / 4, &mut count) },
                    CONEX_ERR_INVALID
                );
                assert_eq!(unsafe { conex_queue_pop_n(queue, null_mut(), 3, &mut count) }, CONEX_ERR_NULL);
            }
        }
        other => return Err(other),
    }
    Ok(())
}
