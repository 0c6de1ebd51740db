//! What a map hands on: entries, overflow nodes, tables, counters.

use std::hash::{BuildHasher, Hasher};

use conex::{Domain, Map, Options};

use super::turns::{relay_in, until};

/// Hashes are the same in every run.
struct Plain;

impl BuildHasher for Plain {
    type Hasher = PlainHasher;

    fn build_hasher(&self) -> PlainHasher {
        PlainHasher(0)
    }
}

struct PlainHasher(u64);

impl Hasher for PlainHasher {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

fn map(domain: &Domain) -> Map<u64, Box<u64>, Plain> {
    Map::with_options(&Options::new().domain(domain), 0, Plain).expect("memory")
}

/// Pair (1): an entry by the header of its bucket.
#[test]
fn an_entry_of_a_map() {
    let domain = Domain::new().expect("memory");
    let map = map(&domain);
    relay_in(
        &domain,
        &[
            (0, &|| map.insert(1, Box::new(7)).unwrap()),
            (1, &|| until(|| map.with(&1, |value| **value) == Some(7))),
            (1, &|| assert_eq!(map.upsert(1, Box::new(8)).as_deref(), Some(&7))),
            (0, &|| until(|| map.remove(&1).is_some_and(|value| *value == 8))),
        ],
    );
}

/// The same through overflow nodes: all keys belong to one bucket, which has seven cells, and no two have the same hash.
#[test]
fn a_node_of_a_map() {
    // As the map spreads hashes: the top bits of the product are the bucket.
    let position = |hash: u64| (hash ^ hash >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let keys: Vec<u64> = (0..).filter(|key| position(Plain.hash_one(key)) >> 61 == 0).take(10).collect();
    let domain = Domain::new().expect("memory");
    let map = map(&domain);
    let insert = |key: &u64| map.insert(*key, Box::new(*key)).unwrap();
    let find = |key: &u64| until(|| map.with(key, |value| **value) == Some(*key));
    relay_in(
        &domain,
        &[
            (0, &|| keys[..9].iter().for_each(insert)),
            // First of all an insertion: a lookup sees the header before it pins, and the pin is a fence.
            (1, &|| insert(&keys[9])),
            (1, &|| keys[..9].iter().rev().for_each(find)),
            (0, &|| find(&keys[9])),
        ],
    );
    assert_eq!((keys.len(), map.stats().buckets), (10, 4), "else they may stand in cells");
}

/// Pair (4): the table that another thread has begun to fill, for one that comes to help.
#[test]
fn a_next_table_of_a_map() {
    let insert = |map: &Map<u64, Box<u64>, Plain>, key: u64| map.insert(key, Box::new(key)).unwrap();
    let domain = Domain::new().expect("memory");
    // With as many keys growth begins, without a look at the figures.
    let other = map(&domain);
    let mut keys = 0;
    while !other.stats().resizing {
        insert(&other, keys);
        keys += 1;
    }
    let map = map(&domain);
    // Of the keys that follow, one at least belongs to a bucket that has not moved.
    relay_in(
        &domain,
        &[
            (0, &|| (0..keys).for_each(|key| insert(&map, key))),
            (1, &|| (2000..2004).for_each(|key| insert(&map, key))),
        ],
    );
    assert!(map.stats().buckets > 8 || map.stats().resizing, "else this tests nothing");
}

/// Pair (7): the counter of a thread beyond the first ones.
#[test]
fn a_counter_of_a_map() {
    let domain = Domain::new().expect("memory");
    let map = map(&domain);
    relay_in(&domain, &[(4, &|| map.insert(1, Box::new(1)).unwrap()), (0, &|| assert!(map.len() <= 1))]);
}
