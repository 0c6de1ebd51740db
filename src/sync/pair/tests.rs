//! Pairs of both kinds, of two words and boxed, must do the same.

use core::marker::PhantomData;

use super::{AtomicPair, Ordering, Words};

fn both() -> [AtomicPair<u64>; 2] {
    let boxed = AtomicPair { words: Words::boxed(0), pointee: PhantomData };
    [AtomicPair::new(core::ptr::null_mut()), boxed]
}

#[test]
fn an_exchange_raises_the_number_and_needs_both_halves() {
    for pair in both() {
        let first = pair.load();
        let ptr = core::ptr::without_provenance_mut(16);
        // AcqRel: the strongest that is used.
        assert_eq!(pair.exchange(first, ptr, Ordering::AcqRel), Ok(()));
        let second = pair.load();
        assert_eq!((second.ptr, second.tag), (ptr, first.tag + 1));
        // AcqRel: as above.
        assert_eq!(pair.exchange(second, first.ptr, Ordering::AcqRel), Ok(()));
        // The pointer is back, its number is not.
        assert_eq!(pair.load().ptr, first.ptr);
        // AcqRel: as above.
        assert_eq!(pair.exchange(first, ptr, Ordering::AcqRel), Err(pair.load()));
    }
}

#[test]
fn no_exchange_is_lost() {
    let each = if cfg!(miri) { 20 } else { 20_000 };
    // The garbage of boxed pairs is not collected at the end of the program, which Miri calls a leak.
    for pair in both().into_iter().take(if cfg!(miri) { 1 } else { 2 }) {
        let begin = pair.load();
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    for _ in 0..each {
                        let mut now = pair.load();
                        loop {
                            let next = core::ptr::without_provenance_mut(now.ptr.addr() + 1);
                            // AcqRel: as above.
                            match pair.exchange(now, next, Ordering::AcqRel) {
                                Ok(()) => break,
                                Err(other) => now = other,
                            }
                        }
                    }
                });
            }
        });
        let end = pair.load();
        assert_eq!((end.ptr.addr(), end.tag - begin.tag), (2 * each, 2 * each as u64));
    }
}
