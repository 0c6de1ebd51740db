//! Stacks and queues whose elements are all different.
//!
//! Each element has the interval of its push and that of its pop, which is for ever if it was not popped. Between the end
//! of its push and the start of its pop it is *certainly* in the container. A moment at which no element certainly is,
//! is one at which the container may have been empty, and the history can be cut there: an element whose pop starts
//! before the moment can be put on the left with both its operations, all others on the right, and no operation on the
//! right returned before one on the left was called. From that follow:
//!
//! - *Empty*: a pop that found nothing is right exactly if there is such a moment during it.
//! - *Queue*: without the empty pops, a history is linearizable unless a value came from nowhere or twice, was popped
//!   before its push was called, or overtook: x was pushed before y was, and y popped before x was (Henzinger, Sezgin,
//!   Vafeiadis, *Aspect-oriented linearizability proofs*, CONCUR 2013).
//! - *Stack*: cut at every moment that may be empty. In a piece without such a moment some element must be at the bottom
//!   all the time: nothing returned before its push was called, nothing was called after its pop returned. Whichever
//!   element can be the bottom may be taken as the bottom (moving its push to the front and its pop to the end of any
//!   linearization leaves one). Take it out and go on with the rest.

use std::collections::HashMap;

use crate::{Event, Stamp};

/// An operation on one element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// The element was put in.
    Push(u64),
    /// The element came out.
    Pop(u64),
    /// A pop found nothing.
    Empty,
}

#[derive(Clone, Copy, Debug)]
struct Element {
    value: u64,
    push: (Stamp, Stamp),
    pop: (Stamp, Stamp),
}

/// The pop of an element that stayed: later than everything, and at the same time as that of all others that stayed.
const NEVER: (Stamp, Stamp) = (Stamp::MAX - 1, Stamp::MAX);

fn elements(events: &[Event<Op>]) -> Result<Vec<Element>, String> {
    let mut elements = HashMap::new();
    for event in events {
        if let Op::Push(value) = event.op {
            let push = (event.start, event.end);
            if elements.insert(value, Element { value, push, pop: NEVER }).is_some() {
                return Err(format!("the value {value} was pushed twice: the recorder is wrong"));
            }
        }
    }
    for event in events {
        if let Op::Pop(value) = event.op {
            let Some(element) = elements.get_mut(&value) else {
                return Err(format!("the value {value} was popped and never pushed"));
            };
            if element.pop != NEVER {
                return Err(format!("the value {value} was popped twice"));
            }
            if event.end < element.push.0 {
                return Err(format!("the value {value} was popped before its push was called"));
            }
            // The push takes effect before the pop: so not after the pop has returned, nor the pop before the push was
            // called.
            element.pop = (event.start.max(element.push.0), event.end);
            element.push.1 = element.push.1.min(event.end);
        }
    }
    let mut elements: Vec<_> = elements.into_values().collect();
    elements.sort_by_key(|element| element.push.0);
    Ok(elements)
}

/// The unions of the open intervals in which some element certainly is in the container, in order.
fn occupied(elements: &[Element]) -> Vec<(Stamp, Stamp)> {
    let mut spans: Vec<_> = elements
        .iter()
        .filter(|element| element.push.1 < element.pop.0)
        .map(|element| (element.push.1, element.pop.0))
        .collect();
    spans.sort_unstable();
    let mut union: Vec<(Stamp, Stamp)> = Vec::new();
    for (from, to) in spans {
        match union.last_mut() {
            // No two stamps are equal, so spans that do not overlap leave a moment between them.
            Some(last) if from < last.1 => last.1 = last.1.max(to),
            _ => union.push((from, to)),
        }
    }
    union
}

fn empties_are_right(events: &[Event<Op>], elements: &[Element]) -> Result<(), String> {
    let occupied = occupied(elements);
    for event in events.iter().filter(|event| event.op == Op::Empty) {
        let span = occupied.partition_point(|span| span.0 <= event.start);
        if span > 0 && event.end <= occupied[span - 1].1 {
            return Err(format!(
                "a pop found nothing during {}..{}, and there was something all the time",
                event.start, event.end
            ));
        }
    }
    Ok(())
}

/// Whether a queue can have behaved so.
///
/// # Errors
/// What is impossible about it.
pub fn queue(events: &[Event<Op>]) -> Result<(), String> {
    let mut elements = elements(events)?;
    empties_are_right(events, &elements)?;
    // For each y: among the elements pushed entirely before it, the one whose pop was called last.
    let mut by_push_end = elements.clone();
    by_push_end.sort_by_key(|element| element.push.1);
    elements.sort_by_key(|element| element.push.0);
    let mut before = by_push_end.iter().peekable();
    let mut last: Option<Element> = None;
    for y in elements.iter() {
        while let Some(x) = before.next_if(|x| x.push.1 < y.push.0) {
            if last.is_none_or(|last| x.pop.0 > last.pop.0) {
                last = Some(*x);
            }
        }
        if let Some(x) = last.filter(|x| y.pop.1 < x.pop.0) {
            return Err(format!("{} overtook {}, which was pushed before it", y.value, x.value));
        }
    }
    Ok(())
}

/// Whether a stack can have behaved so.
///
/// # Errors
/// What is impossible about it.
pub fn stack(events: &[Event<Op>]) -> Result<(), String> {
    let elements = elements(events)?;
    empties_are_right(events, &elements)?;
    let mut pieces = vec![elements];
    while let Some(mut piece) = pieces.pop() {
        let spans = occupied(&piece);
        // Cut just before and just after each span. What is in no span can stand alone between its neighbours.
        let mut inside: Vec<Vec<Element>> = vec![Vec::new(); spans.len()];
        let mut cut = false;
        for element in &piece {
            let at = spans.partition_point(|span| span.0 <= element.pop.0);
            match at.checked_sub(1).filter(|at| element.pop.0 <= spans[*at].1) {
                Some(at) => inside[at].push(*element),
                None => cut = true,
            }
        }
        if cut || spans.len() > 1 {
            pieces.extend(inside);
            continue;
        }
        let Some(span) = spans.first() else { continue };
        // An element's own push returns after it was called, so it need not be left out of the minimum; nor its pop.
        let first_return = piece.iter().map(|element| element.push.1.min(element.pop.1)).min();
        let last_call = piece.iter().map(|element| element.push.0.max(element.pop.0)).max();
        let bottom = piece.iter().position(|element| {
            first_return.is_some_and(|stamp| element.push.0 < stamp)
                && last_call.is_some_and(|stamp| element.pop.1 > stamp)
        });
        let Some(bottom) = bottom else {
            return Err(format!(
                "no element can have been at the bottom during {}..{} ({} elements)",
                span.0,
                span.1,
                piece.len()
            ));
        };
        piece.swap_remove(bottom);
        pieces.push(piece);
    }
    Ok(())
}
