//! Reclamation: when may memory that was unlinked be freed?
//!
//! # Problem
//!
//! A thread that pops a node may not free it: another thread may have read the same pointer a moment ago and be about to
//! follow it. Epoch-based reclamation (Fraser 2004) answers with a clock. A thread *pins* the clock while it works on a
//! shared structure; what is unlinked is *retired*, not freed; and what was retired is freed when every thread that was
//! pinned at that time has let go once.
//!
//! # Shape
//!
//! ```text
//!  Domain ──► crossbeam_epoch::Collector         the clock and the deferred calls
//!    │  └───► Shared: thread records, phases, dirty list, counters
//!    │
//!    ├── Pinned   one operation's pin (internal)  ┐ both are crossbeam guards; nested ones cost
//!    ├── Guard    a session over many operations  ┘ an increment instead of a locked instruction
//!    │
//!    └── Limbo    one a container: retired blocks, sealed in batches, each batch one deferred call
//!                 that makes it ready; each operation then disposes of a share of what is ready
//! ```
//!
//! For users' own structures there are *hazard pointers* too, see [`hazard_pointer`], and counted values, see [`shared`].
//!
//! Beside the clock, a domain has sticky [`hazard`] slots for containers that work on few large blocks (queue, stack, maps of
//! words): they cost nothing while a thread stays on one block, and a stalled thread holds back that one only. Blocks that cannot
//! be freed yet for that reason are [`waiting`]. What a thread keeps
//! there also tells it when to step aside ([`pace`]).
//!
//! A [`Domain`] has a clock of its own. Containers in different domains do not hold up each other's memory; most
//! programs use the default one.
//!
//! # What is promised
//!
//! - *Safety*: memory is not freed while a guard that was entered before it was unlinked is active.
//! - *Boundedness without a stall*: every 64 retired blocks, or 32 KiB of them, of a container and thread group are
//!   sealed and push the clock on; what was sealed is ready within two steps of the clock. Blocks below that stay until
//!   more come, or until [`Domain::flush`] or [`Domain::barrier`].
//! - *No operation pays for the others*: one that pins the domain, and every so-many-th retirement under one pin, disposes of a
//!   share of what is [`ready`], 96 blocks at most, which is more than it retires; so what is ready is freed soon, however
//!   much it is. A flush, a barrier, and the end of a container free all that they find.
//! - *A stalled guard* holds back everything that is retired after it was entered, in its domain. This is the price of
//!   epochs; [`Domain::stats`] shows it.
//! - *Destruction*: dropping a container frees, on the spot, all of its memory and runs every destructor that is due,
//!   retired blocks included. See [`limbo`].
//! - *Barrier*: [`Domain::barrier`] returns when everything that was retired before it, by any thread, has been freed.
//!
//! # Progress
//!
//! Pinning, retiring, sealing and flushing are lock-free; every 128th pin of a thread, and every seal, asks the collector
//! what is ready. The barrier waits, as its timeout says. A thread's first use of a domain registers
//! it, which allocates from the process allocator, as do crossbeam's own bags of deferred calls: one allocation of about
//! 2 KiB a batch. There a lack of memory ends the process; the containers' own allocations never do.
//!
//! Destructors and retire callbacks may come back to every function of the domain and its containers. They run under a
//! pin, so a barrier in them is refused.
//!
//! # References
//!
//! K. Fraser, *Practical lock-freedom*, 2004. M. Michael, *Hazard pointers*, TPDS 2004 (the registry of records).
//! crossbeam-epoch's `internal.rs` describes the clock. The phases of the barrier are those of user-space RCU
//! (Desnoyers et al., TPDS 2012).

mod domain;
mod guard;
mod hazard;
mod hazard_pointer;
pub(crate) mod limbo;
mod pace;
mod phases;
mod pinned;
mod ready;
mod retired;
mod shared;
mod thread;
mod waiting;

pub use domain::{BarrierError, Domain, DomainStats, LimitFn};
pub use guard::Guard;
#[cfg(all(feature = "capi", not(loom)))]
pub(crate) use guard::Owner;
pub(crate) use hazard::{Hazards, Lane, Role};
pub use hazard_pointer::HazardPointer;
pub(crate) use limbo::{Dispose, Limbo, Link, Spared};
pub(crate) use pinned::Pinned;
#[cfg(not(loom))]
pub use retired::Node;
pub use retired::RetireFn;
pub use shared::{AtomicRef, Ref};
#[cfg(all(feature = "capi", not(loom)))]
pub(crate) use shared::{Counter, Place};
pub(crate) use waiting::{Waiting, Waits};
