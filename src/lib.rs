//! Lock-free containers for C, C++ and Rust.

#[cfg(all(feature = "capi", not(loom)))]
pub mod ffi;
mod mem;
mod options;
mod reclaim;
mod stack;
mod sync;

pub use mem::{AllocFn, Allocator, FreeFn, NoMemory};
pub use options::Options;
pub use reclaim::{BarrierError, Domain, DomainStats, Guard, RetireFn};
pub use stack::Stack;
