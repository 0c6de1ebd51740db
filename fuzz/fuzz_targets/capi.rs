//! The C functions, called in any order with arguments of which some are wrong: right calls do what the models do, wrong
//! ones answer an error and change nothing, and nothing ever crashes.

#![no_main]
#![allow(clippy::missing_safety_doc, clippy::undocumented_unsafe_blocks, reason = "calls of C functions")]

use std::collections::{BTreeMap, VecDeque};
use std::ffi::{CStr, c_void};
use std::ptr::{null, null_mut};

use arbitrary::Arbitrary;
use conex::ffi::domain::*;
use conex::ffi::element::*;
use conex::ffi::guard::*;
use conex::ffi::map::*;
use conex::ffi::map_all::*;
use conex::ffi::map_read::*;
use conex::ffi::map_write::*;
use conex::ffi::map_update::*;
use conex::ffi::queue::*;
use conex::ffi::stack::*;
use conex::ffi::status::conex_status::{self, *};
use conex::ffi::status::conex_status_string;
use libfuzzer_sys::fuzz_target;

/// Which handle is passed.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Which {
    Right(u8),
    Null,
    Destroyed(u8),
    OtherKind(u8),
    Misaligned,
    NoHandle,
}

#[derive(Arbitrary, Debug)]
enum Op {
    NewStack(Element),
    NewQueue(Element, u16),
    NewMap(bool, u16),
    NewDomain(u64, bool),
    NewGuard(Which),
    Destroy(Kind, Which),
    StackPush(Which, u64, bool),
    StackPushN(Which, Vec<u64>, bool),
    StackPop(Which, bool),
    StackPopN(Which, u8, bool),
    StackPopAll(Which),
    StackLen(Which, bool),
    QueuePush(Which, u64, bool),
    QueuePushN(Which, Vec<u64>),
    QueuePop(Which, bool),
    QueuePopN(Which, u8),
    QueueLen(Which, bool),
    MapInsert(Which, u8, u64, Bad),
    MapUpsert(Which, u8, u64, Bad),
    MapGet(Which, u8, Bad),
    MapGetRef(Which, Which, u8, Bad),
    MapRemove(Which, u8, Bad),
    MapFetchAdd(Which, u8, u64, Bad),
    MapCompareExchange(Which, u8, u64, u64, Bad),
    MapAll(Which, u8),
    GuardRefresh(Which),
    DomainFlush(Which),
    DomainRetire(Which, bool),
    Status(i32),
    HugeBatch(Which, Which),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Kind {
    Stack,
    Queue,
    Map,
    Domain,
    Guard,
}

/// Options of an element: the first is right, the others are as they come.
#[derive(Arbitrary, Debug)]
enum Element {
    Word,
    Wild { size: u32, align: u16, struct_size: u16, flags: u8 },
}

/// What is wrong with the key or the other arguments.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq)]
enum Bad {
    Nothing,
    NullKey,
    ShortKey,
    NullValue,
}

/// All live handles, their models, and some dead ones.
#[derive(Default)]
struct World {
    stacks: Vec<(*mut conex_stack, Vec<u64>)>,
    queues: Vec<(*mut conex_queue, VecDeque<u64>)>,
    maps: Vec<(*mut conex_map, BTreeMap<Vec<u8>, u64>, bool)>,
    domains: Vec<*mut conex_domain>,
    guards: Vec<*mut conex_guard>,
    dead: Vec<*mut c_void>,
}

/// Not a handle: readable memory with something else in it.
#[repr(align(16))]
struct NoHandle([u8; 256]);
static NO_HANDLE: NoHandle = NoHandle([0xA5; 256]);

/// The error that a handle of this kind must be answered with, or the index of a live one.
enum Found<T> {
    Live(usize, *mut T),
    Wrong(*mut T),
    Nothing,
}

impl World {
    fn find<T>(
        &self,
        which: Which,
        live: impl Fn(usize) -> Option<*mut T>,
        n: usize,
        others: &[*mut c_void],
    ) -> Found<T> {
        match which {
            Which::Right(i) if n > 0 => {
                let i = usize::from(i) % n;
                live(i).map_or(Found::Nothing, |handle| Found::Live(i, handle))
            }
            Which::Right(_) => Found::Nothing,
            Which::Null => Found::Wrong(null_mut()),
            Which::Destroyed(i) if !self.dead.is_empty() => {
                Found::Wrong(self.dead[usize::from(i) % self.dead.len()].cast())
            }
            Which::OtherKind(i) if !others.is_empty() => {
                Found::Wrong(others[usize::from(i) % others.len()].cast())
            }
            Which::Misaligned => Found::Wrong(NO_HANDLE.0.as_ptr().wrapping_add(3).cast_mut().cast()),
            _ => Found::Wrong(NO_HANDLE.0.as_ptr().cast_mut().cast()),
        }
    }

    fn stack(&self, which: Which) -> Found<conex_stack> {
        let others: Vec<_> =
            self.queues.iter().map(|q| q.0.cast()).chain(self.domains.iter().map(|d| d.cast())).collect();
        self.find(which, |i| Some(self.stacks[i].0), self.stacks.len(), &others)
    }

    fn queue(&self, which: Which) -> Found<conex_queue> {
        let others: Vec<_> =
            self.stacks.iter().map(|s| s.0.cast()).chain(self.maps.iter().map(|m| m.0.cast())).collect();
        self.find(which, |i| Some(self.queues[i].0), self.queues.len(), &others)
    }

    fn map(&self, which: Which) -> Found<conex_map> {
        let others: Vec<_> =
            self.queues.iter().map(|q| q.0.cast()).chain(self.guards.iter().map(|g| g.cast())).collect();
        self.find(which, |i| Some(self.maps[i].0), self.maps.len(), &others)
    }

    fn domain(&self, which: Which) -> Found<conex_domain> {
        let others: Vec<_> = self.stacks.iter().map(|s| s.0.cast()).collect();
        self.find(which, |i| Some(self.domains[i]), self.domains.len(), &others)
    }

    fn guard(&self, which: Which) -> Found<conex_guard> {
        let others: Vec<_> = self.maps.iter().map(|m| m.0.cast()).collect();
        self.find(which, |i| Some(self.guards[i]), self.guards.len(), &others)
    }

    fn bury<T>(&mut self, handle: *mut T) {
        // The library recognises the last 64 destroyed ones; ask for fewer.
        self.dead.push(handle.cast());
        if self.dead.len() > 16 {
            self.dead.remove(0);
        }
    }
}

fn wrong<T>(handle: *mut T, status: conex_status) {
    let expected = if handle.is_null() { CONEX_ERR_NULL } else { CONEX_ERR_HANDLE };
    assert_eq!(status, expected);
}

fn key_of(n: u8, bytes: bool) -> Vec<u8> {
    let mut key = u64::from(n).to_ne_bytes().to_vec();
    if bytes {
        key.resize(usize::from(n % 40), n);
    }
    key
}

/// Pointer and length of a key that may be wrong in one way. A short key of a map of byte strings is just another key.
fn pass(key: &mut Vec<u8>, bytes: bool, bad: Bad) -> (*const c_void, usize, Option<conex_status>) {
    match bad {
        Bad::NullKey if key.is_empty() => (null(), 0, None),
        Bad::NullKey => (null(), key.len(), Some(CONEX_ERR_NULL)),
        Bad::ShortKey if bytes => {
            key.pop();
            (key.as_ptr().cast(), key.len(), None)
        }
        Bad::ShortKey => (key.as_ptr().cast(), key.len() - 1, Some(CONEX_ERR_INVALID)),
        _ => (key.as_ptr().cast(), key.len(), None),
    }
}

fn to<T>(value: &mut T) -> *mut c_void {
    std::ptr::from_mut(value).cast()
}

fn at<T>(value: &T) -> *const c_void {
    std::ptr::from_ref(value).cast()
}

fn element(element: &Element) -> (conex_element, usize, u64, bool) {
    match *element {
        Element::Word => {
            (conex_element { size: 8, align: 8, drop: None, clone: None, ctx: null_mut() }, 0, 0, true)
        }
        Element::Wild { size, align, struct_size, flags } => (
            conex_element {
                size: size as usize,
                align: align.into(),
                drop: None,
                clone: None,
                ctx: null_mut(),
            },
            struct_size.into(),
            flags.into(),
            false,
        ),
    }
}

const PROCESS: conex_allocator = conex_allocator { alloc: None, free: None, ctx: null_mut() };

unsafe extern "C-unwind" fn nothing(_ptr: *mut c_void, _ctx: *mut c_void) {}

unsafe extern "C-unwind" fn collect(element: *mut c_void, ctx: *mut c_void) {
    unsafe { (*ctx.cast::<Vec<u64>>()).push(element.cast::<u64>().read_unaligned()) };
}

unsafe extern "C-unwind" fn visit(
    key: *const c_void,
    len: usize,
    value: *const c_void,
    ctx: *mut c_void,
) -> i32 {
    let key = unsafe { std::slice::from_raw_parts(key.cast::<u8>(), len) }.to_vec();
    let value = unsafe { value.cast::<u64>().read_unaligned() };
    let seen = unsafe { &mut *ctx.cast::<BTreeMap<Vec<u8>, u64>>() };
    assert!(seen.insert(key, value).is_none(), "visited twice");
    0
}

fuzz_target!(|ops: Vec<Op>| {
    let mut world = World::default();
    for op in ops.into_iter().take(400) {
        unsafe { run(&mut world, op) };
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
    for domain in world.domains {
        assert_eq!(unsafe { conex_domain_destroy(domain) }, CONEX_OK);
    }
});

#[allow(clippy::too_many_lines, reason = "one arm a function of the API")]
unsafe fn run(world: &mut World, op: Op) {
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
                CONEX_OK => assert_eq!(unsafe { conex_stack_destroy(stack) }, CONEX_OK),
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
                CONEX_OK => assert_eq!(unsafe { conex_queue_destroy(queue) }, CONEX_OK),
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
                        unsafe { conex_domain_destroy(domain) };
                    }
                }
                _ => assert_eq!(status, CONEX_ERR_INVALID),
            }
        }
        Op::NewGuard(which) => {
            if world.guards.len() >= 4 {
                return;
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
        Op::MapInsert(which, n, value, bad) => match world.map(which) {
            Found::Live(i, map) => {
                let (_, model, bytes) = &mut world.maps[i];
                let mut key = key_of(n, *bytes);
                let (ptr, len, error) = pass(&mut key, *bytes, bad);
                let error = error.or((bad == Bad::NullValue).then_some(CONEX_ERR_NULL));
                let mut current = 0_u64;
                let value_ptr = if bad == Bad::NullValue { null() } else { at(&value) };
                let status = unsafe { conex_map_insert(map, ptr, len, value_ptr, to(&mut current)) };
                match (error, model.get(&key)) {
                    (Some(error), _) => assert_eq!(status, error),
                    (None, Some(there)) => assert_eq!((status, current), (CONEX_EXISTS, *there)),
                    (None, None) => {
                        assert_eq!((status, current), (CONEX_OK, 0));
                        model.insert(key, value);
                    }
                }
            }
            Found::Wrong(map) => {
                wrong(map, unsafe { conex_map_insert(map, at(&0_u64), 8, at(&value), null_mut()) })
            }
            Found::Nothing => {}
        },
        Op::MapUpsert(which, n, value, bad) => match world.map(which) {
            Found::Live(i, map) => {
                let (_, model, bytes) = &mut world.maps[i];
                let mut key = key_of(n, *bytes);
                let (ptr, len, error) = pass(&mut key, *bytes, bad);
                let error = error.or((bad == Bad::NullValue).then_some(CONEX_ERR_NULL));
                let mut old = 0_u64;
                let value_ptr = if bad == Bad::NullValue { null() } else { at(&value) };
                let status = unsafe { conex_map_upsert(map, ptr, len, value_ptr, to(&mut old)) };
                match error {
                    Some(error) => assert_eq!(status, error),
                    None => {
                        let there = model.insert(key, value);
                        assert_eq!(
                            (status, old),
                            (if there.is_some() { CONEX_EXISTS } else { CONEX_OK }, there.unwrap_or(0))
                        );
                    }
                }
            }
            Found::Wrong(map) => {
                wrong(map, unsafe { conex_map_upsert(map, at(&0_u64), 8, at(&value), null_mut()) })
            }
            Found::Nothing => {}
        },
        Op::MapGet(which, n, bad) => match world.map(which) {
            Found::Live(i, map) => {
                let (_, model, bytes) = &mut world.maps[i];
                let mut key = key_of(n, *bytes);
                let (ptr, len, error) = pass(&mut key, *bytes, bad);
                let error = error.or((bad == Bad::NullValue).then_some(CONEX_ERR_NULL));
                let mut out = 0_u64;
                let status = unsafe {
                    conex_map_get(
                        map,
                        ptr,
                        len,
                        if bad == Bad::NullValue { null_mut() } else { to(&mut out) },
                    )
                };
                match (error, model.get(&key)) {
                    (Some(error), _) => assert_eq!(status, error),
                    (None, there) => {
                        assert_eq!(
                            (status, out),
                            (
                                if there.is_some() { CONEX_OK } else { CONEX_NOT_FOUND },
                                there.copied().unwrap_or(0)
                            )
                        );
                    }
                }
            }
            Found::Wrong(map) => wrong(map, unsafe { conex_map_get(map, at(&0_u64), 8, to(&mut 0_u64)) }),
            Found::Nothing => {}
        },
        Op::MapGetRef(which, guard, n, bad) => match (world.map(which), world.guard(guard)) {
            (Found::Live(i, map), Found::Live(_, guard)) => {
                let (_, model, bytes) = &world.maps[i];
                let mut key = key_of(n, *bytes);
                let (ptr, len, error) = pass(&mut key, *bytes, bad);
                let mut out: *const c_void = null();
                let status = unsafe { conex_map_get_ref(map, guard, ptr, len, &mut out) };
                // The guard may be of another domain, which is an error too.
                match (status, model.get(&key)) {
                    (CONEX_OK, Some(there)) => assert_eq!(unsafe { out.cast::<u64>().read() }, *there),
                    (CONEX_NOT_FOUND, None) => assert!(out.is_null() && error.is_none()),
                    (status, _) => assert!((status as i32) < 0 && out.is_null()),
                }
            }
            (Found::Live(_, map), Found::Wrong(guard)) => {
                let mut out: *const c_void = null();
                wrong(guard, unsafe { conex_map_get_ref(map, guard, at(&0_u64), 8, &mut out) });
            }
            _ => {}
        },
        Op::MapRemove(which, n, bad) => match world.map(which) {
            Found::Live(i, map) => {
                let (_, model, bytes) = &mut world.maps[i];
                let mut key = key_of(n, *bytes);
                let (ptr, len, error) = pass(&mut key, *bytes, bad);
                let mut old = 0_u64;
                let out = if bad == Bad::NullValue { null_mut() } else { to(&mut old) }; // optional
                let status = unsafe { conex_map_remove(map, ptr, len, out) };
                match error {
                    Some(error) => assert_eq!(status, error),
                    None => {
                        let there = model.remove(&key);
                        assert_eq!(status, if there.is_some() { CONEX_OK } else { CONEX_NOT_FOUND });
                        assert!(bad == Bad::NullValue || old == there.unwrap_or(0));
                    }
                }
            }
            Found::Wrong(map) => wrong(map, unsafe { conex_map_remove(map, at(&0_u64), 8, null_mut()) }),
            Found::Nothing => {}
        },
        Op::MapFetchAdd(which, n, delta, bad) => match world.map(which) {
            Found::Live(i, map) => {
                let (_, model, bytes) = &mut world.maps[i];
                let mut key = key_of(n, *bytes);
                let (ptr, len, error) = pass(&mut key, *bytes, bad);
                let mut previous = 0_u64;
                let status = unsafe { conex_map_fetch_add(map, ptr, len, delta, &mut previous) };
                match error {
                    Some(error) => assert_eq!(status, error),
                    None => {
                        let there = model.entry(key).or_insert(0);
                        assert_eq!((status, previous), (CONEX_OK, *there));
                        *there = there.wrapping_add(delta);
                    }
                }
            }
            Found::Wrong(map) => {
                wrong(map, unsafe { conex_map_fetch_add(map, at(&0_u64), 8, delta, null_mut()) })
            }
            Found::Nothing => {}
        },
        Op::MapCompareExchange(which, n, expected, desired, bad) => match world.map(which) {
            Found::Live(i, map) => {
                let (_, model, bytes) = &mut world.maps[i];
                let mut key = key_of(n, *bytes);
                let (ptr, len, error) = pass(&mut key, *bytes, bad);
                let error = error.or((bad == Bad::NullValue).then_some(CONEX_ERR_NULL));
                let expected =
                    if expected % 2 == 0 { model.get(&key).copied().unwrap_or(expected) } else { expected };
                let desired_ptr = if bad == Bad::NullValue { null() } else { at(&desired) };
                let mut current = 0_u64;
                let status = unsafe {
                    conex_map_compare_exchange(map, ptr, len, at(&expected), desired_ptr, to(&mut current))
                };
                match (error, model.get_mut(&key)) {
                    (Some(error), _) => assert_eq!(status, error),
                    (None, None) => assert_eq!(status, CONEX_NOT_FOUND),
                    (None, Some(there)) if *there == expected => {
                        assert_eq!(status, CONEX_OK);
                        *there = desired;
                    }
                    (None, Some(there)) => assert_eq!((status, current), (CONEX_MISMATCH, *there)),
                }
            }
            Found::Wrong(map) => wrong(map, unsafe {
                conex_map_compare_exchange(map, at(&0_u64), 8, at(&0_u64), at(&0_u64), null_mut())
            }),
            Found::Nothing => {}
        },
        Op::MapAll(which, what) => match world.map(which) {
            Found::Live(i, map) => {
                let model = &mut world.maps[i].1;
                let mut seen: BTreeMap<Vec<u8>, u64> = BTreeMap::new();
                match what % 6 {
                    0 => assert_eq!(unsafe { conex_map_clear(map) }, CONEX_OK),
                    1 => assert_eq!(unsafe { conex_map_reserve(map, usize::from(what) * 8) }, CONEX_OK),
                    2 => assert_eq!(unsafe { conex_map_shrink(map) }, CONEX_OK),
                    3 => {
                        let mut cursor = 0;
                        while unsafe {
                            conex_map_scan(map, &mut cursor, what.into(), Some(visit), to(&mut seen))
                        } == CONEX_OK
                        {}
                        assert_eq!((cursor, &seen), (0, &*model));
                    }
                    4 => assert!((unsafe { conex_map_reserve(map, usize::MAX) } as i32) < 0),
                    _ => {
                        assert_eq!(unsafe { conex_map_for_each(map, Some(visit), to(&mut seen)) }, CONEX_OK);
                        assert_eq!(seen, *model);
                    }
                }
                if what % 6 == 0 {
                    model.clear();
                }
                let mut len = 0;
                assert_eq!(unsafe { conex_map_len(map, &mut len) }, CONEX_OK);
                assert_eq!(len, model.len());
                assert_eq!(unsafe { conex_map_for_each(map, None, null_mut()) }, CONEX_ERR_NULL);
            }
            Found::Wrong(map) => wrong(map, unsafe { conex_map_clear(map) }),
            Found::Nothing => {}
        },
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
    }
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
                assert!(status == CONEX_OK || (status == CONEX_BUSY && !world.guards.is_empty()));
                if status == CONEX_OK {
                    world.domains.remove(i);
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
    }
}
