//! References and the places that hold them. The model knows each value's names: the references to it that were given out,
//! and the places that hold it. It ends with the last one, once.

use std::cell::Cell;
use std::ffi::c_void;
use std::ptr::{null, null_mut};

use conex::ffi::domain::*;
use conex::ffi::element::*;
use conex::ffi::shared::*;
use conex::ffi::shared_place::*;
use conex::ffi::status::conex_status::{self, *};

use crate::world::*;

/// A value, by its place in `Refs::values`, and a reference to it.
pub type Name = (*mut conex_ref, usize);

/// What no live domain is.
const NO_DOMAIN: *mut conex_domain = std::ptr::without_provenance_mut(1);

struct Value {
    domain: *mut conex_domain,
    ended: Box<Cell<bool>>,
}

pub struct Place {
    pub handle: *mut conex_shared,
    pub domain: *mut conex_domain,
    holds: Option<Name>,
}

#[derive(Default)]
pub struct Refs {
    values: Vec<Value>,
    pub names: Vec<Name>,
    pub places: Vec<Place>,
}

unsafe extern "C-unwind" fn end(_value: *mut c_void, ctx: *mut c_void) {
    let ended = unsafe { &*ctx.cast::<Cell<bool>>() };
    assert!(!ended.replace(true), "a value ended twice");
}

unsafe extern "C-unwind" fn make(to: *mut c_void, ctx: *mut c_void) -> i32 {
    let (answer, align) = unsafe { *ctx.cast::<(i32, usize)>() };
    assert!(to.addr() % align == 0);
    answer
}

impl Refs {
    fn count(&self, value: usize) -> usize {
        let named = self.names.iter().map(|name| name.1);
        let held = self.places.iter().filter_map(|place| place.holds).map(|name| name.1);
        named.chain(held).filter(|other| *other == value).count()
    }

    /// Whether something of the domain is still there, so that it is in use.
    pub fn use_domain(&self, domain: *mut conex_domain) -> bool {
        self.places.iter().any(|place| place.domain == domain)
            || (0..self.values.len()).any(|n| self.values[n].domain == domain && self.count(n) > 0)
    }

    /// The domain is gone, and its address may come back.
    pub fn forget(&mut self, domain: *mut conex_domain) {
        for value in self.values.iter_mut().filter(|value| value.domain == domain) {
            value.domain = NO_DOMAIN;
        }
    }

    /// Everything is as the model says.
    pub unsafe fn check(&self) {
        for (n, value) in self.values.iter().enumerate() {
            assert_eq!(value.ended.get(), self.count(n) == 0, "value {n}");
        }
        let held = self.places.iter().filter_map(|place| place.holds);
        for (handle, n) in self.names.iter().copied().chain(held) {
            let mut count = 0;
            assert_eq!(unsafe { conex_ref_count(handle, &mut count) }, CONEX_OK);
            assert_eq!(count, self.count(n));
            assert_eq!(unsafe { conex_ref_value(handle).cast::<u64>().read() }, n as u64);
        }
    }

    /// The reference to a name that a call gave out.
    fn given(&mut self, handle: *mut conex_ref, expected: Option<Name>) {
        assert_eq!(handle, expected.map_or(null_mut(), |name| name.0));
        self.names.extend(expected);
    }

    /// Gives up everything, and then all values have ended.
    pub unsafe fn end(mut self) {
        for (handle, _) in std::mem::take(&mut self.names) {
            assert_eq!(unsafe { conex_ref_release(handle) }, CONEX_OK);
        }
        for place in std::mem::take(&mut self.places) {
            assert_eq!(unsafe { conex_shared_destroy(place.handle) }, CONEX_OK);
        }
        unsafe { self.check() };
    }
}

/// A reference that is to be put into a place of `domain`: by its index, none, or wrong.
fn next(
    world: &World,
    which: Which,
    domain: *mut conex_domain,
) -> (*mut conex_ref, Result<Option<usize>, conex_status>) {
    match world.reference(which) {
        Found::Live(i, handle) if world.refs.values[world.refs.names[i].1].domain == domain => {
            (handle, Ok(Some(i)))
        }
        Found::Live(_, handle) => (handle, Err(CONEX_ERR_INVALID)),
        Found::Wrong(handle) if !handle.is_null() => (handle, Err(CONEX_ERR_HANDLE)),
        _ => (null_mut(), Ok(None)),
    }
}

/// Runs `op`, or gives it back if it is none of these.
pub unsafe fn run(world: &mut World, op: Op) -> Result<(), Op> {
    match op {
        Op::RefNew(which, null_value) => {
            let (domain, error) = world.domain_or_default(which);
            if world.refs.names.len() >= 12 || world.refs.values.len() >= 200 {
                return Ok(());
            }
            let ended = Box::new(Cell::new(false));
            let ctx = std::ptr::from_ref(&*ended).cast_mut().cast();
            let element = conex_element { size: 8, align: 8, drop: Some(end), clone: None, ctx };
            let (n, mut out) = (world.refs.values.len(), null_mut());
            let id = n as u64;
            let value = if null_value { null() } else { at(&id) };
            let status = unsafe { conex_ref_new(domain, &element, value, &mut out) };
            let expected = error.unwrap_or(if null_value { CONEX_ERR_NULL } else { CONEX_OK });
            assert_eq!(status, expected);
            assert_eq!(out.is_null(), status != CONEX_OK);
            if status == CONEX_OK {
                world.refs.values.push(Value { domain, ended });
                world.refs.names.push((out, n));
            }
        }
        Op::RefMake(which, wild, answer) => {
            let (domain, error) = world.domain_or_default(which);
            let (mut element, _, _, right) = element(&wild);
            // Blocks that are as large as may be take time.
            if element.size <= 1 << 30 {
                element.size %= 1 << 16;
            }
            let answer = i32::from(answer);
            let mut out = null_mut();
            let mut wanted = (answer, element.align);
            let status = unsafe { conex_ref_make(domain, &element, Some(make), to(&mut wanted), &mut out) };
            match (error, right) {
                (Some(error), _) => assert_eq!(status, error),
                (None, true) => match answer {
                    0 => assert_eq!(status, CONEX_OK),
                    -6..0 => assert_eq!(status as i32, answer),
                    _ => assert_eq!(status, CONEX_ERR_INVALID),
                },
                (None, false) => assert!(status as i32 <= 0),
            }
            assert_eq!(out.is_null(), status != CONEX_OK);
            assert_eq!(unsafe { conex_ref_release(out) }, CONEX_OK);
        }
        Op::RefRetain(which) => match world.reference(which) {
            Found::Live(i, handle) if world.refs.names.len() < 16 => {
                assert_eq!(unsafe { conex_ref_retain(handle) }, CONEX_OK);
                let name = world.refs.names[i];
                world.refs.names.push(name);
            }
            Found::Wrong(handle) => wrong(handle, unsafe { conex_ref_retain(handle) }),
            _ => {}
        },
        Op::RefRelease(which) => match world.reference(which) {
            Found::Live(i, handle) => {
                assert_eq!(unsafe { conex_ref_release(handle) }, CONEX_OK);
                world.refs.names.remove(i);
            }
            Found::Wrong(handle) if handle.is_null() => {
                assert_eq!(unsafe { conex_ref_release(handle) }, CONEX_OK);
            }
            Found::Wrong(handle) => wrong(handle, unsafe { conex_ref_release(handle) }),
            Found::Nothing => {}
        },
        Op::RefCount(which) => match world.reference(which) {
            // What right ones answer is looked at after each operation.
            Found::Live(_, handle) => {
                assert_eq!(unsafe { conex_ref_count(handle, null_mut()) }, CONEX_ERR_NULL);
            }
            Found::Wrong(handle) => {
                wrong(handle, unsafe { conex_ref_count(handle, &mut 0) });
                assert!(unsafe { conex_ref_value(handle) }.is_null());
            }
            Found::Nothing => {}
        },
        Op::SharedNew(which, first, null_out) => {
            if world.refs.places.len() >= 4 {
                return Ok(());
            }
            let (domain, error) = world.domain_or_default(which);
            let (first, index) = next(world, first, domain);
            let mut out = null_mut();
            let to_out = if null_out { null_mut() } else { &mut out };
            let status = unsafe { conex_shared_new(domain, first, to_out) };
            let expected = match (error, index) {
                (Some(error), _) | (None, Err(error)) => error,
                _ if null_out => CONEX_ERR_NULL,
                _ => CONEX_OK,
            };
            assert_eq!(status, expected);
            if let (CONEX_OK, Ok(index)) = (status, index) {
                let holds = index.map(|index| world.refs.names.remove(index));
                world.refs.places.push(Place { handle: out, domain, holds });
            }
        }
        Op::SharedLoad(which) => match world.place(which) {
            Found::Live(i, place) if world.refs.names.len() < 16 => {
                let mut out = null_mut();
                assert_eq!(unsafe { conex_shared_load(place, null_mut()) }, CONEX_ERR_NULL);
                assert_eq!(unsafe { conex_shared_load(place, &mut out) }, CONEX_OK);
                let holds = world.refs.places[i].holds;
                world.refs.given(out, holds);
            }
            Found::Wrong(place) => wrong(place, unsafe { conex_shared_load(place, &mut null_mut()) }),
            _ => {}
        },
        Op::SharedStore(which, put_in) => match world.place(which) {
            Found::Live(i, place) => {
                let (handle, index) = next(world, put_in, world.refs.places[i].domain);
                let status = unsafe { conex_shared_store(place, handle) };
                assert_eq!(status, index.err().unwrap_or(CONEX_OK));
                if let Ok(index) = index {
                    world.refs.places[i].holds = index.map(|index| world.refs.names.remove(index));
                }
            }
            Found::Wrong(place) => wrong(place, unsafe { conex_shared_store(place, null_mut()) }),
            Found::Nothing => {}
        },
        Op::SharedExchange(which, put_in, null_old) => match world.place(which) {
            Found::Live(i, place) => {
                let (handle, index) = next(world, put_in, world.refs.places[i].domain);
                let mut old = null_mut();
                let to_old = if null_old { null_mut() } else { &mut old };
                let status = unsafe { conex_shared_exchange(place, handle, to_old) };
                let fine = if null_old { CONEX_ERR_NULL } else { CONEX_OK };
                assert_eq!(status, index.err().unwrap_or(fine));
                if let (CONEX_OK, Ok(index)) = (status, index) {
                    let name = index.map(|index| world.refs.names.remove(index));
                    let before = std::mem::replace(&mut world.refs.places[i].holds, name);
                    world.refs.given(old, before);
                }
            }
            Found::Wrong(place) => {
                wrong(place, unsafe { conex_shared_exchange(place, null_mut(), &mut null_mut()) })
            }
            Found::Nothing => {}
        },
        Op::SharedCompareExchange(which, expected, put_in, null_actual) => match world.place(which) {
            Found::Live(i, place) => {
                let (expected, error) = match world.reference(expected) {
                    Found::Live(_, handle) => (handle, None),
                    Found::Wrong(handle) if !handle.is_null() => (handle, Some(CONEX_ERR_HANDLE)),
                    _ => (null_mut(), None),
                };
                let (handle, index) = next(world, put_in, world.refs.places[i].domain);
                let mut actual = null_mut();
                let to_actual = if null_actual { null_mut() } else { &mut actual };
                let status = unsafe { conex_shared_compare_exchange(place, expected, handle, to_actual) };
                let holds = world.refs.places[i].holds;
                match (error, index) {
                    (Some(error), _) | (None, Err(error)) => assert_eq!(status, error),
                    (None, Ok(index)) if expected == holds.map_or(null_mut(), |name| name.0) => {
                        assert_eq!(status, CONEX_OK);
                        world.refs.places[i].holds = index.map(|index| world.refs.names.remove(index));
                    }
                    _ => {
                        assert_eq!(status, CONEX_MISMATCH);
                        if !null_actual {
                            world.refs.given(actual, holds);
                        }
                    }
                }
            }
            Found::Wrong(place) => {
                wrong(place, unsafe { conex_shared_compare_exchange(place, null(), null_mut(), null_mut()) })
            }
            Found::Nothing => {}
        },
        other => return Err(other),
    }
    unsafe { world.refs.check() };
    Ok(())
}
