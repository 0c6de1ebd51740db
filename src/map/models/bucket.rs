//! One bucket: changes that meet in its cell, its lane and its node, and readers beside them.

use super::*;

#[test]
fn insert_and_insert_of_one_key() {
    model_within_one(|| {
        let map = map();
        let other = spawn(&map, |map| insert(map, A, 1));
        let mine = insert(&map, A, 2);
        let theirs = other.join().unwrap();
        assert!(mine != theirs, "exactly one wins");
        assert_eq!(contents(&map), [(A, if mine { 2 } else { 1 })]);
        assert_eq!(map.len(), 1);
        assert_settled(&map, A);
    });
}

/// One cell for two: one of them goes to a node.
#[test]
fn insert_and_insert_in_one_bucket() {
    model_within_one(|| {
        let map = map();
        let other = spawn(&map, |map| insert(map, A, 1));
        assert!(insert(&map, B, 2));
        assert!(other.join().unwrap());
        assert_eq!(contents(&map), [(A, 1), (B, 2)]);
        assert_settled(&map, A);
    });
}

#[test]
fn insert_and_remove() {
    model(|| {
        let map = map();
        insert(&map, A, 1);
        let other = spawn(&map, |map| remove(map, A));
        let mine = insert(&map, A, 2);
        assert_eq!(other.join().unwrap(), Some(1));
        assert_eq!(contents(&map), if mine { vec![(A, 2)] } else { vec![] });
        assert_settled(&map, A);
    });
}

/// One free lane for two: the second one has to take another way.
#[test]
fn update_and_update() {
    model(|| {
        let map = map();
        insert(&map, A, 1);
        let other = spawn(&map, |map| add(map, A, 10));
        add(&map, A, 100);
        other.join().unwrap();
        assert_eq!(contents(&map), [(A, 111)]);
        assert_settled(&map, A);
    });
}

#[test]
fn update_and_remove() {
    model(|| {
        let map = map();
        insert(&map, A, 1);
        let other = spawn(&map, |map| remove(map, A).unwrap());
        add(&map, A, 100);
        let removed = other.join().unwrap();
        assert_eq!(contents(&map), if removed == 1 { vec![(A, 100)] } else { vec![] });
        assert_settled(&map, A);
    });
}

/// With a node in play: both keys are updated, one in the cell, one in the node.
#[test]
fn update_and_update_in_a_full_bucket() {
    model(|| {
        let map = map();
        insert(&map, A, 1);
        insert(&map, B, 2);
        let other = spawn(&map, |map| add(map, A, 10));
        add(&map, B, 100);
        other.join().unwrap();
        assert_eq!(contents(&map), [(A, 11), (B, 102)]);
        assert_settled(&map, A);
    });
}

/// The cell of a removed key is used again under a reader's eyes: it gets the key's value, or none.
#[test]
fn get_while_the_cell_is_used_again() {
    model(|| {
        let map = map();
        insert(&map, A, 1);
        let reader = spawn(&map, |map| {
            assert!(matches!(get(map, A), None | Some(1)));
            assert!(matches!(get(map, B), None | Some(2)));
        });
        let session = map.pin();
        remove(&map, A);
        insert(&map, B, 2);
        drop(session);
        reader.join().unwrap();
        assert_settled(&map, A);
    });
}

/// Updates go back and forth between the lanes: a reader sees them in order, and never a half one.
#[test]
fn get_and_updates() {
    model(|| {
        let map = map();
        insert(&map, A, 1);
        let reader = spawn(&map, |map| {
            let first = get(map, A).unwrap();
            let second = get(map, A).unwrap();
            assert!((1..=3).contains(&first) && (first..=3).contains(&second));
        });
        let session = map.pin();
        add(&map, A, 1);
        add(&map, A, 1);
        drop(session);
        reader.join().unwrap();
        assert_settled(&map, A);
    });
}

/// A key whose word is the mark of a free cell: whoever wrote it into one would lose the cell to the other.
#[test]
fn insert_and_insert_of_a_mark() {
    model_within_one(|| {
        let map = map();
        let other = spawn(&map, |map| insert(map, 0, 1));
        assert!(insert(&map, A, 2));
        assert!(other.join().unwrap());
        assert_eq!(contents(&map), [(0, 1), (A, 2)]);
    });
}
