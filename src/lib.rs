//! Lock-free containers for C, C++ and Rust.

#[cfg(all(feature = "capi", not(loom)))]
pub mod ffi;
mod map;
mod mem;
mod options;
mod queue;
mod reclaim;
mod stack;
mod sync;

pub use map::{Decision, ExchangeError, InsertError, Map, MapHasher, MapStats, RandomState, Updated};
pub use mem::{AllocFn, Allocator, FreeFn, NoMemory};
pub use options::Options;
pub use queue::Queue;
pub use reclaim::{BarrierError, Domain, DomainStats, Guard, RetireFn};
pub use stack::Stack;
