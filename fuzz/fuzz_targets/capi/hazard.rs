//! Hazard pointers over cells with objects. The model knows which object each of them protects: that one is not freed, and
//! a flush frees all others that are retired.

use std::cell::Cell;
use std::ffi::c_void;
use std::ptr::{null, null_mut};

use conex::ffi::domain::*;
use conex::ffi::domain_retire::*;
use conex::ffi::hazard::*;
use conex::ffi::status::conex_status::*;

use crate::world::*;

const CELLS: usize = 3;

pub struct Object {
    n: usize,
    node: conex_retire_node,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Live,
    Retired,
    Freed,
}

/// A domain of its own, in which everything is known.
pub struct Cells {
    domain: *mut conex_domain,
    cells: [*mut Object; CELLS],
    states: Vec<Box<Cell<State>>>,
    /// Hazard pointers and what they protect.
    pub hazards: Vec<(*mut conex_hazard, *mut Object)>,
    most: usize,
}

unsafe extern "C-unwind" fn due(object: *mut c_void, ctx: *mut c_void) {
    let state = unsafe { &*ctx.cast::<Cell<State>>() };
    assert_eq!(state.replace(State::Freed), State::Retired);
    drop(unsafe { Box::from_raw(object.cast::<Object>()) });
}

impl Default for Cells {
    fn default() -> Self {
        let mut domain = null_mut();
        assert_eq!(unsafe { conex_domain_new(null(), &mut domain) }, CONEX_OK);
        let mut this =
            Self { domain, cells: [null_mut(); CELLS], states: Vec::new(), hazards: Vec::new(), most: 0 };
        this.cells = std::array::from_fn(|_| this.object());
        this
    }
}

impl Cells {
    fn object(&mut self) -> *mut Object {
        let n = self.states.len();
        self.states.push(Box::new(Cell::new(State::Live)));
        Box::into_raw(Box::new(Object { n, node: conex_retire_node { opaque: [!0; 6] } }))
    }

    fn is_protected(&self, n: usize) -> bool {
        self.hazards.iter().any(|(_, seen)| unsafe { seen.as_ref() }.is_some_and(|object| object.n == n))
    }

    /// What is protected is there, and what waits is bounded; after a flush nothing waits but what is protected.
    fn check(&self, flushed: bool) {
        for (_, seen) in &self.hazards {
            if let Some(object) = unsafe { seen.as_ref() } {
                assert_ne!(self.states[object.n].get(), State::Freed);
            }
        }
        let waiting = || (0..self.states.len()).filter(|n| self.states[*n].get() == State::Retired);
        assert!(waiting().count() <= 64 + 2 * self.most + 1);
        assert!(!flushed || waiting().all(|n| self.is_protected(n)));
    }

    unsafe fn retire(&mut self, object: *mut Object, in_node: bool) {
        let Some(n) = (unsafe { object.as_ref() }).map(|object| object.n) else { return };
        let state = &*self.states[n];
        assert_eq!(state.replace(State::Retired), State::Live);
        let (ptr, size, ctx) =
            (object.cast(), size_of::<Object>(), std::ptr::from_ref(state).cast_mut().cast());
        let status = if in_node {
            let node = unsafe { &raw mut (*object).node };
            unsafe { conex_hazard_retire_node(self.domain, node, ptr, size, Some(due), ctx) }
        } else {
            unsafe { conex_hazard_retire(self.domain, ptr, size, Some(due), ctx) }
        };
        assert_eq!(status, CONEX_OK);
    }

    /// After all: nothing is protected, and everything is freed, by a barrier or by the domain's end.
    pub unsafe fn end(mut self) {
        for (hazard, _) in std::mem::take(&mut self.hazards) {
            assert_eq!(unsafe { conex_hazard_destroy(hazard) }, CONEX_OK);
        }
        for object in self.cells {
            unsafe { self.retire(object, object.addr() & 64 == 0) };
        }
        assert_eq!(unsafe { conex_domain_destroy(self.domain) }, CONEX_OK);
        assert!(self.states.iter().all(|state| state.get() == State::Freed));
    }
}

/// Runs `op`, or gives it back if it is none of these.
pub unsafe fn run(world: &mut World, op: Op) -> Result<(), Op> {
    let mut flushed = false;
    match op {
        Op::HazardNew(which, null_out) => {
            let cells = world.cells.get_or_insert_default();
            let domain = cells.domain;
            let (domain, error) = match which {
                Which::Right(_) => (domain, None),
                which => world.domain_or_default(which),
            };
            let mut out = null_mut();
            let to_out = if null_out { null_mut() } else { &mut out };
            let status = unsafe { conex_hazard_new(domain, to_out) };
            assert_eq!(status, error.unwrap_or(if null_out { CONEX_ERR_NULL } else { CONEX_OK }));
            assert_eq!(out.is_null(), status != CONEX_OK);
            let cells = world.cells.as_mut().expect("made above");
            if domain == cells.domain && !out.is_null() && cells.hazards.len() < 4 {
                cells.hazards.push((out, null_mut()));
                cells.most = cells.most.max(cells.hazards.len());
            } else if !out.is_null() {
                cells.most = cells.most.max(cells.hazards.len() + 1);
                assert_eq!(unsafe { conex_hazard_destroy(out) }, CONEX_OK);
                world.bury(out);
            }
        }
        Op::HazardProtect(which, cell, bad) => match world.hazard(which) {
            Found::Live(i, hazard) => {
                let cells = world.cells.as_mut().expect("it has hazard pointers");
                let source = &raw const cells.cells[usize::from(cell) % CELLS];
                let mut out = null_mut();
                let status = unsafe {
                    match bad {
                        BadSource::Nothing => conex_hazard_protect(hazard, source.cast(), &mut out),
                        BadSource::Null => conex_hazard_protect(hazard, null(), &mut out),
                        BadSource::Odd => conex_hazard_protect(hazard, source.byte_add(1).cast(), &mut out),
                        BadSource::NullOut => conex_hazard_protect(hazard, source.cast(), null_mut()),
                    }
                };
                assert_eq!(status, bad.expected());
                if status == CONEX_OK {
                    assert_eq!(out.cast(), unsafe { *source });
                    cells.hazards[i].1 = out.cast();
                }
            }
            Found::Wrong(hazard) => {
                let source: *mut c_void = null_mut();
                wrong(hazard, unsafe { conex_hazard_protect(hazard, at(&source), &mut null_mut()) });
            }
            Found::Nothing => {}
        },
        Op::HazardTryProtect(which, cell, other, bad) => match world.hazard(which) {
            Found::Live(i, hazard) => {
                let cells = world.cells.as_mut().expect("it has hazard pointers");
                let source = &raw const cells.cells[usize::from(cell) % CELLS];
                let mut wanted: *mut c_void = cells.cells[usize::from(other) % CELLS].cast();
                let before = wanted;
                let status = unsafe {
                    match bad {
                        BadSource::Nothing => conex_hazard_try_protect(hazard, &mut wanted, source.cast()),
                        BadSource::Null => conex_hazard_try_protect(hazard, &mut wanted, null()),
                        BadSource::Odd => {
                            conex_hazard_try_protect(hazard, &mut wanted, source.byte_add(1).cast())
                        }
                        BadSource::NullOut => conex_hazard_try_protect(hazard, null_mut(), source.cast()),
                    }
                };
                let held: *mut c_void = unsafe { *source }.cast();
                if bad != BadSource::Nothing {
                    assert_eq!(status, bad.expected());
                    assert_eq!(wanted, before);
                } else {
                    assert_eq!(status, if before == held { CONEX_OK } else { CONEX_MISMATCH });
                    assert_eq!(wanted, held);
                    cells.hazards[i].1 = if before == held { held.cast() } else { null_mut() };
                }
            }
            Found::Wrong(hazard) => {
                let source: *mut c_void = null_mut();
                wrong(hazard, unsafe { conex_hazard_try_protect(hazard, &mut null_mut(), at(&source)) });
            }
            Found::Nothing => {}
        },
        Op::HazardReset(which, cell) => match world.hazard(which) {
            Found::Live(i, hazard) => {
                let cells = world.cells.as_mut().expect("it has hazard pointers");
                // No other thread could retire it meanwhile.
                let object = cell.map_or(null_mut(), |cell| cells.cells[usize::from(cell) % CELLS]);
                assert_eq!(unsafe { conex_hazard_reset(hazard, object.cast()) }, CONEX_OK);
                cells.hazards[i].1 = object;
            }
            Found::Wrong(hazard) => wrong(hazard, unsafe { conex_hazard_reset(hazard, null()) }),
            Found::Nothing => {}
        },
        Op::HazardReplace(cell, times, take, in_node) => {
            let cells = world.cells.get_or_insert_default();
            for _ in 0..=times % 40 {
                let next = if take { null_mut() } else { cells.object() };
                let old = std::mem::replace(&mut cells.cells[usize::from(cell) % CELLS], next);
                unsafe { cells.retire(old, in_node) };
                cells.check(false);
            }
        }
        Op::HazardRetireWrong(which, null_call, null_node) => {
            let (domain, error) = world.domain_or_default(which);
            let call: conex_retire_fn = if null_call { None } else { Some(nothing) };
            let mut node = conex_retire_node { opaque: [0; 6] };
            let node = if null_node { null_mut() } else { (&raw mut node).wrapping_byte_add(1) };
            let bad = error.unwrap_or(if null_node { CONEX_ERR_NULL } else { CONEX_ERR_INVALID });
            assert_eq!(
                unsafe { conex_hazard_retire_node(domain, node, null_mut(), 1, call, null_mut()) },
                bad
            );
            assert_eq!(
                unsafe { conex_domain_retire_node(domain, node, null_mut(), 1, call, null_mut()) },
                bad
            );
            if null_call || error.is_some() {
                let status = unsafe { conex_hazard_retire(domain, null_mut(), 1, call, null_mut()) };
                assert_eq!(status, error.unwrap_or(CONEX_ERR_NULL));
            }
        }
        Op::HazardFlush(barrier) => {
            let cells = world.cells.get_or_insert_default();
            if barrier {
                let status = unsafe { conex_domain_barrier(cells.domain, 0) };
                let waits = |n: usize| cells.states[n].get() == State::Retired;
                let waits = (0..cells.states.len()).any(waits);
                assert!(matches!(status, CONEX_OK | CONEX_TIMEOUT));
                assert!(status == CONEX_TIMEOUT || !waits, "something waits after a barrier");
            } else {
                assert_eq!(unsafe { conex_domain_flush(cells.domain) }, CONEX_OK);
                flushed = true;
            }
        }
        other => return Err(other),
    }
    if let Some(cells) = &world.cells {
        cells.check(flushed);
    }
    Ok(())
}
