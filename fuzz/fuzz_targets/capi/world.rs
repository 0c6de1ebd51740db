//! What is called, with what, and the models of what should come of it.

use std::collections::{BTreeMap, VecDeque};
use std::ffi::c_void;
use std::ptr::{null, null_mut};

use arbitrary::Arbitrary;
use conex::ffi::domain::*;
use conex::ffi::element::*;
use conex::ffi::guard::*;
use conex::ffi::hazard::*;
use conex::ffi::map::*;
use conex::ffi::queue::*;
use conex::ffi::shared::*;
use conex::ffi::shared_place::*;
use conex::ffi::stack::*;
use conex::ffi::status::conex_status::{self, *};

use crate::domain::Session;
use crate::hazard::Cells;
use crate::shared::Refs;

/// Which handle is passed.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Which {
    Right(u8),
    Null,
    Destroyed(u8),
    OtherKind(u8),
    Misaligned,
    NoHandle,
}

#[derive(Arbitrary, Debug)]
pub enum Op {
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
    DomainLock(Which),
    DomainUnlock(Which),
    DomainBarrier(Which),
    RefNew(Which, bool),
    RefMake(Which, Element, i8),
    RefRetain(Which),
    RefRelease(Which),
    RefCount(Which),
    SharedNew(Which, Which, bool),
    SharedLoad(Which),
    SharedStore(Which, Which),
    SharedExchange(Which, Which, bool),
    SharedCompareExchange(Which, Which, Which, bool),
    HazardNew(Which, bool),
    HazardProtect(Which, u8, BadSource),
    HazardTryProtect(Which, u8, u8, BadSource),
    HazardReset(Which, Option<u8>),
    HazardReplace(u8, u8, bool, bool),
    HazardRetireWrong(Which, bool, bool),
    HazardFlush(bool),
    Status(i32),
    HugeBatch(Which, Which),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Kind {
    Stack,
    Queue,
    Map,
    Domain,
    Guard,
    Shared,
    Hazard,
}

/// Options of an element: the first is right, the others are as they come.
#[derive(Arbitrary, Debug)]
pub enum Element {
    Word,
    Wild { size: u32, align: u16, struct_size: u16, flags: u8 },
}

/// What is wrong with the key or the other arguments.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq)]
pub enum Bad {
    Nothing,
    NullKey,
    ShortKey,
    NullValue,
}

/// What is wrong with the pointer that is protected through.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq)]
pub enum BadSource {
    Nothing,
    Null,
    Odd,
    NullOut,
}

impl BadSource {
    pub fn expected(self) -> conex_status {
        match self {
            Self::Nothing => CONEX_OK,
            Self::Null | Self::NullOut => CONEX_ERR_NULL,
            Self::Odd => CONEX_ERR_INVALID,
        }
    }
}

/// All live handles, their models, and some dead ones.
#[derive(Default)]
pub struct World {
    pub stacks: Vec<(*mut conex_stack, Vec<u64>)>,
    pub queues: Vec<(*mut conex_queue, VecDeque<u64>)>,
    pub maps: Vec<(*mut conex_map, BTreeMap<Vec<u8>, u64>, bool)>,
    pub domains: Vec<*mut conex_domain>,
    pub guards: Vec<*mut conex_guard>,
    pub sessions: Vec<Session>,
    pub refs: Refs,
    pub cells: Option<Cells>,
    pub dead: Vec<*mut c_void>,
}

/// Not a handle: readable memory with something else in it.
#[repr(align(16))]
pub struct NoHandle([u8; 256]);
pub static NO_HANDLE: NoHandle = NoHandle([0xA5; 256]);

/// The error that a handle of this kind must be answered with, or the index of a live one.
pub enum Found<T> {
    Live(usize, *mut T),
    Wrong(*mut T),
    Nothing,
}

impl World {
    pub fn find<T>(
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

    pub fn stack(&self, which: Which) -> Found<conex_stack> {
        let others: Vec<_> =
            self.queues.iter().map(|q| q.0.cast()).chain(self.domains.iter().map(|d| d.cast())).collect();
        self.find(which, |i| Some(self.stacks[i].0), self.stacks.len(), &others)
    }

    pub fn queue(&self, which: Which) -> Found<conex_queue> {
        let others: Vec<_> =
            self.stacks.iter().map(|s| s.0.cast()).chain(self.maps.iter().map(|m| m.0.cast())).collect();
        self.find(which, |i| Some(self.queues[i].0), self.queues.len(), &others)
    }

    pub fn map(&self, which: Which) -> Found<conex_map> {
        let others: Vec<_> =
            self.queues.iter().map(|q| q.0.cast()).chain(self.guards.iter().map(|g| g.cast())).collect();
        self.find(which, |i| Some(self.maps[i].0), self.maps.len(), &others)
    }

    pub fn domain(&self, which: Which) -> Found<conex_domain> {
        let others: Vec<_> = self.stacks.iter().map(|s| s.0.cast()).collect();
        self.find(which, |i| Some(self.domains[i]), self.domains.len(), &others)
    }

    pub fn guard(&self, which: Which) -> Found<conex_guard> {
        let others: Vec<_> = self.maps.iter().map(|m| m.0.cast()).collect();
        self.find(which, |i| Some(self.guards[i]), self.guards.len(), &others)
    }

    /// References that have been released are not asked for: their memory may be gone.
    pub fn reference(&self, which: Which) -> Found<conex_ref> {
        let others: Vec<_> = self
            .refs
            .places
            .iter()
            .map(|place| place.handle.cast())
            .chain(self.stacks.iter().map(|s| s.0.cast()))
            .collect();
        self.find(which, |i| Some(self.refs.names[i].0), self.refs.names.len(), &others)
    }

    pub fn place(&self, which: Which) -> Found<conex_shared> {
        let others: Vec<_> = self
            .refs
            .names
            .iter()
            .map(|name| name.0.cast())
            .chain(self.guards.iter().map(|g| g.cast()))
            .collect();
        self.find(which, |i| Some(self.refs.places[i].handle), self.refs.places.len(), &others)
    }

    pub fn hazard(&self, which: Which) -> Found<conex_hazard> {
        let others: Vec<_> = self.domains.iter().map(|d| d.cast()).collect();
        let hazards = self.cells.as_ref().map_or(&[][..], |cells| &cells.hazards);
        self.find(which, |i| Some(hazards[i].0), hazards.len(), &others)
    }

    /// A domain, the default one for NULL or where there is none, or a handle that is answered with an error.
    pub fn domain_or_default(&self, which: Which) -> (*mut conex_domain, Option<conex_status>) {
        match self.domain(which) {
            Found::Live(_, domain) => (domain, None),
            Found::Wrong(domain) if !domain.is_null() => (domain, Some(CONEX_ERR_HANDLE)),
            _ => (null_mut(), None),
        }
    }

    /// What is known of a domain, or of the default one.
    pub fn session(&mut self, domain: *mut conex_domain) -> &mut Session {
        let known = self.sessions.iter().position(|session| session.domain == domain);
        let known = known.unwrap_or_else(|| {
            self.sessions.push(Session::new(domain));
            self.sessions.len() - 1
        });
        &mut self.sessions[known]
    }

    pub fn bury<T>(&mut self, handle: *mut T) {
        // The library recognises the last 64 destroyed ones; ask for fewer.
        self.dead.push(handle.cast());
        if self.dead.len() > 16 {
            self.dead.remove(0);
        }
    }
}

pub fn wrong<T>(handle: *mut T, status: conex_status) {
    let expected = if handle.is_null() { CONEX_ERR_NULL } else { CONEX_ERR_HANDLE };
    assert_eq!(status, expected);
}

pub fn key_of(n: u8, bytes: bool) -> Vec<u8> {
    let mut key = u64::from(n).to_ne_bytes().to_vec();
    if bytes {
        key.resize(usize::from(n % 40), n);
    }
    key
}

/// Pointer and length of a key that may be wrong in one way. A short key of a map of byte strings is just another key.
pub fn pass(key: &mut Vec<u8>, bytes: bool, bad: Bad) -> (*const c_void, usize, Option<conex_status>) {
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

pub fn to<T>(value: &mut T) -> *mut c_void {
    std::ptr::from_mut(value).cast()
}

pub fn at<T>(value: &T) -> *const c_void {
    std::ptr::from_ref(value).cast()
}

pub fn element(element: &Element) -> (conex_element, usize, u64, bool) {
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

pub const PROCESS: conex_allocator = conex_allocator { alloc: None, free: None, ctx: null_mut() };

pub unsafe extern "C-unwind" fn nothing(_ptr: *mut c_void, _ctx: *mut c_void) {}

pub unsafe extern "C-unwind" fn collect(element: *mut c_void, ctx: *mut c_void) {
    unsafe { (*ctx.cast::<Vec<u64>>()).push(element.cast::<u64>().read_unaligned()) };
}

pub unsafe extern "C-unwind" fn visit(
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
