//! The slots alone in loom: a reader that names blocks, and one who unlinks a block and asks whether it is named.
//!
//! Containers have counters, links and fences of their own between the steps, which order much of what the slots should. Each
//! model runs both ways: see the text of the map's models.

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;

use super::*;

/// A block whose uses and end loom watches.
#[derive(Default)]
struct Block {
    alive: UnsafeCell<()>,
}

impl Block {
    fn is_used(&self) {
        self.alive.with(|_| ());
    }

    fn ends(&self) {
        self.alive.with_mut(|_| ());
    }
}

struct World {
    hazards: Hazards,
    blocks: [Block; 3],
    /// Leads to the first block, at first.
    source: AtomicPtr<Block>,
    /// Leads to the second one.
    second: AtomicPtr<Block>,
}

impl World {
    fn ptr(&self, at: usize) -> *mut Block {
        ptr::from_ref(&self.blocks[at]).cast_mut()
    }

    /// Unlinks the first block, and says whether it is free: it has ended then.
    fn retire(&self) -> bool {
        // AcqRel: as a container unlinks a block that others have written to.
        self.source.swap(ptr::null_mut(), Ordering::AcqRel);
        self.hazards.before_scan();
        let free = !self.hazards.named(self.ptr(0));
        if free {
            self.blocks[0].ends();
        }
        free
    }
}

fn retire(world: &World) {
    world.retire();
}

fn race(reader: impl Fn(&World) + Copy + Send + Sync + 'static, other: fn(&World)) {
    for swapped in [false, true] {
        loom::model(move || {
            let domain = Domain::new().unwrap();
            let [source, second] = Default::default();
            let world = World { hazards: Hazards::new(&domain), blocks: Default::default(), source, second };
            let world = Arc::new(world);
            // Relaxed, both: the other thread is not there yet.
            world.source.store(world.ptr(0), Ordering::Relaxed);
            world.second.store(world.ptr(1), Ordering::Relaxed);
            let beside = {
                let world = world.clone();
                thread::spawn(move || if swapped { reader(&world) } else { other(&world) })
            };
            if swapped {
                other(&world)
            } else {
                reader(&world)
            }
            beside.join().unwrap();
        });
    }
}

/// What was done with a block comes before its end, if a scan finds that it is named no more, in whatever way that came about.
#[test]
fn a_block_is_let_go() {
    let ways: [fn(&World, &Lane<'_>); 4] = [
        |_, lane| lane.clear(Role::Head),
        |world, lane| lane.leave(world.ptr(0)),
        |world, lane| lane.name_as(Role::Head, world.ptr(1)),
        |world, lane| {
            lane.protect(Role::Head, &world.second);
        },
    ];
    for let_go in ways {
        let reader = move |world: &World| {
            let lane = world.hazards.lane();
            if lane.protect(Role::Head, &world.source) == world.ptr(0) {
                world.blocks[0].is_used();
            }
            let_go(world, &lane);
        };
        race(reader, retire);
    }
}

/// A block is protected until its thread has named two others: while its name moves, after that, and to its last use.
#[test]
fn two_blocks_are_named_beside() {
    let reader = |world: &World| {
        let lane = world.hazards.lane();
        lane.name_beside(world.ptr(0));
        // Acquire: as a container loads what leads to a block.
        let there = world.source.load(Ordering::Acquire) == world.ptr(0);
        lane.name_beside(world.ptr(1));
        if there {
            world.blocks[0].is_used();
        }
        lane.name_beside(world.ptr(2));
    };
    race(reader, retire);
}

/// A block is free before it is named, and comes back at once: who has loaded its address before protects it as it is now.
#[test]
fn a_block_comes_back() {
    let reader = |world: &World| {
        let lane = world.hazards.lane();
        if lane.protect(Role::Head, &world.source) == world.ptr(0) {
            world.blocks[0].is_used();
        }
    };
    race(reader, |world| {
        if world.retire() {
            // Release: as a container links a block.
            world.source.store(world.ptr(0), Ordering::Release);
        }
    });
}
