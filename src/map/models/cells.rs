//! Buckets of more than one cell, where the lane of one becomes another's: with `--cfg conex_small`.

use super::*;

/// A third one in bucket 0.
const D: u64 = 0x4000;

/// A thread reserves a cell that was in use since it loaded the header. The cell's lane is another entry's meanwhile, and is
/// not written to.
#[test]
fn an_insert_from_an_old_header() {
    loom::model(|| {
        let map = map();
        let other = spawn_unpinned(&map, |map| {
            // In the first cell.
            add_word(map, A, 1);
            // In the second one.
            add_word(map, B, 2);
            // Out of the first lane, which is then the free one.
            add_word(map, A, 1);
            // Into the first lane.
            add_word(map, B, 2);
            remove_word(map, A);
        });
        add_word(&map, D, 5);
        other.join().unwrap();
        assert_eq!((get_word(&map, A), get_word(&map, B), get_word(&map, D)), (None, Some(4), Some(5)));
    });
}
