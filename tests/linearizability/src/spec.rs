//! Sequential specifications for the search.

use crate::wgl::Spec;

/// A stack with its batches, each of which is one step.
#[derive(Debug)]
pub struct Stack;

/// An operation of the stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StackOp {
    /// All were pushed, the last one ends on top.
    PushN(Vec<u64>),
    /// So many were asked for, and these came, the top one first.
    PopN(usize, Vec<u64>),
    /// Everything came, the top one first.
    PopAll(Vec<u64>),
    /// The answer of `is_empty`.
    IsEmpty(bool),
    /// The answer of `len`.
    Len(usize),
}

impl Spec for Stack {
    type State = Vec<u64>;
    type Op = StackOp;

    fn initial() -> Vec<u64> {
        Vec::new()
    }

    fn apply(state: &Vec<u64>, op: &StackOp) -> Option<Vec<u64>> {
        let top = |n: usize| state.iter().rev().take(n).copied();
        match op {
            StackOp::PushN(values) => Some([state.as_slice(), values].concat()),
            StackOp::PopN(asked, values) => (values.len() == state.len().min(*asked)
                && top(values.len()).eq(values.iter().copied()))
            .then(|| state[..state.len() - values.len()].to_vec()),
            StackOp::PopAll(values) => {
                (values.len() == state.len() && top(state.len()).eq(values.iter().copied())).then(Vec::new)
            }
            StackOp::IsEmpty(answer) => (state.is_empty() == *answer).then(|| state.clone()),
            StackOp::Len(answer) => (state.len() == *answer).then(|| state.clone()),
        }
    }
}

/// One key of a map: a value or none.
#[derive(Debug)]
pub struct Key;

/// An operation on one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyOp {
    /// `get`, `get_ref`, `get_n`: what was there.
    Get(Option<u64>),
    /// `contains`.
    Contains(bool),
    /// `insert` of a value, and what was there already.
    Insert(u64, Option<u64>),
    /// `upsert` of a value, and what was there before.
    Upsert(u64, Option<u64>),
    /// `replace` by a value, and what was there before; nothing happens if nothing was.
    Replace(u64, Option<u64>),
    /// `remove`, and what was there.
    Remove(Option<u64>),
    /// `compare_exchange` from, to; what was there.
    CompareExchange(u64, u64, Option<u64>),
    /// `update`: what the deciding call of the callback saw, and what it left.
    Update(Option<u64>, Option<u64>),
    /// `get_or_insert` of a value; whether it was inserted, and what is there now.
    GetOrInsert(u64, bool, u64),
    /// `fetch_add` of an amount, and the value before (0 if there was none).
    FetchAdd(u64, u64),
    /// The part of `insert_n` that is one key: a value, and whether it was inserted.
    InsertOne(u64, bool),
    /// The part of `remove_n` that is one key, and whether there was something.
    RemoveOne(bool),
    /// `clear`, as far as it is about this key.
    Clear,
    /// `retain` of even values, as far as it is about this key.
    RetainEven,
}

impl Spec for Key {
    type State = Option<u64>;
    type Op = KeyOp;

    fn initial() -> Option<u64> {
        None
    }

    fn apply(state: &Option<u64>, op: &KeyOp) -> Option<Option<u64>> {
        let now = *state;
        let when = |fits: bool, after: Option<u64>| fits.then_some(after);
        match *op {
            KeyOp::Get(found) => when(found == now, now),
            KeyOp::Contains(found) => when(found == now.is_some(), now),
            KeyOp::Insert(value, current) => when(current == now, now.or(Some(value))),
            KeyOp::Upsert(value, old) => when(old == now, Some(value)),
            KeyOp::Replace(value, old) => when(old == now, now.map(|_| value)),
            KeyOp::Remove(old) => when(old == now, None),
            KeyOp::CompareExchange(from, to, current) => {
                when(current == now, if now == Some(from) { Some(to) } else { now })
            }
            KeyOp::Update(old, new) => when(old == now, new),
            KeyOp::GetOrInsert(value, inserted, there) => {
                when(inserted == now.is_none() && there == now.unwrap_or(value), Some(there))
            }
            KeyOp::FetchAdd(delta, previous) => {
                when(previous == now.unwrap_or(0), Some(previous.wrapping_add(delta)))
            }
            KeyOp::InsertOne(value, inserted) => when(inserted == now.is_none(), now.or(Some(value))),
            KeyOp::RemoveOne(removed) => when(removed == now.is_some(), None),
            KeyOp::Clear => Some(None),
            KeyOp::RetainEven => Some(now.filter(|value| value % 2 == 0)),
        }
    }
}
