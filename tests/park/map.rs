//! The map of each codec, through the C functions: at rest, while it grows, and while it shrinks.

use std::ffi::c_void;
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use conex::ffi::domain::*;
use conex::ffi::element::{conex_allocator, conex_element};
use conex::ffi::guard::*;
use conex::ffi::map::*;
use conex::ffi::map_all::*;
use conex::ffi::map_read::*;
use conex::ffi::map_write::*;
use conex::ffi::status::conex_status::{self, *};

use crate::driver::{Subject, Suite, Where, Worker};
use crate::map_operations::visit_all;

/// Keys below `HOT` are used by all operations; counters come next, then the key that `retain` removes, one a worker, and
/// then those that fill the map.
pub(crate) const HOT: u64 = 12;
pub(crate) const COUNTERS: u64 = 1000;
pub(crate) const COUNTER_KEYS: u64 = 3;
pub(crate) const RETAIN: u64 = 2000;
pub(crate) const BULK: u64 = 10_000;
pub(crate) const BATCH: usize = 3;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Codec {
    /// Words to words.
    Words,
    /// Byte strings to words.
    Keyed,
    /// Byte strings to 24 bytes.
    Entries,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Rest,
    Growing,
    /// The next writer gets the last part of the migration.
    Ending,
    Shrinking,
}

const MAP: &[&str] = &[
    "get",
    "contains",
    "insert",
    "upsert",
    "replace",
    "remove",
    "compare_exchange",
    "update",
    "get_or_insert",
    "get_ref",
    "get_n",
    "insert_n",
    "remove_n",
    "for_each",
    "scan",
    "retain",
    "len",
    "is_empty",
    "stats",
    "reserve",
    "shrink",
    "session",
    "fetch_add",
];
/// What is parked beside another parked thread.
const PAIRED: &[&str] = &["get", "insert", "remove", "update", "insert_n"];
const RESIZING: &[&str] =
    &["get", "insert", "upsert", "remove", "update", "insert_n", "remove_n", "for_each", "retain", "shrink"];
/// As above, and what makes the keys' counts unknown.
const CLEARED: &[&str] = &["insert", "remove", "get", "upsert", "insert_n", "for_each", "len", "clear"];

pub(crate) struct OfMap {
    pub(crate) codec: Codec,
    state: State,
    operations: &'static [&'static str],
    pub(crate) domain: *mut conex_domain,
    pub(crate) map: *mut conex_map,
    /// Inserted minus removed.
    there: [AtomicI64; HOT as usize],
    pub(crate) added: AtomicU64,
    bulk: AtomicU64,
}

// SAFETY: handles may be used from any thread.
unsafe impl Send for OfMap {}
// SAFETY: as above.
unsafe impl Sync for OfMap {}

pub(crate) fn at<T: ?Sized>(value: &T) -> *const c_void {
    std::ptr::from_ref(value).cast()
}

pub(crate) fn to<T: ?Sized>(value: &mut T) -> *mut c_void {
    std::ptr::from_mut(value).cast()
}

pub(crate) fn must(status: conex_status) {
    assert_eq!(status, CONEX_OK);
}

/// Values are three words, of which maps of words take the first one: the key's number in the upper half, and something
/// new in the lower one.
pub(crate) type Value = [u64; 3];

pub(crate) fn value(worker: &mut Worker, number: u64) -> Value {
    let word = number << 32 | worker.token() & 0xFFFF_FFFF;
    [word, !word, word]
}

pub(crate) struct Key([u8; 24], pub(crate) usize);

impl Key {
    pub(crate) fn data(&self) -> *const c_void {
        at(&self.0)
    }
}

impl OfMap {
    fn new(worker: &mut Worker, codec: Codec, state: State, operations: &'static [&'static str]) -> Self {
        let mut domain = null_mut();
        must(unsafe { conex_domain_new(null(), &mut domain) });
        let word = conex_element { size: 8, align: 8, drop: None, clone: None, ctx: null_mut() };
        let options = conex_map_options {
            struct_size: size_of::<conex_map_options>(),
            flags: 0,
            key: if codec == Codec::Words { CONEX_KEY_FIXED } else { CONEX_KEY_BYTES },
            key_element: word,
            value: conex_element { size: if codec == Codec::Entries { 24 } else { 8 }, ..word },
            hash: None,
            equal: None,
            key_ctx: null_mut(),
            // The same table each time, so that k counts the same steps.
            seed: 7,
            capacity: 0,
            domain,
            allocator: conex_allocator { alloc: None, free: None, ctx: null_mut() },
        };
        let mut map = null_mut();
        must(unsafe { conex_map_new(&options, &mut map) });
        let this = Self {
            codec,
            state,
            operations,
            domain,
            map,
            there: Default::default(),
            added: AtomicU64::new(0),
            bulk: AtomicU64::new(0),
        };
        for number in (0..HOT).step_by(2) {
            this.insert(worker, number);
        }
        if state != State::Rest {
            // Large enough for a migration that takes several operations.
            while this.stats().buckets < if state == State::Shrinking { 128 } else { 32 } || this.resizing() {
                this.fill(worker);
            }
        }
        match state {
            State::Rest => {}
            State::Growing | State::Ending => {
                while !this.resizing() {
                    this.fill(worker);
                }
                if state == State::Ending {
                    // As many as another map takes that was made in the same way, but one.
                    for _ in 1..Self::new(worker, codec, State::Growing, operations).left(worker) {
                        this.fill(worker);
                    }
                    assert!(this.resizing(), "it has got done already");
                }
            }
            State::Shrinking => {
                while !this.resizing() && this.bulk.load(Ordering::SeqCst) > 0 {
                    this.empty(worker);
                }
                assert!(this.resizing(), "it does not shrink");
            }
        }
        this
    }

    pub(crate) fn key(&self, number: u64) -> Key {
        let mut bytes = [number as u8; 24];
        bytes[..8].copy_from_slice(&number.to_le_bytes());
        // Of several lengths, longer and shorter than words.
        Key(bytes, if self.codec == Codec::Words { 8 } else { 8 + (number % 13) as usize })
    }

    pub(crate) fn check(&self, number: u64, value: &Value) {
        assert_eq!(value[0] >> 32, number, "a value of another key");
        if self.codec == Codec::Entries {
            assert!(value[1] == !value[0] && value[2] == value[0], "a torn value");
        }
    }

    pub(crate) fn count(&self, number: u64, by: i64) {
        if let Some(there) = self.there.get(number as usize) {
            there.fetch_add(by, Ordering::SeqCst);
        }
    }

    pub(crate) fn stats(&self) -> conex_map_stats {
        let mut stats = conex_map_stats {
            struct_size: size_of::<conex_map_stats>(),
            entries: 0,
            buckets: 0,
            bytes: 0,
            growths: 0,
            shrinks: 0,
            resizing: 0,
        };
        must(unsafe { conex_map_stats_get(self.map, &mut stats) });
        stats
    }

    /// How many more insertions the migration under way takes. Ends the map.
    fn left(self, worker: &mut Worker) -> usize {
        let mut left = 0;
        while self.resizing() {
            self.fill(worker);
            left += 1;
        }
        must(unsafe { conex_map_destroy(self.map) });
        must(unsafe { conex_domain_destroy(self.domain) });
        left
    }

    fn resizing(&self) -> bool {
        self.stats().resizing != 0
    }

    /// One more key, and one less, of those that nobody else uses.
    fn fill(&self, worker: &mut Worker) {
        let number = BULK + self.bulk.fetch_add(1, Ordering::SeqCst);
        self.insert(worker, number);
    }

    fn empty(&self, worker: &mut Worker) {
        let number = BULK + self.bulk.fetch_sub(1, Ordering::SeqCst) - 1;
        self.remove(worker, number);
    }

    pub(crate) fn insert(&self, worker: &mut Worker, number: u64) {
        let (key, new, mut current) = (self.key(number), value(worker, number), [0; 3]);
        match unsafe { conex_map_insert(self.map, key.data(), key.1, at(&new), to(&mut current)) } {
            CONEX_OK => self.count(number, 1),
            CONEX_EXISTS => self.check(number, &current),
            status => panic!("insert: {status:?}"),
        }
    }

    pub(crate) fn remove(&self, _worker: &mut Worker, number: u64) {
        let (key, mut old) = (self.key(number), [0; 3]);
        let status = unsafe { conex_map_remove(self.map, key.data(), key.1, to(&mut old)) };
        if status == CONEX_OK {
            self.count(number, -1);
        }
        self.seen(number, status, &old);
    }

    pub(crate) fn seen(&self, number: u64, status: conex_status, value: &Value) {
        match status {
            CONEX_OK => self.check(number, value),
            CONEX_NOT_FOUND => {}
            status => panic!("an answer of {status:?}"),
        }
    }

    pub(crate) fn guard(&self) -> *mut conex_guard {
        let mut guard = null_mut();
        must(unsafe { conex_guard_enter(self.domain, &mut guard) });
        guard
    }
}

impl Subject for OfMap {
    fn run(&self, worker: &mut Worker, operation: usize) {
        self.operate(worker, self.operations[operation]);
    }

    /// The resize that the parked thread may be in the middle of comes to its end, and there is another growth.
    fn demand(&self, worker: &mut Worker) {
        if self.state == State::Rest {
            return;
        }
        let growths = self.stats().growths;
        let mut keys = 0_u64;
        while self.resizing() || self.stats().growths == growths {
            self.fill(worker);
            keys += 1;
            assert!(keys < 1_000_000, "a million keys, and no growth has come to its end");
        }
        while keys > 0 {
            keys -= 1;
            self.empty(worker);
        }
    }

    fn verify(&self, workers: &[Worker]) -> Result<(), String> {
        let mut expected = self.bulk.load(Ordering::SeqCst);
        let exact = !self.operations.contains(&"clear");
        for number in 0..HOT {
            let (key, mut is) = (self.key(number), false);
            must(unsafe { conex_map_contains(self.map, key.data(), key.1, &mut is) });
            let there = self.there[number as usize].load(Ordering::SeqCst);
            if exact && there != i64::from(is) {
                return Err(format!(
                    "key {number}: inserted minus removed is {there}, and it is there: {is}"
                ));
            }
            expected += u64::from(is);
        }
        let mut added = 0;
        for number in COUNTERS..COUNTERS + COUNTER_KEYS {
            let (key, mut value) = (self.key(number), [0; 3]);
            if unsafe { conex_map_get(self.map, key.data(), key.1, to(&mut value)) } == CONEX_OK {
                expected += 1;
                added += value[0];
            }
        }
        let should = self.added.load(Ordering::SeqCst);
        if added != should {
            return Err(format!("fetch_add: {should} was added, {added} is there"));
        }
        let (visited, mut len) = (visit_all(self, &mut Worker::default()), 0);
        must(unsafe { conex_map_len(self.map, &mut len) });
        // The keys of `retain` may be there too.
        let most = expected + workers.len() as u64;
        if visited != len as u64 || exact && !(expected..=most).contains(&visited) {
            return Err(format!(
                "len says {len}, for_each visits {visited}, {expected} keys should be there"
            ));
        }
        must(unsafe { conex_map_destroy(self.map) });
        must(unsafe { conex_domain_destroy(self.domain) });
        Ok(())
    }
}

fn suite(name: String, codec: Codec, state: State, victims: Option<&'static [&'static str]>) -> Suite {
    // `fetch_add` is of maps whose values are words.
    let operations = if codec == Codec::Entries { &MAP[..MAP.len() - 1] } else { MAP };
    Suite {
        name,
        operations,
        victims,
        beside: None,
        make: Box::new(move |worker| Box::new(OfMap::new(worker, codec, state, operations))),
        watchdog: Duration::from_secs(20),
    }
}

pub(crate) fn suites() -> Vec<Suite> {
    let mut suites = Vec::new();
    for (codec, name) in [(Codec::Words, "words"), (Codec::Keyed, "keyed"), (Codec::Entries, "entries")] {
        // The codecs share the engine, so that those with pointers need only the operations that do differ.
        let some = if codec == Codec::Words { None } else { Some(RESIZING) };
        suites.push(suite(format!("map of {name}"), codec, State::Rest, None));
        suites.push(suite(format!("map of {name}, growing"), codec, State::Growing, some));
        suites.push(suite(format!("map of {name}, shrinking"), codec, State::Shrinking, some));
        suites.push(Suite {
            operations: CLEARED,
            make: Box::new(move |worker| Box::new(OfMap::new(worker, codec, State::Rest, CLEARED))),
            ..suite(format!("map of {name}, being cleared"), codec, State::Rest, Some(&["clear"]))
        });
        for beside in ["insert", "remove", "update"] {
            suites.push(Suite {
                beside: Some((beside, Where::Each)),
                ..suite(format!("map of {name}, beside a parked {beside}"), codec, State::Rest, Some(PAIRED))
            });
        }
        // Who has been handed a part of a migration, and never takes it or never says that it is done.
        let takes = ("takes a part", "progress.cursor.fetch_add(");
        let reports = ("reports one done", "progress.done.fetch_add(");
        for (what, state, (when, text)) in [
            ("growing", State::Growing, takes),
            ("growing", State::Growing, reports),
            ("last of growth", State::Ending, reports),
            ("shrinking", State::Shrinking, takes),
            ("shrinking", State::Shrinking, reports),
        ] {
            suites.push(Suite {
                beside: Some(("insert", Where::At("src/map/migrate.rs", text))),
                ..suite(format!("{name}, {what}: one parked as it {when}"), codec, state, Some(PAIRED))
            });
        }
    }
    suites
}
