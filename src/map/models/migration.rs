//! Migrations: helpers beside helpers, and beside readers and writers of what moves.

use super::*;
use crate::sync::Ordering;

#[test]
fn two_helpers_grow() {
    model(|| {
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
    model(|| {
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
    model(|| {
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
    model(|| {
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
    model(|| {
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
    model(|| {
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
    model(|| {
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

/// Whoever moves the last group makes the new table the current one. What another thread has moved is live in it then, for
/// one that has only loaded the table.
#[test]
fn two_helpers_grow_and_one_reads() {
    model(|| {
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
    model(|| {
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
    model(|| {
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
