//! Memory that may run out, and the shapes that live in it.
//!
//! - [`Allocator`]: where a container's memory comes from: the process allocator, or the user's hooks.
//! - [`Slot`]: the size, alignment and copying of an element, known at compile time ([`Typed`]) or at run time
//!   ([`Blob`]). The engines are generic over it and move bytes; they never run an element's code.
//! - [`Counted`]: a reference-counted box whose allocation can fail without ending the process.
//! - [`Registry`]: a list that only grows and whose records are taken, given back and taken again, without a lock.
//! - `Once`: a pointer that is made at its first use, without a lock.
//! - [`Tagged`]: a block that knows its kind, for the handles of the C layer.

mod allocator;
mod counted;
#[cfg(not(loom))]
mod once;
mod registry;
mod slot;
mod tagged;

pub use allocator::{AllocFn, Allocator, FreeFn, NoMemory};
pub(crate) use counted::Counted;
#[cfg(not(loom))]
pub(crate) use once::Once;
pub(crate) use registry::{Record, Registry};
pub(crate) use slot::{Blob, Slot, Typed};
#[cfg(all(feature = "capi", not(loom)))]
pub(crate) use tagged::Mark;
pub(crate) use tagged::{BadHandle, Tagged};
