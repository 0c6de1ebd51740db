//! The Rust peers of the benchmark behind a plain C interface, so that the C++ drivers can measure them as a C or C++
//! program would use them. No logic of its own: each function is one call of the peer.
//!
//! Elements, values and keys are given by address. A `bool` result says whether an element came out, a key was there, or
//! an entry was made. Panics abort: the peers are not expected to panic, and a panic must not cross the boundary.
#![allow(clippy::missing_safety_doc)]

mod map;
mod queue;

/// `N` bytes with the alignment of a word: what the C++ side calls `elem<N>`.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
pub struct Elem<const N: usize>(pub [u8; N]);
