//! The engine in loom: every interleaving of small programs on tiny tables, within the preemption bound.
//!
//! Buckets have one cell and two lanes here, tables two buckets and more, chunks one. Positions
//! are chosen, not hashed: those with the top bit clear are in bucket 0 of a table of two.
//!
//! A pin is a fence, which hides what an operation's own orderings are for. So threads either run under one pin, as in a
//! session ([`spawn`]), or without any ([`spawn_unpinned`]).

//!
//! Which thread is spawned is no matter of taste. loom runs the spawning one first, and comes back to a load only for a store
//! that conflicts with the *last* access to the same word. A writer that has looked at each word before it stores there is
//! the last itself, and hides all loads of a reader that ran before it: such a model finds nothing. So readers are spawned,
//! and who changes what they read does not wait for them; or the model is run both ways.

mod bucket;
mod count;
mod frees;
mod migration;
mod parked;
mod two_cells;
mod unpinned;

use std::vec::Vec;

use loom::model::Builder;
use loom::sync::Arc;
use loom::thread;

use super::change::Rest;
use super::engine::Engine;
use super::hash::Mixer;
use super::plan::{Change, Plan};
use super::words::{Word, Words};
use crate::mem::{Allocator, NoMemory};
use crate::reclaim::Domain;

type Map = Engine<Words>;

fn map() -> Arc<Map> {
    let domain = Domain::new().unwrap();
    Arc::new(Engine::new(&domain, Allocator::process(), Words { mixer: Mixer::new(0) }, 0).unwrap())
}

/// Two positions in bucket 0 of a table of two, of which the second moves to bucket 1 of four; and one in bucket 1.
const A: u64 = 0x1000;
const B: u64 = 1 << 62 | 0x2000;
const C: u64 = 1 << 63 | 0x3000;

fn get(map: &Map, key: u64) -> Option<u64> {
    map.get(&map.pin(), &Word(key)).map(|pair| pair.value)
}

/// Without a pin, as maps of words do it.
fn get_word(map: &Map, key: u64) -> Option<u64> {
    map.get_word(Word(key)).map(|pair| pair.value)
}

/// As [`get_word`].
fn add_word(map: &Map, key: u64, by: u64) -> Change {
    map.change_word(Word(key), |old| Plan::Store(old.map_or(0, |pair| pair.value) + by)).unwrap()
}

/// As [`get_word`].
fn remove_word(map: &Map, key: u64) -> Option<u64> {
    match map.change_word(Word(key), |_| Plan::Remove).unwrap() {
        Change::Removed(pair) => Some(pair.value),
        _ => None,
    }
}

fn change(map: &Map, key: u64, mut plan: impl FnMut(Option<u64>) -> Plan) -> Change {
    let pinned = map.pin();
    let mut rest = Rest::new();
    let plan = |old: Option<super::bucket::Pair>| Ok::<_, NoMemory>(plan(old.map(|pair| pair.value)));
    let change = map.change(&pinned, &Word(key), &mut rest, plan).unwrap();
    map.clean_up(&pinned, change, rest);
    change
}

fn insert(map: &Map, key: u64, value: u64) -> bool {
    let done = change(map, key, |old| if old.is_some() { Plan::Keep } else { Plan::Store(value) });
    done == Change::Inserted
}

fn add(map: &Map, key: u64, by: u64) {
    change(map, key, |old| Plan::Store(old.unwrap_or(0) + by));
}

fn remove(map: &Map, key: u64) -> Option<u64> {
    match change(map, key, |_| Plan::Remove) {
        Change::Removed(pair) => Some(pair.value),
        _ => None,
    }
}

fn contents(map: &Map) -> Vec<(u64, u64)> {
    let mut all = Vec::new();
    let mut first = Some(0);
    while let Some(at) = first {
        let pinned = map.pin();
        let region = map.region(&pinned, at);
        let _ = region.try_for_each(map.codec(), |pair| {
            all.push((pair.key, pair.value));
            core::ops::ControlFlow::<()>::Continue(())
        });
        first = region.next();
    }
    all.sort_unstable();
    all
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    // Room for the end of a domain, whose memory is disposed of one by one.
    builder.max_branches = 20_000;
    builder
}

/// A model within the preemption bound.
fn model(run: impl Fn() + Sync + Send + 'static) {
    builder().check(run);
}

/// A model within one preemption: of threads that need no more to meet, and are too many, or too long, for more.
fn model_within_one(run: impl Fn() + Sync + Send + 'static) {
    let mut builder = builder();
    builder.preemption_bound = Some(1);
    builder.check(run);
}

/// Nobody is at work: nothing is withheld in the bucket of `key` in the current table.
fn assert_settled(map: &Map, key: u64) {
    assert!(map.table(&map.pin()).bucket(key).is_settled(), "something is withheld by nobody");
}

/// The thread runs under one pin.
fn spawn<R: 'static>(map: &Arc<Map>, run: impl FnOnce(&Map) -> R + 'static) -> thread::JoinHandle<R> {
    let map = map.clone();
    thread::spawn(move || {
        let _session = map.pin();
        run(&map)
    })
}

/// The thread pins where its operations do.
fn spawn_unpinned<R: 'static>(
    map: &Arc<Map>,
    run: impl FnOnce(&Map) -> R + 'static,
) -> thread::JoinHandle<R> {
    let map = map.clone();
    thread::spawn(move || run(&map))
}

/// Begins the migration of the current table, which has 2^`from` buckets, and leaves it to the others.
fn begin(map: &Map, from: u32, to: u32) {
    let pinned = map.pin();
    let table = map.table(&pinned);
    assert_eq!(table.log2(), from);
    map.resize(table, to).unwrap();
    assert!(table.is_migrating());
}

fn assist(map: &Map) {
    let pinned = map.pin();
    map.assist(&pinned, map.table(&pinned)).unwrap();
}

/// Moves everything, and lets go of the table.
fn migrate(map: &Map) {
    assist(map);
    assist(map);
}
