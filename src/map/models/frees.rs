//! A mixed header that repeats: its node has been freed, and another node has come to the same address. A reader without a
//! pin does not take what it reads for the entry.

use super::*;
use crate::map::bucket::Bucket;
use crate::map::header::NodeChange;
use crate::map::node::Node;
use crate::map::unpinned::Elsewhere;

/// Addresses that nodes could have. Nobody looks there.
const ONE: *const Node = core::ptr::without_provenance(0x1000);
const OTHER: *const Node = core::ptr::without_provenance(0x2000);

/// Exchanges the header, as the only thread that changes the bucket.
fn exchange(bucket: &Bucket, valid: usize, node: NodeChange) {
    let header = bucket.load();
    assert!(bucket.exchange(header, header.with_valid(valid).after(header, node)), "nobody else is at work");
}

/// Puts an entry into the cell, beside a node.
fn put(bucket: &Bucket, key: u64, value: u64, node: NodeChange) {
    let header = bucket.load();
    assert_eq!(bucket.reserve(header), Some(0));
    bucket.write_value(header.lane(0), value);
    bucket.write_key(0, key);
    exchange(bucket, 1, node);
}

fn take_out(bucket: &Bucket) {
    exchange(bucket, 0, NodeChange::Keep);
    bucket.free(0);
}

/// The bucket's own steps, with the reader's code and the count of frees as they are. The writer is all that the change of an
/// entry, the end of a grace period and the allocator come to, in their order.
fn repeated_header(read: impl Fn(&Map, &Bucket) + Send + Sync + 'static) {
    model_within_one(move || {
        let map = map();
        let pinned = map.pin();
        let bucket = map.table(&pinned).bucket(A);
        put(bucket, A, 1, NodeChange::Set(ONE));
        let before = bucket.load();
        drop(pinned);
        let writer = spawn_unpinned(&map, move |map| {
            let lane = map.hazards.lane();
            // SAFETY: the only table, which stays.
            let bucket = unsafe { map.table_by(&lane) }.bucket(A);
            take_out(bucket);
            put(bucket, B, 2, NodeChange::Set(OTHER));
            map.limbo.memory().count_free();
            take_out(bucket);
            put(bucket, A, 3, NodeChange::Set(ONE));
            assert_eq!(bucket.load(), before, "else this tests nothing");
        });
        let lane = map.hazards.lane();
        // SAFETY: the only table, which stays.
        let bucket = unsafe { map.table_by(&lane) }.bucket(A);
        read(&map, bucket);
        writer.join().unwrap();
        // The map is dropped: it must not look for the nodes.
        exchange(bucket, 0, NodeChange::Clear(1));
    });
}

fn look(map: &Map, bucket: &Bucket) -> Option<u64> {
    let lane = map.hazards.lane();
    // SAFETY: the only table, which stays.
    let table = unsafe { map.table_by(&lane) };
    match map.look(table, bucket, &Word(A)) {
        Ok(found) => Some(found.expect("a miss under a mixed header is no answer").value),
        Err(Elsewhere::Moved) => unreachable!("nothing moves"),
        Err(Elsewhere::Node | Elsewhere::Changed) => None,
    }
}

#[test]
fn a_reader_is_not_taken_in_by_a_repeated_header() {
    repeated_header(|map, bucket| assert!(matches!(look(map, bucket), None | Some(1 | 3))));
}

/// The same for two looks: they see the values in order.
#[test]
fn two_looks_under_a_repeated_header() {
    repeated_header(|map, bucket| {
        let (first, second) = (look(map, bucket), look(map, bucket));
        assert!(matches!(
            (first, second),
            (None, None | Some(1 | 3)) | (Some(1), None | Some(1 | 3)) | (Some(3), None | Some(3))
        ));
    });
}
