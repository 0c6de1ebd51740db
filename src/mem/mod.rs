//! Memory that may run out, and the shapes that live in it.
//!
//! - [`Allocator`]: where a container's memory comes from: the process allocator, or the user's hooks.
//! - [`Slot`]: the size, alignment and copying of an element, known at compile time ([`Typed`]) or at run time
//!   ([`Blob`]). The engines are generic over it and move bytes; they never run an element's code.
//! - [`Counted`]: a reference-counted box whose allocation can fail without ending the process.
//! - [`Registry`]: a list that only grows and whose records are taken, given back and taken again, without a lock.
//! - `Once`: a pointer that is made at its first use, without a lock.
//! - `Roll`: a list of what there is, for somebody who goes over all of it when nobody else is there.
//! - [`Tagged`]: a block that knows its kind, for the handles of the C layer.

mod allocator;
mod counted;
mod once;
mod registry;
#[cfg(all(unix, not(any(miri, loom))))]
mod roll;
mod slot;
mod tagged;

pub use allocator::{AllocFn, Allocator, FreeFn, NoMemory};
pub(crate) use counted::Counted;
pub(crate) use once::Once;
pub(crate) use registry::{Record, Registry};
#[cfg(all(unix, not(any(miri, loom))))]
pub(crate) use roll::{Entry, Roll};
pub(crate) use slot::{Blob, Slot, Typed};
#[cfg(all(feature = "capi", not(loom)))]
pub(crate) use tagged::Mark;
pub(crate) use tagged::{BadHandle, Tagged};
