//! What must hold in every state and between two states that follow each other.

use crate::migrate::share;
use crate::scenario::{Codec, Mutant, Scenario};
use crate::state::{
    ABSENT, FREE, Fault, Header, Life, MAX_BUCKETS, MAX_NODES, Pair, Pc, State, Thread, fault,
};

type Checked = Result<(), Fault>;

/// All properties of a step and of the state it leads to.
pub fn check(sc: &Scenario, before: &State, after: &State) -> Checked {
    for bucket in 0..sc.buckets() {
        transition(sc, before, after, bucket)?;
        bucket_holds(sc, after, bucket)?;
    }
    refinement(sc, after)?;
    reclamation(sc, after)?;
    if (0..sc.threads.len()).all(|t| after.finished(sc, t)) {
        nothing_left(sc, after)?;
    }
    Ok(())
}

fn transition(sc: &Scenario, before: &State, after: &State, bucket: usize) -> Checked {
    let (h, now) = (before.headers[bucket], after.headers[bucket]);
    for c in (0..sc.cells).filter(|&c| h.has_cell(c) && now.has_cell(c)) {
        let (was, is) = (before.pair(bucket, c), after.pair(bucket, c));
        // Only together with the header: by another lane, or where the machine writes the spare one in the same step.
        let written = h.lane(c) == now.lane(c) && !(sc.pairs && h.has_spare(c));
        if was != is && (h == now || was.key != is.key || written) {
            return fault(format!("I1: cell {c} of bucket {bucket} changed while it was valid"));
        }
    }
    if h.is(Header::FROZEN) {
        let changed = (0..sc.cells).any(|c| h.has_cell(c) && before.pair(bucket, c) != after.pair(bucket, c));
        if now.0 & !Header::MOVED != h.0 & !Header::MOVED || changed {
            return fault(format!("I3: frozen bucket {bucket} changed from {h:?} to {now:?}"));
        }
    }
    if h.is(Header::MOVED) && !now.is(Header::MOVED) || h != Header::VIRGIN && now == Header::VIRGIN {
        return fault(format!("I3: bucket {bucket} went back from {h:?} to {now:?}"));
    }
    let table = sc.table_of(bucket);
    if table != 0 && h == Header::VIRGIN && h != now {
        let groups = sc.groups(table - 1);
        let group = (0..groups).find(|&g| sc.members(table, g, groups).contains(&bucket)).expect("a group");
        let parents = sc.members(table - 1, group, groups);
        if now.is(Header::FROZEN) || !parents.clone().all(|p| before.headers[p].is(Header::FROZEN)) {
            return fault(format!("I4: child {bucket} became {now:?} before its parents were frozen"));
        }
        let destined = share(sc, before, table - 1, group, bucket);
        let got: Vec<Pair> = contents(sc, after, bucket).collect();
        if got.len() != destined.len || destined.iter().any(|entry| !got.contains(&entry)) {
            return fault(format!("I4: child {bucket} became live without all that was destined for it"));
        }
    }
    Ok(())
}

/// The entries of a bucket.
pub fn contents<'a>(sc: &'a Scenario, s: &'a State, bucket: usize) -> impl Iterator<Item = Pair> + 'a {
    let h = s.headers[bucket];
    let node = h.node().map_or(&[][..], |node| s.nodes[node].entries());
    let cells = (0..sc.cells).filter(move |&c| h.has_cell(c)).map(move |c| s.pair(bucket, c));
    cells.chain(node.iter().copied())
}

fn bucket_holds(sc: &Scenario, s: &State, bucket: usize) -> Checked {
    let h = s.headers[bucket];
    let table = sc.table_of(bucket);
    // Once moved, its node is on the way to the allocator and nobody asks for its contents.
    if !h.is(Header::MOVED) {
        let mut found = 0_u8;
        for entry in contents(sc, s, bucket) {
            let key = sc.keys.iter().position(|key| key.code == entry.key);
            let Some(key) = key.filter(|&key| sc.bucket(table, key) == bucket) else {
                return fault(format!("I1: bucket {bucket} holds {entry:?}, which is no entry of its own"));
            };
            if found >> key & 1 == 1 {
                return fault(format!("uniqueness: key {key} is twice in bucket {bucket}"));
            }
            found |= 1 << key;
        }
        if h.node().is_some_and(|node| s.nodes[node].life != Life::Live) {
            return fault(format!("reclamation: bucket {bucket} still reaches a node that is not live"));
        }
    }
    if h.is(Header::MOVED) {
        let groups = sc.groups(table);
        let group = (0..groups).find(|&g| sc.members(table, g, groups).contains(&bucket)).expect("a group");
        if sc.members(table + 1, group, groups).any(|kid| s.headers[kid] == Header::VIRGIN) {
            return fault(format!("I4: bucket {bucket} is moved, but not all its children are live"));
        }
    }
    for cell in (0..sc.cells).filter(|&c| !h.has_cell(c) && s.words[bucket].keys[usize::from(c)] != FREE) {
        let owned = s.threads.iter().any(|th| {
            let reserved = th.cell == cell + 1 && usize::from(th.cell_bucket) == bucket;
            let replaced = th.old >> cell & 1 == 1 && sc.bucket_of(th) == Some(bucket);
            let helped = usize::from(th.kid) == bucket && th.got >> cell & 1 == 1;
            !matches!(th.pc, Pc::Start | Pc::ScanPin) && (reserved || replaced || helped)
        });
        if !owned {
            return fault(format!("leak: cell {cell} of bucket {bucket} is withheld by nobody"));
        }
    }
    let claimer = |th: &Thread| th.claimed && sc.bucket_of(th) == Some(bucket);
    // Without memory to give it back a lane stays withheld, until the bucket is migrated.
    let short = sc.nodes < MAX_NODES;
    match s.threads.iter().filter(|th| claimer(th)).count() {
        _ if h.is(Header::FROZEN) => {}
        0 if h.is(Header::CLAIMED) && !short => {
            return fault(format!("leak: the lane of bucket {bucket} is claimed by nobody"));
        }
        1 if h.is(Header::CLAIMED) => {}
        0 => {}
        claimers => {
            return fault(format!("claims: {claimers} threads have bucket {bucket}'s lane, which is {h:?}"));
        }
    }
    for th in s.threads.iter().filter(|th| s.holds_version(sc, th, bucket)) {
        if !h.is(Header::MOVED) && th.h.tag() > s.version(bucket) {
            return fault(format!(
                "versions: a thread holds a newer version of bucket {bucket} than the bucket"
            ));
        }
    }
    Ok(())
}

/// The bucket that decides about `key`.
fn authority(sc: &Scenario, s: &State, key: usize) -> Result<usize, Fault> {
    let mut table = s.current;
    loop {
        let bucket = sc.bucket(table, key);
        let h = s.headers[bucket];
        if table != 0 && h == Header::VIRGIN {
            return fault("I4: a bucket that is not migrated yet decides");
        }
        if !h.is(Header::FROZEN) || s.headers[sc.bucket(table + 1, key)] == Header::VIRGIN {
            return Ok(bucket);
        }
        table += 1;
    }
}

fn refinement(sc: &Scenario, s: &State) -> Checked {
    for (key, &value) in s.map.iter().enumerate().take(sc.keys.len()) {
        let bucket = authority(sc, s, key)?;
        let found = contents(sc, s, bucket).find(|entry| entry.key == sc.keys[key].code);
        let concrete = found.map_or(ABSENT, |entry| entry.value);
        if concrete != value {
            return fault(format!(
                "refinement: bucket {bucket} says {concrete} for key {key}, the abstract map {value}"
            ));
        }
        if value != ABSENT && sc.codec == Codec::Entry && s.entries[usize::from(value)] != Life::Live {
            return fault(format!("reclamation: the entry of key {key} is reachable and not live"));
        }
    }
    Ok(())
}

fn reclamation(sc: &Scenario, s: &State) -> Checked {
    for table in usize::from(s.current)..sc.tables.len() {
        let reachable = table == usize::from(s.current) || s.tables[table - 1].next;
        if reachable && s.tables[table].life != Life::Live {
            return fault(format!("reclamation: table {table} is reachable and not live"));
        }
        if !reachable {
            break;
        }
    }
    Ok(())
}

/// Every thread is through: nothing is reserved, private, waiting or lost, and destroying the map gives back
/// the rest, each thing once, also in the middle of a migration.
fn nothing_left(sc: &Scenario, s: &State) -> Checked {
    let mut reached = [false; 32];
    let mut dropped = [0_u8; 32];
    for table in s.current..sc.tables.len() as u8 {
        if s.tables[usize::from(table)].life != Life::Live {
            break;
        }
        for index in 0..sc.tables[usize::from(table)] {
            let bucket = sc.number(table, index);
            let h = s.headers[bucket];
            if h.is(Header::MOVED) {
                continue;
            }
            if let Some(node) = h.node() {
                reached[node] = true;
            }
            for entry in contents(sc, s, bucket) {
                let key = sc.keys.iter().position(|key| key.code == entry.key).expect("a key");
                let passed_on =
                    h.is(Header::FROZEN) && s.headers[sc.bucket(table + 1, key)] != Header::VIRGIN;
                if !passed_on || sc.has(Mutant::DestroyDropsFrozen) {
                    dropped[usize::from(entry.value)] += 1;
                }
            }
        }
    }
    for (n, node) in s.nodes.iter().enumerate() {
        if (node.life != Life::Free) != reached[n] {
            return fault(format!("leak: at the end node {n} is {:?}, reached: {}", node.life, reached[n]));
        }
    }
    for (value, life) in s.entries.iter().enumerate() {
        let wanted = u8::from(*life == Life::Live);
        if sc.codec == Codec::Entry && (dropped[value] != wanted || !matches!(life, Life::Live | Life::Free))
        {
            return fault(format!(
                "leak: at the end entry {value} is {life:?} and would be dropped {} times",
                dropped[value]
            ));
        }
    }
    if s.tables.iter().any(|table| matches!(table.life, Life::Retired(_))) {
        return fault("leak: a retired table was not freed");
    }
    assert!(sc.buckets() <= MAX_BUCKETS);
    Ok(())
}
