//! Callbacks that change the very entry that they are asked about, as another thread may at that moment: what they decided
//! from is not there any more, so they are asked again, and what they had made is dropped, once.

#![cfg(all(not(loom), feature = "capi"))]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    clippy::undocumented_unsafe_blocks,
    reason = "calls of C functions"
)]

mod calls;
#[path = "../common/mod.rs"]
mod common;
mod typed;
