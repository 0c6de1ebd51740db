//! Is a recorded history linearizable? That is: can each operation be given one moment between its call and its return
//! so that, done one after the other at those moments, the operations would have given the same answers?
//!
//! - [`sequence`]: stacks and queues whose elements are all different. Polynomial, so it takes long histories.
//! - [`wgl`]: any sequential specification ([`spec`]), by search (Wing and Gong 1993, with the memory of Lowe 2017). For
//!   short histories, and for maps key by key.
//! - [`history`]: what the recorder writes.

pub mod history;
pub mod sequence;
pub mod spec;
pub mod wgl;

/// A moment of the recorder's clock. No two are equal in one history.
pub type Stamp = u64;

/// An operation with the moments of its call and return.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event<O> {
    /// What was called and what it answered.
    pub op: O,
    /// Its call.
    pub start: Stamp,
    /// Its return.
    pub end: Stamp,
}
