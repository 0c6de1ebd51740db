//! Atomics that say when they are used: for `tests/park`, under `--cfg conex_park` only.
//!
//! Before each access, and before each fence, the thread's hook is called with the place in the source. A test parks
//! the thread there, and so stops it between any two accesses to shared memory of an operation. A thread without a hook
//! is not slowed down by more than a look at a thread-local variable. The accesses themselves are the standard ones.

use core::cell::Cell;
use core::panic::Location;
use core::sync::atomic::{self as std_atomic, Ordering};

/// Called before each step of a thread, with the place of the access.
pub type Hook = fn(&'static Location<'static>);

thread_local! {
    static HOOK: Cell<Option<Hook>> = const { Cell::new(None) };
}

/// Has this thread's steps reported to `hook`, or to nobody.
pub fn report_to(hook: Option<Hook>) {
    HOOK.set(hook);
}

/// A step of something that is no atomic of the library: the peers' accesses, for example.
#[track_caller]
#[inline]
pub fn step() {
    if let Some(hook) = HOOK.get() {
        hook(Location::caller());
    }
}

/// As [`core::sync::atomic::fence`].
#[track_caller]
#[inline]
pub fn fence(order: Ordering) {
    step();
    std_atomic::fence(order);
}

/// Passes calls on, each after a step.
macro_rules! steps {
    ($($name:ident($($argument:ident: $type:ty),*) -> $result:ty;)*) => {$(
        #[doc = concat!("As the standard `", stringify!($name), "`.")]
        #[track_caller]
        #[inline]
        pub fn $name(&self, $($argument: $type),*) -> $result {
            step();
            self.0.$name($($argument),*)
        }
    )*};
}

macro_rules! atomic {
    ($name:ident, [$($generic:ident)?], $value:ty, {$($more:tt)*}) => {
        #[doc = concat!("As [`core::sync::atomic::", stringify!($name), "`].")]
        #[repr(transparent)]
        pub struct $name$(<$generic>)?(std_atomic::$name$(<$generic>)?);

        impl$(<$generic>)? $name$(<$generic>)? {
            /// As the standard one.
            pub const fn new(value: $value) -> Self {
                Self(std_atomic::$name::new(value))
            }

            /// As the standard one: no other thread can see it, so it is no step.
            pub fn get_mut(&mut self) -> &mut $value {
                self.0.get_mut()
            }

            /// As the standard one, no step either.
            pub fn into_inner(self) -> $value {
                self.0.into_inner()
            }

            /// As the standard one: what is done with it is not seen.
            pub const fn as_ptr(&self) -> *mut $value {
                self.0.as_ptr()
            }

            steps! {
                load(order: Ordering) -> $value;
                store(value: $value, order: Ordering) -> ();
                swap(value: $value, order: Ordering) -> $value;
                compare_exchange(current: $value, new: $value, success: Ordering, failure: Ordering) -> Result<$value, $value>;
                compare_exchange_weak(current: $value, new: $value, success: Ordering, failure: Ordering) -> Result<$value, $value>;
                $($more)*
            }
        }

        impl$(<$generic>)? Default for $name$(<$generic>)? {
            fn default() -> Self {
                Self(Default::default())
            }
        }

        impl$(<$generic>)? core::fmt::Debug for $name$(<$generic>)? {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

macro_rules! number {
    ($name:ident, $value:ty) => {
        atomic!($name, [], $value, {
            fetch_add(value: $value, order: Ordering) -> $value;
            fetch_sub(value: $value, order: Ordering) -> $value;
            fetch_and(value: $value, order: Ordering) -> $value;
            fetch_or(value: $value, order: Ordering) -> $value;
            fetch_xor(value: $value, order: Ordering) -> $value;
            fetch_max(value: $value, order: Ordering) -> $value;
            fetch_min(value: $value, order: Ordering) -> $value;
        });
    };
}

number!(AtomicU32, u32);
number!(AtomicU64, u64);
number!(AtomicUsize, usize);
atomic!(AtomicPtr, [T], *mut T, {});
atomic!(AtomicBool, [], bool, {
    fetch_and(value: bool, order: Ordering) -> bool;
    fetch_or(value: bool, order: Ordering) -> bool;
    fetch_xor(value: bool, order: Ordering) -> bool;
});
