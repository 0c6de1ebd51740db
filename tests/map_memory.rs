//! The memory of a map of words: what idle threads hold back, what comes back, and hooks that use the map themselves.

#![cfg(all(not(loom), feature = "capi"))]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    clippy::undocumented_unsafe_blocks,
    reason = "calls of C functions"
)]

mod common;

use std::ffi::c_void;
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicBool, AtomicIsize, AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;

use common::{map, scaled};
use conex::ffi::domain::{
    conex_domain, conex_domain_barrier, conex_domain_destroy, conex_domain_flush, conex_domain_new,
};
use conex::ffi::element::conex_allocator;
use conex::ffi::map::*;
use conex::ffi::map_all::*;
use conex::ffi::map_batch::*;
use conex::ffi::map_read::conex_map_get;
use conex::ffi::map_update::conex_map_fetch_add;
use conex::ffi::map_write::{conex_map_insert, conex_map_remove};
use conex::ffi::status::conex_status::*;

/// A map in a domain of its own, whose allocations are counted; a hook can use the map.
struct Rig {
    map: AtomicPtr<conex_map>,
    domain: *mut conex_domain,
    outstanding: AtomicIsize,
    /// Whether the next hook uses the map.
    reenters: AtomicBool,
    /// How often one has.
    fired: AtomicUsize,
    /// Whether it then waits until all that was retired is freed.
    waits: AtomicBool,
    /// How often it has done so.
    waited: AtomicUsize,
}

unsafe impl Send for Rig {}
unsafe impl Sync for Rig {}

impl Rig {
    fn new() -> Arc<Self> {
        let mut domain = null_mut();
        assert_eq!(unsafe { conex_domain_new(null(), &mut domain) }, CONEX_OK);
        let this = Arc::new(Self {
            map: AtomicPtr::new(null_mut()),
            domain,
            outstanding: AtomicIsize::new(0),
            reenters: AtomicBool::new(false),
            fired: AtomicUsize::new(0),
            waits: AtomicBool::new(false),
            waited: AtomicUsize::new(0),
        });
        let ctx = Arc::as_ptr(&this).cast_mut().cast();
        let allocator = conex_allocator { alloc: Some(allocate), free: Some(release), ctx };
        let map = map::new(&conex_map_options { seed: 7, domain, allocator, ..map::options() });
        this.map.store(map, Ordering::SeqCst);
        this
    }

    fn map(&self) -> *mut conex_map {
        self.map.load(Ordering::SeqCst)
    }

    fn insert(&self, key: u64) {
        let at = (&raw const key).cast();
        assert_eq!(unsafe { conex_map_insert(self.map(), at, 8, at, null_mut()) }, CONEX_OK);
    }

    fn get(&self, key: u64) -> Option<u64> {
        let mut value = 0_u64;
        let status =
            unsafe { conex_map_get(self.map(), (&raw const key).cast(), 8, (&raw mut value).cast()) };
        (status == CONEX_OK).then_some(value)
    }

    fn remove(&self, key: u64) {
        assert_eq!(unsafe { conex_map_remove(self.map(), (&raw const key).cast(), 8, null_mut()) }, CONEX_OK);
    }

    fn buckets(&self) -> usize {
        self.stats().buckets
    }

    fn stats(&self) -> conex_map_stats {
        let mut stats: conex_map_stats = unsafe { std::mem::zeroed() };
        stats.struct_size = size_of::<conex_map_stats>();
        assert_eq!(unsafe { conex_map_stats_get(self.map(), &mut stats) }, CONEX_OK);
        stats
    }

    fn outstanding(&self) -> isize {
        self.outstanding.load(Ordering::SeqCst)
    }

    fn barrier(&self) {
        assert_eq!(unsafe { conex_domain_barrier(self.domain, u64::MAX / 2) }, CONEX_OK);
    }

    fn end(&self) {
        self.reenters.store(false, Ordering::SeqCst);
        assert_eq!(unsafe { conex_map_destroy(self.map()) }, CONEX_OK);
        assert_eq!(self.outstanding(), 0);
        assert_eq!(unsafe { conex_domain_destroy(self.domain) }, CONEX_OK);
    }
}

unsafe fn reenter(rig: &Rig) {
    if rig.map().is_null() || !rig.reenters.swap(false, Ordering::SeqCst) {
        return;
    }
    // Operations on the map, enough to replace its table, from inside of one.
    let key = 1_u64 << 40 | rig.fired.fetch_add(1, Ordering::SeqCst) as u64;
    for more in 0..if cfg!(miri) { 2 } else { 8 } {
        let key = key + (more << 20);
        unsafe {
            conex_map_fetch_add(rig.map(), (&raw const key).cast(), 8, 1, null_mut());
            conex_map_shrink(rig.map());
            conex_map_reserve(rig.map(), 64 << if cfg!(miri) { 0 } else { more % 4 });
            conex_map_remove(rig.map(), (&raw const key).cast(), 8, null_mut());
            conex_domain_flush(rig.domain);
        }
    }
    if rig.waits.swap(false, Ordering::SeqCst) {
        let freed = unsafe { conex_domain_barrier(rig.domain, u64::MAX / 2) } == CONEX_OK;
        rig.waited.fetch_add(freed.into(), Ordering::SeqCst);
    }
}

unsafe extern "C-unwind" fn allocate(size: usize, align: usize, ctx: *mut c_void) -> *mut c_void {
    let rig = unsafe { &*ctx.cast::<Rig>() };
    unsafe { reenter(rig) };
    rig.outstanding.fetch_add(size as isize, Ordering::SeqCst);
    let layout = std::alloc::Layout::from_size_align(size, align).expect("a layout");
    unsafe { std::alloc::alloc(layout) }.cast()
}

unsafe extern "C-unwind" fn release(ptr: *mut c_void, size: usize, align: usize, ctx: *mut c_void) {
    let rig = unsafe { &*ctx.cast::<Rig>() };
    unsafe { reenter(rig) };
    rig.outstanding.fetch_sub(size as isize, Ordering::SeqCst);
    let layout = std::alloc::Layout::from_size_align(size, align).expect("a layout");
    unsafe { std::alloc::dealloc(ptr.cast(), layout) };
}

/// Without other threads nothing stays: neither for this thread's own slot nor for those that have ended.
#[test]
fn old_tables_come_back() {
    let rig = Rig::new();
    let many = scaled(20_000) as u64;
    thread::scope(|scope| scope.spawn(|| rig.get(0)).join().expect("no panic"));
    (0..many).for_each(|key| rig.insert(key));
    rig.barrier();
    // The table, the next one if there is one, their nodes, and nothing of the size of the table before.
    let bytes = rig.stats().bytes as isize;
    assert!(rig.outstanding() < bytes + 16_384, "{} bytes, {bytes} in use", rig.outstanding());
    (0..many).for_each(|key| rig.remove(key));
    assert_eq!(unsafe { conex_map_shrink(rig.map()) }, CONEX_OK);
    rig.barrier();
    assert!(rig.outstanding() < 8192, "{} bytes", rig.outstanding());
    rig.end();
}

/// A map that is only read: what an ended thread had named goes with the next barrier.
#[test]
fn a_barrier_frees_the_tables_of_ended_threads() {
    let rig = Rig::new();
    (0..32).for_each(|key| rig.insert(key));
    assert_eq!(unsafe { conex_map_reserve(rig.map(), scaled(8_000)) }, CONEX_OK);
    let large = rig.buckets() as isize * 64;
    let gate = Barrier::new(2);
    thread::scope(|scope| {
        let user = scope.spawn(|| {
            assert_eq!(rig.get(0), Some(0));
            gate.wait();
            gate.wait();
        });
        gate.wait();
        assert_eq!(unsafe { conex_map_shrink(rig.map()) }, CONEX_OK);
        // This thread comes to the new table while the other one still names the old one.
        assert_eq!(rig.get(0), Some(0));
        rig.barrier();
        assert!(rig.outstanding() > large, "nothing was held: the test tests nothing");
        gate.wait();
        // Its slots are empty when it has ended, which the scope alone does not wait for.
        user.join().expect("no panic");
    });
    (0..32).for_each(|key| assert_eq!(rig.get(key), Some(key)));
    rig.barrier();
    assert!(rig.outstanding() < 8192, "{} bytes, {large} of the old table", rig.outstanding());
    rig.end();
}

/// Threads that stopped using the map at different sizes each keep the table that they saw, which the map outgrows.
#[test]
fn idle_threads_hold_back_two_tables() {
    let rig = Rig::new();
    let idle = 4;
    let gate = Barrier::new(idle + 1);
    let mut held = 0;
    let mut next = 0;
    thread::scope(|scope| {
        for _ in 0..idle {
            let before = rig.buckets();
            while rig.buckets() <= 2 * before {
                rig.insert(next);
                next += 1;
            }
            held += 2 * 128 * rig.buckets() as isize + 1024;
            scope.spawn(|| {
                assert_eq!(rig.get(0), Some(0));
                gate.wait();
                // Idle, as it were stalled, with its slots as they are.
                gate.wait();
                assert_eq!(rig.get(0), Some(0));
                gate.wait();
                gate.wait();
            });
            // So that the thread has looked before the map grows on.
            thread::sleep(std::time::Duration::from_millis(if cfg!(miri) { 1 } else { 20 }));
        }
        gate.wait();
        let full = next * if cfg!(miri) { 2 } else { 8 };
        (next..full).for_each(|key| rig.insert(key));
        (8..full).for_each(|key| rig.remove(key));
        assert_eq!(unsafe { conex_map_shrink(rig.map()) }, CONEX_OK);
        rig.barrier();
        assert!(rig.outstanding() <= held + 8192, "{} bytes, at most {held} held", rig.outstanding());
        assert!(rig.outstanding() > 8192, "nothing was held: the test tests nothing");
        gate.wait();
        // The last one of them to move on has let the old tables go.
        gate.wait();
        rig.barrier();
        assert!(rig.outstanding() < 8192, "{} bytes", rig.outstanding());
        gate.wait();
    });
    rig.end();
}

/// Hooks that use the map, and so change what the thread's slots protect, in the middle of its operations.
#[test]
fn a_hook_may_use_the_map() {
    let rig = Rig::new();
    let arm = || rig.reenters.store(true, Ordering::SeqCst);
    let many = if cfg!(miri) { 120 } else { 3_000 };
    for key in 0..many {
        arm();
        rig.insert(key);
        arm();
        assert_eq!(rig.get(key), Some(key));
        assert_eq!(rig.get(key / 2), Some(key / 2));
        arm();
        let keys = [key, key / 2, key / 3];
        let (mut values, mut statuses, mut count) = ([0_u64; 3], [CONEX_OK; 3], 0);
        let status = unsafe {
            conex_map_get_n(
                rig.map(),
                keys.as_ptr().cast(),
                3,
                values.as_mut_ptr().cast(),
                statuses.as_mut_ptr(),
                &mut count,
            )
        };
        assert_eq!((status, count, values), (CONEX_OK, 3, keys));
    }
    for key in 0..many {
        arm();
        rig.remove(key);
        assert_eq!(rig.get(key), None);
    }
    assert!(rig.fired.load(Ordering::SeqCst) > 2, "the hooks have used the map");
    rig.end();
}

/// More threads at once than a map has counting cells of its own.
#[test]
fn many_threads_are_counted() {
    let rig = Rig::new();
    let threads = if cfg!(miri) { 10 } else { 70 };
    let gate = Barrier::new(threads);
    thread::scope(|scope| {
        for thread in 0..threads as u64 {
            let (rig, gate) = (&rig, &gate);
            scope.spawn(move || {
                gate.wait();
                (0..20).for_each(|n| rig.insert(thread << 32 | n));
                (0..5).for_each(|n| rig.remove(thread << 32 | n));
                gate.wait();
            });
        }
    });
    let mut len = 0;
    assert_eq!(unsafe { conex_map_len(rig.map(), &mut len) }, CONEX_OK);
    assert_eq!(len, 15 * threads);
    rig.end();
}

/// The first insertion of a thread that has no counting cell yet: while one is made for it, the table in which it has just
/// inserted is replaced, and freed.
#[test]
fn a_hook_may_wait_until_the_table_is_freed() {
    let rig = Rig::new();
    let near = if cfg!(miri) { 4 } else { 16 };
    let gate = Barrier::new(near + 1);
    thread::scope(|scope| {
        for _ in 0..near {
            scope.spawn(|| {
                // Takes part in the domain, and does not look at the map.
                assert_eq!(unsafe { conex_domain_flush(rig.domain) }, CONEX_OK);
                gate.wait();
                gate.wait();
            });
        }
        gate.wait();
        let inserter = scope.spawn(|| {
            rig.waits.store(true, Ordering::SeqCst);
            rig.reenters.store(true, Ordering::SeqCst);
            rig.insert(1);
        });
        inserter.join().expect("no panic");
        gate.wait();
    });
    assert_eq!(rig.waited.load(Ordering::SeqCst), 1);
    assert_eq!(rig.get(1), Some(1));
    rig.end();
}
