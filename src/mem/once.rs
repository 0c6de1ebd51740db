//! A pointer that is made at its first use, without a lock.

use core::ptr;

use crate::sync::{AtomicPtr, Ordering};

/// Holds a pointer that the first user makes. Threads that come at the same time may each make one, and all but one
/// throw theirs away: nobody waits.
pub(crate) struct Once<T> {
    made: AtomicPtr<T>,
}

impl<T> Once<T> {
    #[cfg(not(loom))]
    pub(crate) const fn new() -> Self {
        Self { made: AtomicPtr::new(ptr::null_mut()) }
    }

    #[cfg(loom)]
    pub(crate) fn new() -> Self {
        Self { made: AtomicPtr::new(ptr::null_mut()) }
    }

    /// The pointer; made by `make` if it is not there yet, and given to `unmake` if another thread was faster.
    pub(crate) fn get<E>(
        &self,
        make: impl FnOnce() -> Result<*mut T, E>,
        unmake: impl FnOnce(*mut T),
    ) -> Result<*mut T, E> {
        // Acquire: pairs with the exchange that published it.
        let made = self.made.load(Ordering::Acquire);
        if !made.is_null() {
            return Ok(made);
        }
        let mine = make()?;
        // Release publishes what was made; Acquire, to use what another thread made.
        match self.made.compare_exchange(ptr::null_mut(), mine, Ordering::Release, Ordering::Acquire) {
            Ok(_) => Ok(mine),
            Err(theirs) => {
                unmake(mine);
                Ok(theirs)
            }
        }
    }

    /// What was made, if it was; the next user makes another one.
    pub(crate) fn take(&self) -> *mut T {
        // Acquire: as in `get`.
        self.made.swap(ptr::null_mut(), Ordering::Acquire)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// Another thread is faster, or the same one in the middle of its making: there is one all the same.
    #[test]
    fn who_comes_second_throws_its_own_away() {
        let (mut first, mut second) = (1, 2);
        let once = Once::new();
        let mut thrown = ptr::null_mut();
        let late = || {
            let got = once.get(|| Ok::<_, ()>(&raw mut first), |_| unreachable!("it was the first"));
            assert_eq!(got, Ok(&raw mut first));
            Ok::<_, ()>(&raw mut second)
        };
        assert_eq!(once.get(late, |mine| thrown = mine), Ok(&raw mut first));
        assert_eq!(thrown, &raw mut second);
        assert_eq!(once.get(|| Err(()), |_| unreachable!("not asked")), Ok(&raw mut first));
    }

    #[test]
    fn who_cannot_make_one_says_so() {
        let once = Once::<u64>::new();
        assert_eq!(once.get(|| Err("no memory"), |_| unreachable!("none was made")), Err("no memory"));
        let mut made = 1;
        assert_eq!(once.get(|| Ok::<_, ()>(&raw mut made), |_| unreachable!("alone")), Ok(&raw mut made));
    }
}
