//! conex: lock-free containers for C, C++ and Rust.

#[cfg(feature = "capi")]
pub mod ffi;
mod mem;
mod reclaim;
mod sync;

pub use mem::{AllocFn, Allocator, FreeFn, NoMemory};
pub use reclaim::{BarrierError, Domain, DomainStats, Guard};
