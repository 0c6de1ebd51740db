//! Maps beside threads that have named a table and then stand still, go on under pins, or end.

use std::alloc::Layout;
use std::ffi::c_void;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::*;
use crate::map::change::Rest;
use crate::map::plan::Plan;
use crate::map::words::WordMap;
use crate::mem::{Allocator, NoMemory};
use crate::options::Options;
use crate::reclaim::Domain;
use crate::sync::AtomicBool;

fn map_in(domain: &Domain, entries: u64) -> Arc<WordMap> {
    let map = WordMap::new(7, 0, &Options::new().domain(domain)).unwrap();
    for key in 0..entries {
        map.insert(key, key).unwrap();
    }
    Arc::new(map)
}

fn map_of(entries: u64) -> Arc<WordMap> {
    map_in(&Domain::new().unwrap(), entries)
}

/// A thread that looks once at `map`, and so names its table; when it is told to, it runs `then` and ends.
fn looker<R: Send + 'static>(
    map: &Arc<WordMap>,
    then: impl FnOnce(&WordMap) -> R + Send + 'static,
) -> (Sender<()>, JoinHandle<R>) {
    let map = map.clone();
    let (go, begin) = channel();
    let (done, is_done) = channel();
    let thread = thread::spawn(move || {
        map.get(1);
        done.send(()).unwrap();
        begin.recv().unwrap();
        then(&map)
    });
    is_done.recv().unwrap();
    (go, thread)
}

/// Tells the thread to go on, and waits for its end.
fn join<R>((go, thread): (Sender<()>, JoinHandle<R>)) -> R {
    go.send(()).unwrap();
    thread.join().unwrap()
}

/// Replaces the table, which a thread has named.
fn outgrow(map: &WordMap) {
    map.engine.reserve(8000).unwrap();
    assert!(map.engine.parked().any(), "else this tests nothing");
}

/// An insertion or a removal as an operation with a callback makes it.
fn change_pinned(map: &WordMap, key: u64, what: Plan) {
    let pinned = map.engine.pin();
    let mut rest = Rest::new();
    let change = map.engine.change(&pinned, &map.word(key), &mut rest, |_| Ok::<_, NoMemory>(what)).unwrap();
    map.engine.clean_up(&pinned, change, rest);
}

#[test]
fn an_idle_thread_does_not_keep_the_map_large() {
    let n = if cfg!(miri) { 600 } else { 100_000 };
    let map = map_of(n);
    let full = map.engine.stats();
    let idle = looker(&map, |_| ());
    for key in 0..n {
        map.remove(key).unwrap();
    }
    for round in 0..100 {
        for key in 0..n / 100 {
            if round % 2 == 0 { map.insert(key, key).map(drop) } else { map.remove(key).map(drop) }.unwrap();
        }
        map.engine.limbo.domain().barrier(Duration::from_secs(60)).unwrap();
    }
    let stats = map.engine.stats();
    assert!(stats.buckets * 16 <= full.buckets, "{stats:?} once {full:?}");
    // And it grows again.
    for key in 0..n {
        map.insert(key, key).unwrap();
    }
    let stats = map.engine.stats();
    assert!(stats.buckets * 2 >= full.buckets, "{stats:?} once {full:?}");
    assert!(stats.bytes >= stats.buckets * 64 + full.buckets * 64, "what is held back is counted: {stats:?}");
    join(idle);
}

/// Operations under pins do not move the thread's slots; the thread lets go all the same.
#[test]
fn a_pinned_user_lets_go_of_what_it_has_named() {
    let map = map_of(32);
    let user = looker(&map, |map| {
        for _ in 0..2 * LOOK {
            change_pinned(map, 1 << 40, Plan::Store(1));
        }
        map.engine.parked().any()
    });
    outgrow(&map);
    assert!(!join(user), "its own slot keeps the old table parked");
}

/// Whoever ends leaves its slots empty and tells no map; those that go on changing a map find out.
#[test]
fn updates_free_what_an_ended_thread_had_named() {
    let map = map_of(100);
    let user = looker(&map, |_| ());
    outgrow(&map);
    map.get(1);
    join(user);
    for key in 0..2 * LOOK as u64 {
        map.fetch_add(key % 100, 1).unwrap();
    }
    assert!(!map.engine.parked().any());
}

/// A map that is only read is told by whoever asks for its figures, or for room.
#[test]
fn a_look_at_the_figures_frees_what_an_ended_thread_had_named() {
    let map = map_of(100);
    let user = looker(&map, |_| ());
    outgrow(&map);
    map.get(1);
    let held = map.engine.stats().bytes;
    join(user);
    assert!(map.engine.stats().bytes < held);
    assert!(!map.engine.parked().any());
}

/// A map that is only read is told by a flush or a barrier of its domain, too.
#[test]
fn a_barrier_frees_what_an_ended_thread_had_named() {
    let domain = Domain::new().unwrap();
    let map = map_in(&domain, 100);
    let user = looker(&map, |_| ());
    outgrow(&map);
    map.get(1);
    let pending = || domain.stats().pending_objects;
    domain.barrier(Duration::from_secs(60)).unwrap();
    assert!(map.engine.parked().any(), "what a thread names stays, and the barrier does not wait for it");
    join(user);
    assert_eq!((map.get(1), pending()), (Some(1), 0));
    domain.barrier(Duration::from_secs(60)).unwrap();
    assert_eq!((map.engine.parked().any(), pending()), (false, 0));
    // And again, by flushes.
    let user = looker(&map, |_| ());
    map.engine.shrink().unwrap();
    map.get(1);
    assert!(map.engine.parked().any(), "else this tests nothing");
    join(user);
    domain.flush();
    assert!(!map.engine.parked().any());
    for _ in 0..10 {
        domain.flush();
    }
    assert_eq!(pending(), 0);
}

/// A map says so when it parks a table, also if it has nothing else for its domain to look after.
#[test]
fn a_barrier_is_told_of_a_table_that_is_all_there_is() {
    let domain = Domain::new().unwrap();
    let map = map_in(&domain, 4);
    let user = looker(&map, |_| ());
    domain.barrier(Duration::from_secs(60)).unwrap();
    // One step: no table but the first one, and no node.
    map.engine.reserve(100).unwrap();
    assert_eq!(
        (map.engine.parked().any(), domain.stats().pending_objects),
        (true, 0),
        "else this tests nothing"
    );
    assert_eq!(map.get(1), Some(1));
    join(user);
    domain.barrier(Duration::from_secs(60)).unwrap();
    assert!(!map.engine.parked().any());
}

/// A table that a sweep has in its hands when the map is dropped goes with the map.
#[test]
fn a_map_is_dropped_while_its_domain_is_swept() {
    /// Also when an assertion fails.
    struct End<'a>(&'a AtomicBool);
    impl Drop for End<'_> {
        fn drop(&mut self) {
            // Relaxed: a wish, which need not be seen at once.
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let domain = Domain::new().unwrap();
    let ended = AtomicBool::new(false);
    let live = AtomicUsize::new(0);
    let counted = CountedAllocator(&live);
    thread::scope(|scope| {
        let _end = End(&ended);
        scope.spawn(|| {
            // Relaxed: as above.
            while !ended.load(Ordering::Relaxed) {
                domain.flush();
            }
        });
        for round in 0..if cfg!(miri) { 3 } else { 300 } {
            let options = Options::new().domain(&domain).allocator(counted.hooks());
            let map = Arc::new(WordMap::new(7, 0, &options).unwrap());
            (0..32).for_each(|key| _ = map.insert(key, key).unwrap());
            let user = looker(&map, |_| ());
            map.engine.reserve(1000).unwrap();
            join(user);
            for _ in 0..round % 10 {
                thread::yield_now();
            }
            drop(Arc::into_inner(map).expect("the looker has ended"));
            // Relaxed: who has freed for this map synchronised with the drop.
            assert_eq!(live.load(Ordering::Relaxed), 0, "round {round}");
        }
    });
}

/// The process allocator, with a count of the bytes that it has given.
struct CountedAllocator<'a>(&'a AtomicUsize);

impl CountedAllocator<'_> {
    fn hooks(&self) -> Allocator {
        unsafe extern "C-unwind" fn alloc(size: usize, align: usize, ctx: *mut c_void) -> *mut c_void {
            // SAFETY: the counter outlives the maps.
            unsafe { &*ctx.cast::<AtomicUsize>() }.fetch_add(size, Ordering::Relaxed);
            // SAFETY: a layout that the map has made.
            unsafe { std::alloc::alloc(Layout::from_size_align(size, align).unwrap()) }.cast()
        }
        unsafe extern "C-unwind" fn free(block: *mut c_void, size: usize, align: usize, ctx: *mut c_void) {
            // SAFETY: as above.
            unsafe { &*ctx.cast::<AtomicUsize>() }.fetch_sub(size, Ordering::Relaxed);
            // SAFETY: from `alloc`.
            unsafe { std::alloc::dealloc(block.cast(), Layout::from_size_align(size, align).unwrap()) };
        }
        // SAFETY: the functions may be called from any thread, and do not unwind.
        unsafe { Allocator::hooks(alloc, free, ptr::from_ref(self.0).cast_mut().cast()) }
    }
}

/// A thread that goes over to another map on the same lane overwrites its slots, and the first map does not hear of it.
#[test]
fn two_maps_share_a_lane() {
    let domain = Domain::new().unwrap();
    let first = map_in(&domain, 100);
    let others: Vec<_> = (0..100).map(|_| map_in(&domain, 10)).collect();
    let same = others.iter().find(|other| other.engine.hazards.share_a_lane(&first.engine.hazards));
    let other = same.expect("there are not that many lanes").clone();
    let (went, has_gone) = channel();
    let (stay, stayed) = channel::<()>();
    let user = looker(&first, move |first| {
        assert_eq!((other.get(1), first.get(1), other.get(1)), (Some(1), Some(1), Some(1)));
        first.get(1);
        went.send(()).unwrap();
        let _ = stayed.recv();
        other.get(1);
        went.send(()).unwrap();
        let _ = stayed.recv();
    });
    user.0.send(()).unwrap();
    has_gone.recv().unwrap();
    outgrow(&first);
    first.get(1);
    stay.send(()).unwrap();
    has_gone.recv().unwrap();
    // It lives, and names a table of the other map.
    for key in 0..2 * LOOK as u64 {
        first.fetch_add(key % 100, 1).unwrap();
    }
    assert!(!first.engine.parked().any());
    drop(stay);
    user.1.join().unwrap();
}

/// An operation that finds what it wants, and changes nothing, moves no migration on, as under a pin.
#[test]
fn an_insert_that_changes_nothing_moves_nothing() {
    let map = map_of(2);
    let pinned = map.engine.pin();
    let table = map.engine.table(&pinned);
    map.engine.resize(table, table.log2() + 2).unwrap();
    assert!(table.is_migrating());
    let cursor = || table.progress.cursor.load(Ordering::Relaxed);
    assert_eq!((map.insert(1, 2).unwrap(), cursor()), (Some(1), 0));
    assert_eq!((map.fetch_add(1, 2).unwrap(), cursor() > 0), (1, true), "a change does");
}
