//! crossbeam's queues.

use crate::Elem;
use crossbeam_queue::{ArrayQueue, SegQueue};

macro_rules! queues {
    ($($bytes:literal: $seg_new:ident $seg_free:ident $seg_push:ident $seg_pop:ident
       $arr_new:ident $arr_free:ident $arr_push:ident $arr_pop:ident;)*) => {$(
        #[no_mangle]
        pub extern "C" fn $seg_new() -> *mut SegQueue<Elem<$bytes>> {
            Box::into_raw(Box::new(SegQueue::new()))
        }
        #[no_mangle]
        pub unsafe extern "C" fn $seg_free(q: *mut SegQueue<Elem<$bytes>>) {
            drop(Box::from_raw(q));
        }
        #[no_mangle]
        pub unsafe extern "C" fn $seg_push(q: *const SegQueue<Elem<$bytes>>, e: *const Elem<$bytes>) {
            (*q).push(*e);
        }
        #[no_mangle]
        pub unsafe extern "C" fn $seg_pop(q: *const SegQueue<Elem<$bytes>>, e: *mut Elem<$bytes>) -> bool {
            match (*q).pop() {
                Some(v) => { e.write(v); true }
                None => false,
            }
        }
        #[no_mangle]
        pub extern "C" fn $arr_new(capacity: usize) -> *mut ArrayQueue<Elem<$bytes>> {
            Box::into_raw(Box::new(ArrayQueue::new(capacity)))
        }
        #[no_mangle]
        pub unsafe extern "C" fn $arr_free(q: *mut ArrayQueue<Elem<$bytes>>) {
            drop(Box::from_raw(q));
        }
        #[no_mangle]
        pub unsafe extern "C" fn $arr_push(q: *const ArrayQueue<Elem<$bytes>>, e: *const Elem<$bytes>) -> bool {
            (*q).push(*e).is_ok()
        }
        #[no_mangle]
        pub unsafe extern "C" fn $arr_pop(q: *const ArrayQueue<Elem<$bytes>>, e: *mut Elem<$bytes>) -> bool {
            match (*q).pop() {
                Some(v) => { e.write(v); true }
                None => false,
            }
        }
    )*};
}

queues! {
    8: rp_seg8_new rp_seg8_free rp_seg8_push rp_seg8_pop rp_arr8_new rp_arr8_free rp_arr8_push rp_arr8_pop;
    64: rp_seg64_new rp_seg64_free rp_seg64_push rp_seg64_pop rp_arr64_new rp_arr64_free rp_arr64_push rp_arr64_pop;
    256: rp_seg256_new rp_seg256_free rp_seg256_push rp_seg256_pop rp_arr256_new rp_arr256_free rp_arr256_push rp_arr256_pop;
}
