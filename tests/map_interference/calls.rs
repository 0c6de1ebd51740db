//! Through the C functions, in each of the ways in which the map holds entries.

use std::cell::{Cell, RefCell};
use std::ffi::c_void;
use std::ptr::{null, null_mut};
use std::sync::atomic::Ordering;

use conex::ffi::map::*;
use conex::ffi::map_all::*;
use conex::ffi::map_read::*;
use conex::ffi::map_update::*;
use conex::ffi::map_write::*;
use conex::ffi::status::conex_status::*;

use super::common::map::*;

/// What the callback does to the entry, the first time that it is called.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Change {
    /// Gives it value 2, or inserts it.
    Upsert,
    Remove,
    /// Inserts it, and takes it out again.
    UpsertAndRemove,
}

struct Meddler {
    map: *mut conex_map,
    kind: Box<dyn Kind>,
    change: Cell<Option<Change>>,
    /// What it decides from then on.
    decisions: RefCell<Vec<i32>>,
    /// The first byte of the values that it was called with.
    seen: RefCell<Vec<Option<u8>>>,
}

/// The key that all is about.
const KEY: u64 = 7;

impl Meddler {
    /// A map with and without the entry, whose value is 1 then.
    fn new(kind: Box<dyn Kind>, there: bool, change: Change, decisions: &[i32]) -> Self {
        let this = Self {
            map: new(&kind.options()),
            kind,
            change: Cell::new(Some(change)),
            decisions: RefCell::new(decisions.iter().rev().copied().collect()),
            seen: RefCell::default(),
        };
        if there {
            this.upsert(1);
        }
        this
    }

    fn upsert(&self, value: u64) {
        let (key, value) = (self.kind.key(KEY), self.kind.value(value));
        let status = unsafe {
            conex_map_upsert(self.map, key.as_ptr().cast(), key.len(), value.as_ptr().cast(), null_mut())
        };
        assert!(matches!(status, CONEX_OK | CONEX_EXISTS));
    }

    fn meddle(&self, old: *const c_void) {
        self.seen.borrow_mut().push(unsafe { old.cast::<u8>().as_ref() }.copied());
        let key = self.kind.key(KEY);
        match self.change.take() {
            Some(Change::Upsert) => self.upsert(2),
            Some(change) => {
                if change == Change::UpsertAndRemove {
                    self.upsert(2);
                }
                let status =
                    unsafe { conex_map_remove(self.map, key.as_ptr().cast(), key.len(), null_mut()) };
                assert_eq!(status, CONEX_OK);
            }
            None => {}
        }
    }

    fn decide(&self) -> i32 {
        self.decisions.borrow_mut().pop().expect("asked more often than it should be")
    }

    fn write(&self, n: u64, value: *mut c_void) {
        let bytes = self.kind.value(n);
        unsafe { value.cast::<u8>().copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
    }

    fn ctx(&self) -> *mut c_void {
        std::ptr::from_ref(self).cast_mut().cast()
    }

    /// What the entry is in the end.
    fn end(self) -> (Vec<Option<u8>>, Option<u8>) {
        assert!(self.decisions.take().is_empty(), "asked less often than it should be");
        let key = self.kind.key(KEY);
        let mut value = self.kind.value(99);
        let status =
            unsafe { conex_map_get(self.map, key.as_ptr().cast(), key.len(), value.as_mut_ptr().cast()) };
        let value = (status == CONEX_OK).then(|| {
            assert!((1..=3).any(|n| value == self.kind.value(n)), "a torn value");
            value[0]
        });
        assert_eq!(len(self.map), usize::from(value.is_some()));
        assert_eq!(unsafe { conex_map_destroy(self.map) }, CONEX_OK);
        (self.seen.take(), value)
    }
}

/// Words, small keys with words, large values, byte strings: each of the ways in which the map holds entries.
fn kinds() -> [fn() -> Box<dyn Kind>; 6] {
    [
        || Box::new(Fixed(8, 8, 8)),
        || Box::new(Fixed(3, 2, 1)),
        || Box::new(Fixed(16, 8, 8)),
        || Box::new(Fixed(8, 40, 8)),
        || Box::new(Bytes(8)),
        || Box::new(Bytes(40)),
    ]
}

unsafe extern "C-unwind" fn update_meddling(
    _: *const c_void,
    _: usize,
    old: *const c_void,
    value: *mut c_void,
    ctx: *mut c_void,
) -> i32 {
    let meddler = unsafe { &*ctx.cast::<Meddler>() };
    meddler.meddle(old);
    let decision = meddler.decide();
    if decision == CONEX_STORE {
        meddler.write(3, value);
    }
    decision
}

/// Runs the update, and answers what it says, what its callback saw, and what is there after it.
fn update(
    kind: Box<dyn Kind>,
    there: bool,
    change: Change,
    decisions: &[i32],
) -> (conex_change, Vec<Option<u8>>, Option<u8>) {
    let meddler = Meddler::new(kind, there, change, decisions);
    let (key, mut done) = (meddler.kind.key(KEY), -1);
    let status = unsafe {
        conex_map_update(
            meddler.map,
            key.as_ptr().cast(),
            key.len(),
            Some(update_meddling),
            meddler.ctx(),
            &mut done,
        )
    };
    assert_eq!(status, CONEX_OK);
    let (seen, value) = meddler.end();
    (done, seen, value)
}

#[test]
fn an_update_is_asked_again_when_the_entry_has_changed() {
    for kind in kinds() {
        let stored = update(kind(), true, Change::Upsert, &[CONEX_STORE, CONEX_STORE]);
        assert_eq!(stored, (CONEX_REPLACED, vec![Some(1), Some(2)], Some(3)));
        let inserted = update(kind(), true, Change::Remove, &[CONEX_STORE, CONEX_STORE]);
        assert_eq!(inserted, (CONEX_INSERTED, vec![Some(1), None], Some(3)));
        let replaced = update(kind(), false, Change::Upsert, &[CONEX_STORE, CONEX_STORE]);
        assert_eq!(replaced, (CONEX_REPLACED, vec![None, Some(2)], Some(3)));
        let removed = update(kind(), true, Change::Upsert, &[CONEX_REMOVE, CONEX_REMOVE]);
        assert_eq!(removed, (CONEX_REMOVED, vec![Some(1), Some(2)], None));
        let gone = update(kind(), true, Change::Remove, &[CONEX_REMOVE, CONEX_REMOVE]);
        assert_eq!(gone, (CONEX_UNCHANGED, vec![Some(1), None], None));
        // It may change its mind.
        let kept = update(kind(), true, Change::Upsert, &[CONEX_STORE, CONEX_KEEP]);
        assert_eq!(kept, (CONEX_UNCHANGED, vec![Some(1), Some(2)], Some(2)));
        let removed = update(kind(), true, Change::Upsert, &[CONEX_STORE, CONEX_REMOVE]);
        assert_eq!(removed, (CONEX_REMOVED, vec![Some(1), Some(2)], None));
    }
}

unsafe extern "C-unwind" fn make_meddling(value: *mut c_void, ctx: *mut c_void) -> i32 {
    let meddler = unsafe { &*ctx.cast::<Meddler>() };
    meddler.meddle(null());
    meddler.write(3, value);
    meddler.decide()
}

#[test]
fn who_comes_second_gets_the_value_of_the_first() {
    // What was made is not made again when the first one has gone.
    for (kind, change) in
        kinds().into_iter().flat_map(|kind| [(kind, Change::Upsert), (kind, Change::UpsertAndRemove)])
    {
        let meddler = Meddler::new(kind(), false, change, &[0]);
        let (key, mut value) = (meddler.kind.key(KEY), meddler.kind.value(99));
        let status = unsafe {
            conex_map_get_or_insert(
                meddler.map,
                key.as_ptr().cast(),
                key.len(),
                Some(make_meddling),
                meddler.ctx(),
                value.as_mut_ptr().cast(),
            )
        };
        let (expected, there) = if change == Change::Upsert { (CONEX_EXISTS, 2) } else { (CONEX_OK, 3) };
        assert_eq!((status, value), (expected, meddler.kind.value(there)));
        assert_eq!(meddler.end(), (vec![None], Some(there as u8)));
    }
}

unsafe extern "C-unwind" fn keep_meddling(
    _: *const c_void,
    _: usize,
    value: *const c_void,
    ctx: *mut c_void,
) -> i32 {
    let meddler = unsafe { &*ctx.cast::<Meddler>() };
    meddler.meddle(value);
    meddler.decide()
}

#[test]
fn retain_asks_again_when_the_entry_has_changed() {
    let retain = |kind: Box<dyn Kind>, change, decisions: &[i32]| {
        let meddler = Meddler::new(kind, true, change, decisions);
        let mut removed = usize::MAX;
        let status =
            unsafe { conex_map_retain(meddler.map, Some(keep_meddling), meddler.ctx(), &mut removed) };
        assert_eq!(status, CONEX_OK);
        let (seen, value) = meddler.end();
        (removed, seen, value)
    };
    for kind in kinds() {
        assert_eq!(retain(kind(), Change::Upsert, &[0, 1]), (0, vec![Some(1), Some(2)], Some(2)));
        assert_eq!(retain(kind(), Change::Upsert, &[0, 0]), (1, vec![Some(1), Some(2)], None));
        assert_eq!(retain(kind(), Change::Upsert, &[1]), (0, vec![Some(1)], Some(2)));
        assert_eq!(retain(kind(), Change::Remove, &[0]), (0, vec![Some(1)], None));
    }
}

/// As above, of values that own memory: what came to nothing is dropped.
#[test]
fn what_came_to_nothing_is_dropped_once() {
    struct Meddling<'a>(*mut conex_map, &'a Owner, [usize; 2], Cell<bool>);
    impl Meddling<'_> {
        fn insert_first(&self) {
            if self.3.replace(false) {
                let value = self.1.make(2);
                let status = unsafe { conex_map_upsert(self.0, at(&self.2), 16, at(&value), null_mut()) };
                assert!(matches!(status, CONEX_OK | CONEX_EXISTS));
            }
        }
    }
    unsafe extern "C-unwind" fn make(value: *mut c_void, ctx: *mut c_void) -> i32 {
        let meddling = unsafe { &*ctx.cast::<Meddling<'_>>() };
        meddling.insert_first();
        unsafe { value.cast::<[usize; 2]>().write(meddling.1.make(3)) };
        0
    }
    unsafe extern "C-unwind" fn update(
        _: *const c_void,
        _: usize,
        old: *const c_void,
        value: *mut c_void,
        ctx: *mut c_void,
    ) -> i32 {
        let meddling = unsafe { &*ctx.cast::<Meddling<'_>>() };
        let first = meddling.3.get();
        meddling.insert_first();
        assert_eq!(
            unsafe { old.cast::<[usize; 2]>().as_ref() }.map(Owner::read),
            if first { Some(1) } else { Some(2) }
        );
        unsafe { value.cast::<[usize; 2]>().write(meddling.1.make(3)) };
        CONEX_STORE
    }
    let (keys, values) = (Owner::new(), Owner::new());
    let map = new(&owners(&keys, &values));
    for n in 0..20 {
        let (key, mut out) = (keys.make(n), [0_usize; 2]);
        let meddling = Meddling(map, &values, key, Cell::new(true));
        let ctx = std::ptr::from_ref(&meddling).cast_mut().cast();
        if n % 2 == 0 {
            let status = unsafe { conex_map_get_or_insert(map, at(&key), 16, Some(make), ctx, to(&mut out)) };
            assert_eq!((status, Owner::read(&out)), (CONEX_EXISTS, 2));
            values.end(out);
        } else {
            let (value, mut done) = (values.make(1), -1);
            let status = unsafe { conex_map_insert(map, at(&key), 16, at(&value), null_mut()) };
            assert_eq!(status, CONEX_OK);
            let status = unsafe { conex_map_update(map, at(&key), 16, Some(update), ctx, &mut done) };
            assert_eq!((status, done), (CONEX_OK, CONEX_REPLACED));
            assert_eq!(unsafe { conex_map_get(map, at(&key), 16, to(&mut out)) }, CONEX_OK);
            assert_eq!(Owner::read(&out), 3);
            values.end(out);
        }
        keys.end(key);
    }
    assert_eq!(len(map), 20);
    assert_eq!(unsafe { conex_map_destroy(map) }, CONEX_OK);
    assert_eq!((keys.live.load(Ordering::SeqCst), values.live.load(Ordering::SeqCst)), (0, 0));
}
