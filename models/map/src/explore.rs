//! Exhaustive search: depth first, every state once, and the progress of every thread from every state.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::time::Instant;

use crate::scenario::Scenario;
use crate::state::{Fault, MAX_THREADS, State};
use crate::step::step;

/// Fingerprints are hashes already.
#[derive(Default)]
pub struct Identity(u64);

impl Hasher for Identity {
    fn write(&mut self, _: &[u8]) {
        unreachable!("only fingerprints are hashed");
    }

    fn write_u128(&mut self, fingerprint: u128) {
        self.0 = fingerprint as u64;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

type Map<V> = HashMap<u128, V, BuildHasherDefault<Identity>>;

/// How many steps each thread needs, alone, to end the operation it is in. 0: it has none left.
type Solo = [u8; MAX_THREADS];

/// The search went through here and is not done with it: to come back is a cycle.
const OPEN: Solo = [u8::MAX; MAX_THREADS];

/// What an exhaustive search counted.
#[derive(Debug, Default, Clone)]
pub struct Counted {
    pub states: usize,
    pub steps: usize,
    /// The longest run.
    pub depth: usize,
    /// The longest that a thread needs alone, from any state, to end its operation.
    pub solo: u8,
    pub seconds: f64,
}

/// A run that ends in a fault: the thread that moves, and the state it moves from.
#[derive(Debug)]
pub struct Broken {
    pub fault: Fault,
    pub run: Vec<(usize, State)>,
    pub states: usize,
}

struct Frame {
    state: State,
    print: u128,
    next: usize,
    solo: Solo,
}

/// Searches all states. An error is the first run found that breaks a property.
///
/// The graph of states has no cycle (else the search reports it), so every run is finite whatever the
/// schedule: no subset of the threads can run for ever, and as no step ever blocks, those that go on reach
/// the end of their programs however many of the others have stopped for good. `solo` says within how many of
/// its own steps.
pub fn explore(sc: &Scenario) -> Result<Counted, Box<Broken>> {
    let start = Instant::now();
    let mut seen: Map<Solo> = Map::default();
    let mut counted = Counted::default();
    let first = State::initial(sc);
    let mut stack = vec![Frame { state: first, print: first.fingerprint(), next: 0, solo: [0; MAX_THREADS] }];
    seen.insert(stack[0].print, OPEN);
    while let Some(top) = stack.last_mut() {
        if top.next == sc.threads.len() {
            counted.solo = counted.solo.max(top.solo.into_iter().max().unwrap_or(0));
            seen.insert(top.print, top.solo);
            stack.pop();
            continue;
        }
        let t = top.next;
        if top.state.finished(sc, t) {
            top.next += 1;
            continue;
        }
        let broken = |fault: Fault, stack: &[Frame], states: usize| {
            Box::new(Broken { fault, run: stack.iter().map(|f| (f.next, f.state)).collect(), states })
        };
        let from = top.state;
        let to = match step(sc, &from, t) {
            Ok(to) => to,
            Err(fault) => return Err(broken(fault, &stack, seen.len())),
        };
        let print = to.fingerprint();
        match seen.get(&print) {
            Some(&OPEN) => {
                let fault = "progress: a run comes back to a state it was in".into();
                return Err(broken(fault, &stack, seen.len()));
            }
            Some(solo) => {
                let ended = to.threads[t].op != from.threads[t].op;
                top.solo[t] = if ended { 1 } else { solo[t] + 1 };
                top.next += 1;
                counted.steps += 1;
            }
            None => {
                seen.insert(print, OPEN);
                stack.push(Frame { state: to, print, next: 0, solo: [0; MAX_THREADS] });
                counted.depth = counted.depth.max(stack.len() - 1);
            }
        }
    }
    counted.states = seen.len();
    counted.seconds = start.elapsed().as_secs_f64();
    Ok(counted)
}

/// The shortest run that breaks a property of states or steps, breadth first. Cycles are not looked for.
pub fn shortest(sc: &Scenario, most: usize) -> Option<Broken> {
    let mut from: Map<(u32, u8)> = Map::default();
    let first = State::initial(sc);
    let mut states = vec![(first, 0_u32, 0_u8)];
    from.insert(first.fingerprint(), (0, 0));
    let mut at = 0;
    while at < states.len() && at < most {
        let state = states[at].0;
        for t in (0..sc.threads.len()).filter(|&t| !state.finished(sc, t)) {
            match step(sc, &state, t) {
                Ok(to) => {
                    if from.insert(to.fingerprint(), (at as u32, t as u8)).is_none() {
                        states.push((to, at as u32, t as u8));
                    }
                }
                Err(fault) => {
                    let mut run = vec![(t, state)];
                    let mut i = at;
                    while i != 0 {
                        let (_, parent, t) = states[i];
                        i = parent as usize;
                        run.push((usize::from(t), states[i].0));
                    }
                    run.reverse();
                    return Some(Broken { fault, run, states: states.len() });
                }
            }
        }
        at += 1;
    }
    None
}

/// Prints a run: one line a step.
pub fn print_run(sc: &Scenario, broken: &Broken) {
    for (t, s) in &broken.run {
        let th = &s.threads[*t];
        let headers: Vec<_> =
            (0..sc.buckets()).map(|b| format!("{:?} {}", s.headers[b], cells(sc, s, b))).collect();
        println!(
            "  t{t} {:24} {:11} tbl {} | {}",
            format!("{:?}", s.op(sc, *t)),
            format!("{:?}", th.pc),
            th.table,
            headers.join(" | ")
        );
    }
    println!("  => {}", broken.fault);
}

fn cells(sc: &Scenario, s: &State, bucket: usize) -> String {
    let cells = usize::from(sc.cells);
    let words = &s.words[bucket];
    format!("{:?} {:?}", &words.keys[..cells], &words.lanes[..=cells])
}
