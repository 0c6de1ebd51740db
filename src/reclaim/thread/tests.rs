//! What a thread finds when its storage is gone.

use super::{id, member};
use crate::Domain;
use crate::sync::Ordering;

/// The registration of a thread's very last pins ends with the last of them, perhaps in the middle of an operation that took
/// its record without a pin: so that one has a record of its own.
#[test]
fn an_operation_without_a_pin_keeps_its_record() {
    struct AtEnd(Domain);
    impl Drop for AtEnd {
        fn drop(&mut self) {
            let pinned = self.0.pin();
            let member = member(&raw const **self.0.shared(), &self.0);
            drop(pinned);
            // Relaxed: this thread's own.
            assert_eq!(member.record().owner.load(Ordering::Relaxed), id());
        }
    }
    std::thread_local! {
        static AT_END: std::cell::RefCell<Option<AtEnd>> = const { std::cell::RefCell::new(None) };
    }
    let domain = Domain::new().unwrap();
    let thread = std::thread::spawn(|| {
        // First used, last ended.
        AT_END.set(None);
        drop(domain.pin());
        AT_END.set(Some(AtEnd(domain)));
    });
    thread.join().unwrap();
}
