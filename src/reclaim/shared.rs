//! An atomic, reference-counted pointer: a value that outlives the place it was found in.
//!
//! # Problem
//!
//! A reader that wants to keep what it found, for as long as it likes, counts itself in. But between reading the pointer
//! and adding to the count the last owner may have freed both. Common answers are a lock around the two steps, or a count
//! beside the pointer, in a word of double width. Here the gap is closed by the domain: who reads the pointer is pinned,
//! and a block is not freed before every thread that was pinned at its end has let go.
//!
//! # Shape
//!
//! ```text
//!  AtomicRef ─► block: link │ count │ domain │ value          one block a value, one allocation
//!  Ref ───────────┘
//!
//!  load:      pin; read the pointer; add one to the count unless it is 0; unpin
//!  store:     swap the pointer; take one off the count of what was there
//!  count 0:   end the value at once, on this thread; retire the block's memory
//! ```
//!
//! # Invariants
//!
//! 1. The count is the number of [`Ref`]s and of places that hold the pointer. A place's share is taken off after the
//!    pointer has been taken out.
//! 2. 0 is final: nothing adds to it. Who takes the count to 0 is alone with the value.
//! 3. A block whose count is 0 is in no place, and will be in none: putting it there takes a reference. So nobody who pins
//!    later can reach it, and it may be retired.
//! 4. Who finds a count of 0 under a pin has read a pointer that the place does not hold any more.
//!
//! # Linearization points
//!
//! Load: the read of the pointer whose block was counted. Store and exchange: the swap. Compare-exchange: its exchange,
//! or the read that differed. The pointer names one value as long as anybody can compare it: who compares holds a
//! reference, and so the block is not used again.
//!
//! # Ordering pairs
//!
//! - (1) the Release half of the exchange that puts a pointer into a place → (2) the Acquire load that finds it there: the
//!   value as it was made.
//! - (3) the Release subtraction of a reference → (4) the Acquire load of who took the count to 0: every use of the value
//!   before its end; and the taking out of every place before the retirement.
//! - (3) → (5) the Acquire load that finds 0: the taking out of the place is seen by the next look at it, so that each
//!   round of a load stands for a change.
//!
//! # Progress
//!
//! Load and a compare-exchange that fails are lock-free: they repeat when the place has changed, or the count was changed
//! by another thread meanwhile. The others are wait-free but for the pin, the allocator, and what ends the value.
//!
//! # References
//!
//! D. Detlefs, P. Martin, M. Moir, G. Steele, *Lock-free reference counting*, PODC 2001 (the gap). H. Sundell,
//! *Wait-free reference counting and memory management*, IPDPS 2005. D. Anderson, G. Blelloch, Y. Wei, *Turning manual
//! concurrent memory reclamation into automatic reference counting*, PLDI 2022 (counting under a pin).

mod counter;
mod typed;

pub(crate) use counter::{Counter, Place};
pub use typed::{AtomicRef, Ref};
