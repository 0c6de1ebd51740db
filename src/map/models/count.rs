//! The counting cells.

use super::*;
use crate::map::count::{Count, NEAR};

/// Two threads whose counting cells are in a chunk that is not there yet: no count is lost, and no chunk.
#[test]
fn far_cells_are_made_once() {
    model(|| {
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
