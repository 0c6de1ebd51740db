//! conex: lock-free containers for C, C++ and Rust.

#[cfg(feature = "capi")]
pub mod ffi;
