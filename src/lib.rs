//! A stack, a queue and a hash map for any number of threads, lock-free in the strict sense: suspend any threads at any
//! instruction, for ever, and the others go on.
//!
//! | type | is | batches |
//! |---|---|---|
//! | [`Queue<T>`] | one FIFO over all producers | `push_n`, `pop_n` |
//! | [`Stack<T>`] | one LIFO | `push_n`, `pop_n`, `pop_all`, each one step |
//! | [`Map<K, V>`] | a hash map, each key an atomic register | walks and scans while it changes |
//!
//! ```
//! use conex::{Map, Queue};
//! use std::thread;
//!
//! let numbers: Queue<u64> = Queue::new();
//! let squares: Map<u64, u64> = Map::new();
//! (1..=100).for_each(|n| numbers.push(n));
//! thread::scope(|scope| {
//!     for _ in 0..4 {
//!         scope.spawn(|| {
//!             while let Some(n) = numbers.pop() {
//!                 squares.upsert(n, n * n);
//!             }
//!         });
//!     }
//! });
//! assert_eq!(squares.get(&12), Some(144));
//! assert_eq!(squares.len(), 100);
//! ```
//!
//! What is removed from a container is freed when no thread can be reading it any more; a [`Domain`] keeps that clock, a
//! [`Guard`] is a session of one thread over many operations. Containers use the default domain unless [`Options`] name
//! another, and the process allocator unless they name an [`Allocator`].
//!
//! The C functions of `include/conex/conex.h` are in `ffi`; C and C++ programs use them through the shared or the static
//! library.
//!
//! Where to read on: `docs/ARCHITECTURE.md`, then `src/stack/mod.rs`, which is written as a tutorial.

#![cfg_attr(
    not(all(feature = "capi", not(loom))),
    allow(dead_code, unused_imports, reason = "part of the engines is for the C functions alone")
)]

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
pub use queue::{Drain as QueueDrain, IntoIter as QueueIntoIter, PopError, Queue};
#[cfg(not(loom))]
pub use reclaim::Node;
pub use reclaim::{
    AtomicRef, BarrierError, Domain, DomainStats, Guard, HazardPointer, LimitFn, Ref, RetireFn,
};
pub use stack::Stack;

/// For `tests/park`.
#[cfg(conex_park)]
#[doc(hidden)]
pub use sync::step as park;

/// The README's Rust is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
