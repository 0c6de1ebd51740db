//! Migrations: helpers beside helpers, and beside readers and writers of what moves.

use super::*;
use crate::map::table::Table;
use crate::sync::Ordering;

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

/// Two threads move a group each, and one of them ends the migration: who begins with the new table afterwards finds in it
/// what the other one has moved.
#[test]
fn reader_after_two_helpers_grow() {
    reader_after(|_| ());
}

/// The same when the groups have been handed out to threads that do not come back, so that the two walk over them.
#[test]
fn reader_after_two_walkers_grow() {
    reader_after(|table| {
        let groups = 2;
        // Relaxed: before the other threads begin.
        table.progress.cursor.store(groups, Ordering::Relaxed);
    });
}

fn reader_after(prepare: impl Fn(&Table) + Sync + Send + 'static) {
    model_within_one(move || {
        let map = map();
        add_word(&map, A, 1);
        add_word(&map, C, 3);
        begin(&map, 1, 2);
        prepare(map.table(&map.pin()));
        let helper = spawn_unpinned(&map, assist);
        let reader = spawn_unpinned(&map, |map| {
            assert_eq!((get_word(map, A), get_word(map, C)), (Some(1), Some(3)));
        });
        assist(&map);
        helper.join().unwrap();
        reader.join().unwrap();
    });
}
