//! Operations without a pin: nothing but the bucket's own orderings holds them together, and a slot holds the table.

use super::*;
use crate::map::header::NodeChange;

/// A thread that protects its table by a slot reads while the table is replaced: it is not retired under the reader.
#[test]
fn reader_while_the_table_is_replaced() {
    model(|| {
        let map = map();
        add_word(&map, C, 1);
        begin(&map, 1, 2);
        assist(&map);
        let other = spawn_unpinned(&map, |map| {
            assert_eq!(get_word(map, C), Some(1));
            assert_eq!(get_word(map, C), Some(1));
        });
        assist(&map);
        other.join().unwrap();
        assert_eq!(get_word(&map, C), Some(1));
    });
}

/// The same with a writer.
#[test]
fn writer_while_the_table_is_replaced() {
    model(|| {
        let map = map();
        add_word(&map, C, 1);
        begin(&map, 1, 2);
        assist(&map);
        let other = spawn_unpinned(&map, |map| {
            add_word(map, C, 1);
        });
        assist(&map);
        other.join().unwrap();
        assert_eq!(get_word(&map, C), Some(2));
    });
}

/// A reader that follows a moved bucket names the next table, which may have been replaced already.
#[test]
fn reader_in_the_next_table() {
    // Two migrations: somewhat longer than loom expects.
    let mut model = loom::model::Builder::new();
    model.max_branches = 4000;
    model.check(|| {
        let map = map();
        add_word(&map, A, 1);
        begin(&map, 1, 2);
        assist(&map);
        let other = spawn_unpinned(&map, |map| assert_eq!(get_word(map, A), Some(1)));
        assist(&map);
        begin(&map, 2, 1);
        migrate(&map);
        other.join().unwrap();
        assert_eq!(get_word(&map, A), Some(1));
    });
}

/// Nothing but the orderings of the bucket holds this together: no pin, and the table stays.
#[test]
fn get_while_the_cell_is_used_again() {
    model_within_one(|| {
        let map = map();
        add_word(&map, A, 1);
        let reader = spawn_unpinned(&map, |map| {
            assert!(matches!(get_word(map, B), None | Some(2)));
            assert!(matches!(get_word(map, A), None | Some(1)));
        });
        remove_word(&map, A);
        add_word(&map, B, 2);
        reader.join().unwrap();
        assert_settled(&map, A);
    });
}

/// As above, with updates: a reader sees them in order.
#[test]
fn get_and_updates() {
    model_within_one(|| {
        let map = map();
        add_word(&map, A, 1);
        let reader = spawn_unpinned(&map, |map| {
            let first = get_word(map, A).unwrap();
            let second = get_word(map, A).unwrap();
            assert!((1..=3).contains(&first) && (first..=3).contains(&second));
        });
        add_word(&map, A, 1);
        add_word(&map, A, 1);
        reader.join().unwrap();
        assert_settled(&map, A);
    });
}

/// Two writers at one lane: one of them has to give its claim back, or to go another way.
#[test]
fn update_and_update() {
    model(|| {
        let map = map();
        add_word(&map, A, 1);
        let other = spawn_unpinned(&map, |map| {
            add_word(map, A, 10);
        });
        add_word(&map, A, 100);
        other.join().unwrap();
        assert_eq!(get_word(&map, A), Some(111));
        assert_eq!(map.len(), 1);
        assert_settled(&map, A);
    });
}

/// The lane of the first update becomes the free one, and another key's after its cell was taken again.
#[test]
fn get_and_a_swap_of_lanes() {
    model_within_one(|| {
        let map = map();
        add_word(&map, A, 1);
        let reader = spawn_unpinned(&map, |map| assert!(matches!(get_word(map, A), None | Some(1 | 2))));
        add_word(&map, A, 1);
        remove_word(&map, A);
        add_word(&map, B, 0x100);
        add_word(&map, B, 0x100);
        reader.join().unwrap();
        assert_eq!(get_word(&map, B), Some(0x200));
        assert_settled(&map, A);
    });
}

/// By the words in the bucket, as maps do it whose entries are looked into under a pin.
fn get_by_sight(map: &Map, key: u64) -> Option<u64> {
    map.get_by_sight(&Word(key), |pair| pair.value)
}

/// A key that leaves its cell for the node is there all the time: who does not see it looks once more.
#[test]
fn sight_of_a_key_that_leaves_its_cell() {
    model(|| {
        let map = map();
        add_word(&map, A, 1);
        // A thread that never comes back has claimed the lane.
        let pinned = map.pin();
        let bucket = map.table(&pinned).bucket(A);
        let header = bucket.load();
        assert!(bucket.exchange(header, header.with_claim(true).after(header, NodeChange::Keep)));
        drop(pinned);
        let reader = spawn_unpinned(&map, |map| {
            assert!(matches!(get_by_sight(map, A), Some(1 | 2)), "it is always there")
        });
        add_word(&map, A, 1);
        reader.join().unwrap();
        assert_eq!(get_by_sight(&map, A), Some(2));
    });
}

/// What was seen in a cell that is used again is not taken for the entry.
#[test]
fn sight_of_a_cell_that_is_used_again() {
    model(|| {
        let map = map();
        add_word(&map, A, 1);
        let reader = spawn_unpinned(&map, |map| assert!(matches!(get_by_sight(map, A), None | Some(1))));
        remove_word(&map, A);
        add_word(&map, B, 2);
        reader.join().unwrap();
    });
}
