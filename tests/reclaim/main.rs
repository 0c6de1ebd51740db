//! Domains: what is retired is freed, not too early, once, and by the barrier at the latest.
//!
//! Here is what the modules share. [`barrier`] and [`guards`] say when memory is freed, [`share`] by whom, [`callbacks`] what
//! the destructors may do meanwhile; [`leftovers`] and [`thread_end`] what remains when a domain or a thread is gone.

#![cfg(not(loom))]

mod barrier;
mod callbacks;
#[path = "../common/mod.rs"]
mod common;
mod guards;
mod leftovers;
mod share;
mod thread_end;

use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use common::retiring::count;
use conex::Domain;

const LONG: Duration = Duration::from_secs(20);

fn retire(domain: &Domain, counter: &AtomicUsize, bytes: usize) {
    let ctx = std::ptr::from_ref(counter).cast_mut().cast();
    // SAFETY: `count` uses `ctx` only, a counter that outlives the domain.
    unsafe { domain.retire(std::ptr::null_mut(), bytes, count, ctx) }.unwrap();
}
