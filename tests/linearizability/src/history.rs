//! What the recorder writes, and which check applies to it.
//!
//! ```text
//! history queue          a new history of a new container: queue, stack, stack_n or map
//! 12 19 push 7           call, return, operation, arguments
//! 14 23 pop = 7          and after the equals sign what it answered; nothing there: `pop =`
//! 25 31 insert 3 70 = -  map: key 3, value 70, no value was there
//! ```

use std::collections::HashMap;

use crate::sequence::{self, Op};
use crate::spec::{Key, KeyOp, Stack, StackOp};
use crate::wgl::{self, Verdict};
use crate::{Event, Stamp};

/// How many configurations the search may try for one history, or one key.
const LIMIT: usize = 4_000_000;

/// What checking a file came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Histories, and for maps keys.
    pub histories: usize,
    /// Operations in them.
    pub operations: usize,
    /// Pairs of operations whose times overlap: without them nothing is tested.
    pub overlaps: usize,
}

/// Checks every history of `text`.
///
/// # Errors
/// The first that is not linearizable, or what is wrong with the text.
pub fn check(text: &str) -> Result<Summary, String> {
    let mut summary = Summary::default();
    for (number, part) in text.split("history ").skip(1).enumerate() {
        let mut lines = part.lines();
        let kind = lines.next().unwrap_or_default().trim();
        let lines = lines.filter(|line| !line.is_empty()).map(Line::parse).collect::<Result<Vec<_>, _>>()?;
        let counted = match kind {
            "queue" => {
                sequence::queue(&sequence_of(&lines)?).and_then(|()| batches_in_order(&lines)).map(|()| 1)
            }
            "stack" => sequence::stack(&sequence_of(&lines)?).map(|()| 1),
            "stack_n" => search::<Stack>(&events(&lines, stack_op)?).map(|()| 1),
            "map" => keys(&lines),
            _ => Err(format!("unknown kind of history: {kind}")),
        };
        summary.histories += counted.map_err(|fault| format!("history {number} ({kind}): {fault}"))?;
        summary.operations += lines.len();
        summary.overlaps += overlaps(&lines);
    }
    if summary.operations == 0 {
        return Err("there is nothing in it".into());
    }
    Ok(summary)
}

struct Line<'a> {
    start: Stamp,
    end: Stamp,
    name: &'a str,
    args: Vec<u64>,
    answer: Vec<Option<u64>>,
}

impl<'a> Line<'a> {
    fn parse(line: &'a str) -> Result<Self, String> {
        let bad = || format!("not an operation: {line}");
        let (call, answer) = line.split_once('=').unwrap_or((line, ""));
        let mut words = call.split_whitespace();
        let mut stamp = || words.next().and_then(|word| word.parse().ok()).ok_or_else(bad);
        let (start, end) = (stamp()?, stamp()?);
        let name = words.next().ok_or_else(bad)?;
        let args = words.map(str::parse).collect::<Result<_, _>>().map_err(|_| bad())?;
        let value = |word: &str| if word == "-" { Some(None) } else { word.parse().ok().map(Some) };
        let answer = answer.split_whitespace().map(value).collect::<Option<_>>().ok_or_else(bad)?;
        if start >= end { Err(bad()) } else { Ok(Self { start, end, name, args, answer }) }
    }

    fn bad<T>(&self) -> Result<T, String> {
        Err(format!("{} {} {}: not an operation of this kind of history", self.start, self.end, self.name))
    }

    fn values(&self) -> Vec<u64> {
        self.answer.iter().flatten().copied().collect()
    }
}

fn events<O>(
    lines: &[Line<'_>],
    op: impl Fn(&Line<'_>) -> Result<O, String>,
) -> Result<Vec<Event<O>>, String> {
    lines.iter().map(|line| Ok(Event { op: op(line)?, start: line.start, end: line.end })).collect()
}

/// The elements of a batch become operations of their own with the same times: the batches of a queue are no single step.
/// Their order is checked by [`batches_in_order`].
fn sequence_of(lines: &[Line<'_>]) -> Result<Vec<Event<Op>>, String> {
    // The parts of a batch get different stamps: all of its calls before all of its returns, so that they overlap.
    let mut events = Vec::new();
    for line in lines {
        let ops: Vec<Op> = match (line.name, line.args.as_slice()) {
            ("push" | "push_n", values) => values.iter().map(|value| Op::Push(*value)).collect(),
            ("pop" | "pop_n", _) if line.answer.is_empty() => vec![Op::Empty],
            ("pop" | "pop_n", _) => line.values().into_iter().map(Op::Pop).collect(),
            ("is_empty", _) if line.answer == [Some(1)] => vec![Op::Empty],
            ("is_empty" | "len", _) => vec![],
            _ => return line.bad(),
        };
        for (i, op) in ops.into_iter().enumerate() {
            let part = i as Stamp;
            if part >= PARTS {
                return line.bad();
            }
            events.push(Event { op, start: line.start * PARTS + part, end: line.end * PARTS + part });
        }
    }
    Ok(events)
}

/// A queue keeps the order within a batch, at both ends.
fn batches_in_order(lines: &[Line<'_>]) -> Result<(), String> {
    let (mut pushed, mut popped) = (HashMap::new(), HashMap::new());
    for line in lines {
        pushed.extend(line.args.iter().map(|value| (*value, line)));
        popped.extend(line.values().into_iter().enumerate().map(|(at, value)| (value, (line, at))));
    }
    let fault = |x: u64, y: u64| Err(format!("{y} overtook {x}, which came before it in a batch"));
    for line in lines {
        for pair in line.args.windows(2).filter(|_| line.name == "push_n") {
            match (popped.get(&pair[0]), popped.get(&pair[1])) {
                (None, Some(_)) => return fault(pair[0], pair[1]),
                (Some((x, x_at)), Some((y, y_at)))
                    if y.end < x.start || (x.start == y.start && y_at < x_at) =>
                {
                    return fault(pair[0], pair[1]);
                }
                _ => {}
            }
        }
        for pair in line.values().windows(2).filter(|_| line.name == "pop_n") {
            let (first, second) = (pushed.get(&pair[0]), pushed.get(&pair[1]));
            if first.zip(second).is_some_and(|(first, second)| second.end < first.start) {
                return fault(pair[1], pair[0]);
            }
        }
    }
    Ok(())
}

/// How many elements a batch in a history may have.
const PARTS: Stamp = 64;

fn stack_op(line: &Line<'_>) -> Result<StackOp, String> {
    Ok(match (line.name, line.args.as_slice()) {
        ("push" | "push_n", values) => StackOp::PushN(values.to_vec()),
        ("pop", []) => StackOp::PopN(1, line.values()),
        ("pop_n", [n]) => StackOp::PopN(usize::try_from(*n).unwrap_or(usize::MAX), line.values()),
        ("pop_all", []) => StackOp::PopAll(line.values()),
        ("is_empty", []) => StackOp::IsEmpty(line.answer == [Some(1)]),
        ("len", []) => StackOp::Len(usize::try_from(line.values()[0]).unwrap_or(usize::MAX)),
        _ => return line.bad(),
    })
}

fn key_op(line: &Line<'_>) -> Result<KeyOp, String> {
    Ok(match (line.name, &line.args[1..], line.answer.as_slice()) {
        ("get", [], [found]) => KeyOp::Get(*found),
        ("contains", [], [Some(found)]) => KeyOp::Contains(*found == 1),
        ("insert", [value], [current]) => KeyOp::Insert(*value, *current),
        ("upsert", [value], [old]) => KeyOp::Upsert(*value, *old),
        ("replace", [value], [old]) => KeyOp::Replace(*value, *old),
        ("remove", [], [old]) => KeyOp::Remove(*old),
        ("compare_exchange", [from, to], [current]) => KeyOp::CompareExchange(*from, *to, *current),
        ("update", [], [old, new]) => KeyOp::Update(*old, *new),
        ("get_or_insert", [value], [Some(inserted), Some(there)]) => {
            KeyOp::GetOrInsert(*value, *inserted == 1, *there)
        }
        ("fetch_add", [delta], [Some(previous)]) => KeyOp::FetchAdd(*delta, *previous),
        ("insert_one", [value], [Some(inserted)]) => KeyOp::InsertOne(*value, *inserted == 1),
        ("remove_one", [], [Some(removed)]) => KeyOp::RemoveOne(*removed == 1),
        ("clear", [], []) => KeyOp::Clear,
        ("retain_even", [], []) => KeyOp::RetainEven,
        _ => return line.bad(),
    })
}

fn search<S: wgl::Spec>(events: &[Event<S::Op>]) -> Result<(), String> {
    match wgl::check::<S>(events, LIMIT) {
        Verdict::Linearizable => Ok(()),
        Verdict::Impossible(most) => {
            Err(format!("not linearizable: at most {most} of {} operations can be explained", events.len()))
        }
        Verdict::TooHard => {
            Err(format!("too hard to decide: {} operations; record shorter histories", events.len()))
        }
    }
}

/// Linearizability is local (Herlihy and Wing 1990): a map is linearizable if each of its keys is.
fn keys(lines: &[Line<'_>]) -> Result<usize, String> {
    let mut keys: HashMap<u64, Vec<Event<KeyOp>>> = HashMap::new();
    for line in lines {
        let Some(key) = line.args.first() else { return line.bad() };
        keys.entry(*key).or_default().push(Event { op: key_op(line)?, start: line.start, end: line.end });
    }
    for (key, events) in &keys {
        search::<Key>(events).map_err(|fault| format!("key {key}: {fault}"))?;
    }
    Ok(keys.len())
}

fn overlaps(lines: &[Line<'_>]) -> usize {
    let mut order: Vec<_> = lines.iter().map(|line| (line.start, line.end)).collect();
    order.sort_unstable();
    let later = |i: usize| order[i + 1..].iter().take_while(|later| later.0 < order[i].1).count();
    (0..order.len()).map(later).sum()
}
