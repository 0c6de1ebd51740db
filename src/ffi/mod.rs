//! The C functions: one file a noun, and each file is one section of the header.
//!
//! This ring translates. It checks what a C caller may get wrong, turns options into the core's types, and calls the
//! core; it holds no algorithm and no atomics. The doc comments are the manual: the header is generated from them.
//!
//! Conventions, for those who write a function here:
//!
//! - the body is one [`boundary::answer`], which turns a panic into `CONEX_ERR_PANIC` and an early `Err` into its status;
//! - pointers are checked in the order of the parameters, all of them before anything happens;
//! - handles go through [`handle`], options through [`options`];
//! - callbacks are `extern "C-unwind"`, the functions `extern "C"`: an exception that a callback lets out ends the
//!   process at a defined place instead of running on through frames whose guards were never released.

#![expect(non_camel_case_types, reason = "C names")]

mod boundary;
mod handle;
mod map_elements;
mod options;

pub mod domain;
pub mod domain_retire;
pub mod element;
pub mod guard;
pub mod hazard;
pub mod map;
pub mod map_all;
pub mod map_batch;
pub mod map_read;
pub mod map_update;
pub mod map_write;
pub mod queue;
pub mod queue_batch;
pub mod shared;
pub mod shared_place;
pub mod stack;
pub mod status;
pub mod version;
