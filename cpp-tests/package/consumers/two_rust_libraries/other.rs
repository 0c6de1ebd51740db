//! Another Rust library, as a stranger would link it beside conex: it panics, catches, and runs code at thread exit.

use std::cell::RefCell;
use std::collections::HashMap;
use std::panic::catch_unwind;

thread_local!(static SEEN: RefCell<HashMap<u64, String>> = RefCell::new(HashMap::new()));

/// Returns 1 after a panic that was caught on its way out, as it should be.
#[no_mangle]
pub extern "C" fn other_panics(value: u64) -> i32 {
    let result = catch_unwind(|| {
        SEEN.with(|seen| seen.borrow_mut().insert(value, value.to_string()));
        if value % 2 == 1 {
            panic!("{value} is odd");
        }
    });
    result.is_err() as i32
}
