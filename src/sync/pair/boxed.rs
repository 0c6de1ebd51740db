//! Pairs in blocks that are never written again.

use super::super::{AtomicU64, Ordering};

type Block = [u64; 2];

pub(super) fn block(pair: Block) -> u64 {
    Box::into_raw(Box::new(pair)).expose_provenance() as u64
}

fn at(block: u64) -> *mut Block {
    core::ptr::with_exposed_provenance_mut(block as usize)
}

#[cold]
pub(super) fn load(first: &AtomicU64) -> Block {
    let _pinned = crossbeam_epoch::pin();
    // Acquire: pairs with the exchange that put the block there.
    let block = at(first.load(Ordering::Acquire));
    // SAFETY: loaded under the pin, so not freed.
    unsafe { *block }
}

#[cold]
pub(super) fn exchange(first: &AtomicU64, old: Block, new: Block) -> Result<(), Block> {
    let pinned = crossbeam_epoch::pin();
    // Acquire: pairs with the exchange that put the block there.
    let current = first.load(Ordering::Acquire);
    // SAFETY: loaded under the pin, so not freed.
    let now = unsafe { *at(current) };
    if now != old {
        return Err(now);
    }
    let fresh = block(new);
    // The block cannot come back during the pin. AcqRel and Acquire, as the strongest that is asked for.
    match first.compare_exchange(current, fresh, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => {
            // SAFETY: made by `block`, and freed once.
            let free = move || drop(unsafe { Box::from_raw(at(current)) });
            // SAFETY: taken out by this exchange, so no pin that comes later finds it.
            unsafe { pinned.defer_unchecked(free) };
            Ok(())
        }
        Err(current) => {
            // SAFETY: never published.
            drop(unsafe { Box::from_raw(at(fresh)) });
            // SAFETY: loaded under the pin.
            Err(unsafe { *at(current) })
        }
    }
}

pub(super) fn free(first: &AtomicU64) {
    // Relaxed: the pair is being dropped.
    let block = at(first.load(Ordering::Relaxed));
    // SAFETY: nobody else can reach the pair any more.
    drop(unsafe { Box::from_raw(block) });
}
