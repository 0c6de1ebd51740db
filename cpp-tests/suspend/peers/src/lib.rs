//! C functions around crossbeam's queues: what the suspension test runs beside conex.

use crossbeam_queue::{ArrayQueue, SegQueue};

macro_rules! queue {
    ($type:ty, $make:expr, $new:ident, $free:ident, $push:ident, $pop:ident) => {
        #[unsafe(no_mangle)]
        pub extern "C" fn $new() -> *mut $type {
            Box::into_raw(Box::new($make))
        }

        /// # Safety
        /// `queue` came from the function that makes one and is not used any more.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $free(queue: *mut $type) {
            // SAFETY: the caller's promise.
            drop(unsafe { Box::from_raw(queue) });
        }

        /// # Safety
        /// `queue` is alive.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $push(queue: &$type, element: u64) -> bool {
            push(queue, element)
        }

        /// # Safety
        /// `queue` is alive, `out` writable.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $pop(queue: &$type, out: &mut u64) -> bool {
            queue.pop().map(|element| *out = element).is_some()
        }
    };
}

trait Push {
    fn put(&self, element: u64) -> bool;
}
impl Push for SegQueue<u64> {
    fn put(&self, element: u64) -> bool {
        self.push(element);
        true
    }
}
impl Push for ArrayQueue<u64> {
    fn put(&self, element: u64) -> bool {
        self.push(element).is_ok()
    }
}
fn push(queue: &impl Push, element: u64) -> bool {
    queue.put(element)
}

queue!(SegQueue<u64>, SegQueue::new(), seg_queue_new, seg_queue_free, seg_queue_push, seg_queue_pop);
queue!(ArrayQueue<u64>, ArrayQueue::new(4096), array_queue_new, array_queue_free, array_queue_push, array_queue_pop);
