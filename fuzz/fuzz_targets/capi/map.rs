//! The map.

use std::collections::BTreeMap;
use std::ffi::c_void;
use std::ptr::{null, null_mut};

use conex::ffi::map_all::*;
use conex::ffi::map_read::*;
use conex::ffi::map_update::*;
use conex::ffi::map_write::*;
use conex::ffi::status::conex_status::*;

use crate::world::*;

/// Runs `op`, or gives it back if it is none of these.
pub unsafe fn run(world: &mut World, op: Op) -> Result<(), Op> {
    match op {
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
        other => return Err(other),
    }
    Ok(())
}
