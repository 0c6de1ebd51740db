//! The engine in loom: every interleaving of small programs on tiny tables, within the preemption bound.
//!
//! Buckets have one cell and two lanes here, tables two buckets and more, chunks one. Positions are chosen, not hashed:
//! those with the top bit clear are in bucket 0 of a table of two.

use std::vec::Vec;

use loom::sync::Arc;
use loom::thread;

use super::change::{Change, Plan};
use super::count::{Count, NEAR};
use super::engine::Engine;
use super::hash::Mixer;
use super::parked::Parked;
use super::table::{MIN_LOG2, Table};
use super::words::{Word, Words};
use crate::mem::{Allocator, NoMemory};
use crate::reclaim::Domain;
use crate::sync::Ordering;

type Map = Engine<Words>;

fn map() -> Arc<Map> {
    let domain = Domain::new().unwrap();
    Arc::new(Engine::new(&domain, Allocator::process(), Words { mixer: Mixer::new(0) }, 0).unwrap())
}

/// Two positions in bucket 0 of a table of two, of which the second moves to bucket 1 of four; and one in bucket 1.
const A: u64 = 0x1000;
const B: u64 = 1 << 62 | 0x2000;
const C: u64 = 1 << 63 | 0x3000;

fn get(map: &Map, key: u64) -> Option<u64> {
    map.get(&map.pin(), &Word(key)).map(|pair| pair.value)
}

/// Without a pin, as maps of words do it.
fn get_word(map: &Map, key: u64) -> Option<u64> {
    map.get_word(Word(key)).map(|pair| pair.value)
}

/// As [`get_word`].
fn add_word(map: &Map, key: u64, by: u64) -> Change {
    map.change_word(Word(key), |old| Plan::Store(old.map_or(0, |pair| pair.value) + by)).unwrap()
}

/// As [`get_word`].
fn remove_word(map: &Map, key: u64) -> Option<u64> {
    match map.change_word(Word(key), |_| Plan::Remove).unwrap() {
        Change::Removed(pair) => Some(pair.value),
        _ => None,
    }
}

fn change(map: &Map, key: u64, mut plan: impl FnMut(Option<u64>) -> Plan) -> Change {
    let pinned = map.pin();
    let done = map.change(&pinned, &Word(key), |old| Ok::<_, NoMemory>(plan(old.map(|pair| pair.value))));
    done.unwrap().finish()
}

fn insert(map: &Map, key: u64, value: u64) -> bool {
    let done = change(map, key, |old| if old.is_some() { Plan::Keep } else { Plan::Store(value) });
    done == Change::Inserted
}

fn add(map: &Map, key: u64, by: u64) {
    change(map, key, |old| Plan::Store(old.unwrap_or(0) + by));
}

fn remove(map: &Map, key: u64) -> Option<u64> {
    match change(map, key, |_| Plan::Remove) {
        Change::Removed(pair) => Some(pair.value),
        _ => None,
    }
}

fn contents(map: &Map) -> Vec<(u64, u64)> {
    let mut all = Vec::new();
    let mut first = Some(0);
    while let Some(at) = first {
        let pinned = map.pin();
        let region = map.region(&pinned, at);
        let _ = region.try_for_each(map.codec(), |pair| {
            all.push((pair.key, pair.value));
            core::ops::ControlFlow::<()>::Continue(())
        });
        first = region.next();
    }
    all.sort_unstable();
    all
}

/// The thread runs under one pin, as in a session: a pin is a fence, and one for each operation would hide what the
/// operation's own orderings are for.
fn spawn<R: 'static>(map: &Arc<Map>, run: impl FnOnce(&Map) -> R + 'static) -> thread::JoinHandle<R> {
    let map = map.clone();
    thread::spawn(move || {
        let _session = map.pin();
        run(&map)
    })
}

#[test]
fn insert_and_insert_of_one_key() {
    loom::model(|| {
        let map = map();
        let other = spawn(&map, |map| insert(map, A, 1));
        let mine = insert(&map, A, 2);
        let theirs = other.join().unwrap();
        assert!(mine != theirs, "exactly one wins");
        assert_eq!(contents(&map), [(A, if mine { 2 } else { 1 })]);
        assert_eq!(map.len(), 1);
    });
}

/// One cell for two: one of them goes to a node.
#[test]
fn insert_and_insert_in_one_bucket() {
    loom::model(|| {
        let map = map();
        let other = spawn(&map, |map| insert(map, A, 1));
        assert!(insert(&map, B, 2));
        assert!(other.join().unwrap());
        assert_eq!(contents(&map), [(A, 1), (B, 2)]);
    });
}

/// A key whose word is the mark of a free cell: whoever wrote it into one would lose the cell to the other.
#[test]
fn insert_and_insert_of_a_mark() {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(1);
    model.check(|| {
        let map = map();
        let other = spawn(&map, |map| insert(map, 0, 1));
        assert!(insert(&map, A, 2));
        assert!(other.join().unwrap());
        assert_eq!(contents(&map), [(0, 1), (A, 2)]);
    });
}

#[test]
fn insert_and_remove() {
    loom::model(|| {
        let map = map();
        insert(&map, A, 1);
        let other = spawn(&map, |map| remove(map, A));
        let mine = insert(&map, A, 2);
        assert_eq!(other.join().unwrap(), Some(1));
        assert_eq!(contents(&map), if mine { vec![(A, 2)] } else { vec![] });
    });
}

/// One free lane for two: the second one has to take another way.
#[test]
fn update_and_update() {
    loom::model(|| {
        let map = map();
        insert(&map, A, 1);
        let other = spawn(&map, |map| add(map, A, 10));
        add(&map, A, 100);
        other.join().unwrap();
        assert_eq!(contents(&map), [(A, 111)]);
    });
}

#[test]
fn update_and_remove() {
    loom::model(|| {
        let map = map();
        insert(&map, A, 1);
        let other = spawn(&map, |map| remove(map, A).unwrap());
        add(&map, A, 100);
        let removed = other.join().unwrap();
        assert_eq!(contents(&map), if removed == 1 { vec![(A, 100)] } else { vec![] });
    });
}

/// With a node in play: both keys are updated, one in the cell, one in the node.
#[test]
fn update_and_update_in_a_full_bucket() {
    loom::model(|| {
        let map = map();
        insert(&map, A, 1);
        insert(&map, B, 2);
        let other = spawn(&map, |map| add(map, A, 10));
        add(&map, B, 100);
        other.join().unwrap();
        assert_eq!(contents(&map), [(A, 11), (B, 102)]);
    });
}

/// The cell of a removed key is used again under a reader's eyes: it gets the key's value, or none.
#[test]
fn get_while_the_cell_is_used_again() {
    loom::model(|| {
        let map = map();
        insert(&map, A, 1);
        let _session = map.pin();
        let other = spawn(&map, |map| {
            remove(map, A);
            insert(map, B, 2);
        });
        assert!(matches!(get(&map, A), None | Some(1)));
        assert!(matches!(get(&map, B), None | Some(2)));
        other.join().unwrap();
    });
}

/// Updates go back and forth between the lanes: a reader sees them in order, and never a half one.
#[test]
fn get_and_updates() {
    loom::model(|| {
        let map = map();
        insert(&map, A, 1);
        let _session = map.pin();
        let other = spawn(&map, |map| {
            add(map, A, 1);
            add(map, A, 1);
        });
        let first = get(&map, A).unwrap();
        let second = get(&map, A).unwrap();
        assert!((1..=3).contains(&first) && (first..=3).contains(&second));
        other.join().unwrap();
    });
}

/// Begins the migration of the current table, which has 2^`from` buckets, and leaves it to the others.
fn begin(map: &Map, from: u32, to: u32) {
    let pinned = map.pin();
    let table = map.table(&pinned);
    assert_eq!(table.log2(), from);
    map.resize(table, to).unwrap();
    assert!(table.is_migrating());
}

fn assist(map: &Map) {
    let pinned = map.pin();
    map.assist(&pinned, map.table(&pinned)).unwrap();
}

#[test]
fn two_helpers_grow() {
    loom::model(|| {
        let map = map();
        insert(&map, A, 1);
        insert(&map, B, 2);
        begin(&map, 1, 2);
        let other = spawn(&map, assist);
        assist(&map);
        other.join().unwrap();
        assert_eq!(contents(&map), [(A, 1), (B, 2)]);
        assist(&map);
        assist(&map);
        let pinned = map.pin();
        assert_eq!(map.table(&pinned).log2(), 2);
        assert_eq!(contents(&map), [(A, 1), (B, 2)]);
    });
}

/// Whoever moves the last group makes the new table the current one. What another thread has moved is live in it then, for
/// one that has only loaded the table.
#[test]
fn two_helpers_grow_and_one_reads() {
    loom::model(|| {
        let map = map();
        insert(&map, A, 1);
        insert(&map, C, 3);
        begin(&map, 1, 2);
        let other = spawn(&map, assist);
        assist(&map);
        assert_eq!((get_word(&map, A), get_word(&map, C)), (Some(1), Some(3)));
        other.join().unwrap();
    });
}

/// The same where all groups were handed out to a thread that never comes back, and are done for it.
#[test]
fn two_helpers_do_what_was_handed_out_and_one_reads() {
    loom::model(|| {
        let map = map();
        insert(&map, A, 1);
        insert(&map, C, 3);
        begin(&map, 1, 2);
        let pinned = map.pin();
        // Relaxed: as in `assist`.
        map.table(&pinned).progress.cursor.fetch_add(2, Ordering::Relaxed);
        drop(pinned);
        let other = spawn(&map, assist);
        assist(&map);
        assert_eq!((get_word(&map, A), get_word(&map, C)), (Some(1), Some(3)));
        other.join().unwrap();
    });
}

/// The same for one that has pinned long before.
#[test]
fn get_while_another_thread_grows() {
    loom::model(|| {
        let map = map();
        insert(&map, A, 1);
        insert(&map, C, 3);
        begin(&map, 1, 2);
        let _session = map.pin();
        let other = spawn(&map, migrate);
        assert_eq!((get(&map, A), get(&map, C)), (Some(1), Some(3)));
        other.join().unwrap();
    });
}

#[test]
fn two_helpers_shrink() {
    loom::model(|| {
        let map = map();
        begin(&map, 1, 2);
        assist(&map);
        assist(&map);
        insert(&map, A, 1);
        insert(&map, B, 2);
        begin(&map, 2, 1);
        let other = spawn(&map, |map| {
            let pinned = map.pin();
            let table = map.table(&pinned);
            // Both on the same group.
            if let Some(next) = table.next(&pinned) {
                map.migrate(&pinned, table, next, 0).unwrap();
            }
        });
        assist(&map);
        other.join().unwrap();
        assert_eq!(contents(&map), [(A, 1), (B, 2)]);
    });
}

/// A helper moves a bucket that is being read and written.
#[test]
fn helper_and_user_grow() {
    loom::model(|| {
        let map = map();
        insert(&map, A, 1);
        begin(&map, 1, 2);
        let helper = spawn(&map, assist);
        let _session = map.pin();
        assert_eq!(get(&map, A), Some(1));
        add(&map, A, 1);
        assert_eq!(get(&map, A), Some(2));
        helper.join().unwrap();
        assert_eq!(contents(&map), [(A, 2)]);
    });
}

/// A helper moves a bucket that one thread writes and another one reads.
#[test]
fn reader_while_a_writer_grows() {
    loom::model(|| {
        let map = map();
        insert(&map, A, 1);
        begin(&map, 1, 2);
        let writer = spawn(&map, |map| add(map, A, 1));
        let _session = map.pin();
        let first = get(&map, A).unwrap();
        let second = get(&map, A).unwrap();
        assert!(first <= second && (1..=2).contains(&second));
        writer.join().unwrap();
        assert_eq!(contents(&map), [(A, 2)]);
    });
}

/// Two writers in the same bucket that is to be moved: each key ends with its own value.
#[test]
fn two_writers_grow() {
    loom::model(|| {
        let map = map();
        insert(&map, A, 1);
        begin(&map, 1, 2);
        let other = spawn(&map, |map| insert(map, B, 2));
        let removed = remove(&map, A);
        assert!(other.join().unwrap());
        assert_eq!(removed, Some(1));
        assert_eq!(contents(&map), [(B, 2)]);
    });
}

/// A scan beside a migration meets each key once.
#[test]
fn scan_while_growing() {
    loom::model(|| {
        let map = map();
        insert(&map, A, 1);
        insert(&map, C, 3);
        begin(&map, 1, 2);
        let _session = map.pin();
        let other = spawn(&map, |map| {
            assist(map);
            assist(map);
        });
        assert_eq!(contents(&map), [(A, 1), (C, 3)]);
        other.join().unwrap();
    });
}

/// One thread removes what the other one has moved.
#[test]
fn remove_while_shrinking() {
    loom::model(|| {
        let map = map();
        begin(&map, 1, 2);
        assist(&map);
        assist(&map);
        insert(&map, A, 1);
        insert(&map, B, 2);
        begin(&map, 2, 1);
        let other = spawn(&map, |map| remove(map, A));
        add(&map, B, 1);
        assert_eq!(other.join().unwrap(), Some(1));
        assert_eq!(contents(&map), [(B, 3)]);
    });
}

/// Moves everything, and lets go of the table.
fn migrate(map: &Map) {
    assist(map);
    assist(map);
}

/// A thread that protects its table by a slot reads while the table is replaced: it is not retired under the reader.
#[test]
fn unpinned_reader_while_the_table_is_replaced() {
    loom::model(|| {
        let map = map();
        add_word(&map, C, 1);
        begin(&map, 1, 2);
        assist(&map);
        let other = {
            let map = map.clone();
            thread::spawn(move || {
                assert_eq!(get_word(&map, C), Some(1));
                assert_eq!(get_word(&map, C), Some(1));
            })
        };
        assist(&map);
        other.join().unwrap();
        assert_eq!(get_word(&map, C), Some(1));
    });
}

/// The same with a writer.
#[test]
fn unpinned_writer_while_the_table_is_replaced() {
    loom::model(|| {
        let map = map();
        add_word(&map, C, 1);
        begin(&map, 1, 2);
        assist(&map);
        let other = {
            let map = map.clone();
            thread::spawn(move || {
                add_word(&map, C, 1);
            })
        };
        assist(&map);
        other.join().unwrap();
        assert_eq!(get_word(&map, C), Some(2));
    });
}

/// A table that was parked because a slot named it is retired when that thread has moved on, by one side or the other.
#[test]
fn parked_tables_are_not_overlooked() {
    // In how many executions a table was parked. Not loom's own mutex.
    static PARKED: std::sync::Mutex<usize> = std::sync::Mutex::new(0);
    loom::model(|| {
        let map = map();
        begin(&map, 1, 2);
        assist(&map);
        let other = {
            let map = map.clone();
            thread::spawn(move || {
                get_word(&map, C);
                get_word(&map, C);
                let lane = map.hazards.lane();
                // SAFETY: used here only.
                unsafe { map.table_by(&lane) }.log2()
            })
        };
        assist(&map);
        let parked = map.parked.any();
        if other.join().unwrap() == 2 {
            assert!(!map.parked.any(), "nobody has used the old table since");
        }
        *PARKED.lock().unwrap() += usize::from(parked);
    });
    assert!(*PARKED.lock().unwrap() > 0, "else this tests nothing");
}

/// Every table of a list is taken with it, once.
#[test]
fn parked_tables_are_taken_with_their_list() {
    loom::model(|| {
        let parked = Arc::new(Parked::new());
        let other = {
            let parked = parked.clone();
            thread::spawn(move || {
                for _ in 0..2 {
                    // SAFETY: made just now: nobody names it, and it is in no list.
                    unsafe { parked.put(Table::new(&Allocator::process(), MIN_LOG2).unwrap()) };
                }
            })
        };
        let mut taken = 0;
        let mut take = || {
            parked.take(|table| {
                taken += 1;
                // SAFETY: taken, and nobody names it.
                unsafe { Table::release(table.as_ptr(), &Allocator::process()) };
            });
        };
        take();
        other.join().unwrap();
        take();
        assert_eq!((taken, parked.any()), (2, false));
    });
}

/// Two threads whose counting cells are in a chunk that is not there yet: no count is lost, and no chunk.
#[test]
fn far_cells_are_made_once() {
    loom::model(|| {
        let count = Arc::new((Count::new(), Allocator::process()));
        let add = |index| {
            let count = count.clone();
            thread::spawn(move || assert_eq!(count.0.add(&count.1, index, 1), 1))
        };
        let (one, other) = (add(NEAR), add(NEAR + 1));
        count.0.add(&count.1, 0, -1);
        one.join().unwrap();
        other.join().unwrap();
        assert_eq!(count.0.entries(), 1);
        // SAFETY: the last call.
        unsafe { count.0.free(&count.1) };
    });
}

/// A reader that follows a moved bucket names the next table, which may have been replaced already.
#[test]
fn unpinned_reader_in_the_next_table() {
    // Two migrations: somewhat longer than loom expects.
    let mut model = loom::model::Builder::new();
    model.max_branches = 4000;
    model.check(|| {
        let map = map();
        add_word(&map, A, 1);
        begin(&map, 1, 2);
        assist(&map);
        let other = {
            let map = map.clone();
            thread::spawn(move || assert_eq!(get_word(&map, A), Some(1)))
        };
        assist(&map);
        begin(&map, 2, 1);
        migrate(&map);
        other.join().unwrap();
        assert_eq!(get_word(&map, A), Some(1));
    });
}

/// Nothing but the orderings of the bucket holds this together: no pin, and the table stays.
#[test]
fn unpinned_get_while_the_cell_is_used_again() {
    loom::model(|| {
        let map = map();
        add_word(&map, A, 1);
        let other = {
            let map = map.clone();
            thread::spawn(move || {
                remove_word(&map, A);
                add_word(&map, B, 2);
            })
        };
        assert!(matches!(get_word(&map, B), None | Some(2)));
        assert!(matches!(get_word(&map, A), None | Some(1)));
        other.join().unwrap();
    });
}

/// As above, with updates: a reader sees them in order.
#[test]
fn unpinned_get_and_updates() {
    loom::model(|| {
        let map = map();
        add_word(&map, A, 1);
        let other = {
            let map = map.clone();
            thread::spawn(move || {
                add_word(&map, A, 1);
                add_word(&map, A, 1);
            })
        };
        let first = get_word(&map, A).unwrap();
        let second = get_word(&map, A).unwrap();
        assert!((1..=3).contains(&first) && (first..=3).contains(&second));
        other.join().unwrap();
    });
}

/// Two writers at one lane: one of them has to give its claim back, or to go another way.
#[test]
fn unpinned_update_and_update() {
    loom::model(|| {
        let map = map();
        add_word(&map, A, 1);
        let other = {
            let map = map.clone();
            thread::spawn(move || {
                add_word(&map, A, 10);
            })
        };
        add_word(&map, A, 100);
        other.join().unwrap();
        assert_eq!(get_word(&map, A), Some(111));
        assert_eq!(map.len(), 1);
    });
}

/// The lane of the first update becomes the free one, and another key's after its cell was taken again.
#[test]
fn unpinned_get_and_a_swap_of_lanes() {
    loom::model(|| {
        let map = map();
        add_word(&map, A, 1);
        let other = {
            let map = map.clone();
            thread::spawn(move || {
                add_word(&map, A, 1);
                remove_word(&map, A);
                add_word(&map, B, 0x100);
                add_word(&map, B, 0x100);
            })
        };
        assert!(matches!(get_word(&map, A), None | Some(1 | 2)));
        other.join().unwrap();
        assert_eq!(get_word(&map, B), Some(0x200));
    });
}
