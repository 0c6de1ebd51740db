//! The common case of a change: one attempt, of an entry in a cell, with nobody else in the bucket.

use super::bucket::{Bucket, Found, Pair, Place, Probe};
use super::header::{Header, NodeChange};
use super::plan::{Change, Plan};
use crate::sync::can_exchange_two;

/// How an attempt at the common case ended.
pub(super) enum Tried {
    Done(Change),
    /// Not the common case, or a change came in between.
    InVain,
    /// The same, and CLAIMED is set, by this attempt.
    Claimed,
}

/// Whether a change of what was found was one exchange of header and spare lane: that is how values are replaced that several
/// threads replace at once, and the version then tells how many did in between. By way of a claim, where the machine cannot
/// exchange two words, a lone thread raises it several times.
#[inline(always)]
pub(super) fn is_exchange(header: Header, change: Change, found: Option<Found>) -> bool {
    matches!(change, Change::Replaced(_))
        && can_exchange_two()
        && header.is_plain()
        && matches!(found, Some(Found { place: Place::Cell(cell), .. }) if header.has_spare(cell))
}

/// One attempt. What `plan` wanted is in `planned`.
///
/// `found` is what was found under `header`, which is not frozen and leaves room for three changes.
#[inline(always)]
pub(super) fn try_once<P: Probe, E>(
    bucket: &Bucket,
    header: Header,
    found: Option<Found>,
    probe: &P,
    plan: &mut impl FnMut(Option<Pair>) -> Result<Plan, E>,
    planned: &mut Option<(Option<Pair>, Plan)>,
) -> Result<Tried, E> {
    let old = found.map(|found| found.entry);
    let what = plan(old)?;
    *planned = Some((old, what));
    match (what, found) {
        (Plan::Keep, _) | (Plan::Remove, None) => return Ok(Tried::Done(Change::Kept(old))),
        (Plan::Store(value), None) => {
            let entry = Pair { key: probe.key(), value };
            if entry.fits_a_cell()
                && let Some(cell) = bucket.reserve(header)
            {
                // As in `change::insert`.
                if bucket.load() == header {
                    bucket.write_value(header.lane(cell), value);
                    bucket.write_key(cell, entry.key);
                    let after = header.with_valid(header.valid() | 1 << cell);
                    if bucket.exchange(header, after.after(header, NodeChange::Keep)) {
                        return Ok(Tried::Done(Change::Inserted));
                    }
                }
                bucket.free(cell);
            }
        }
        (Plan::Store(value), Some(Found { place: Place::Cell(cell), entry })) => {
            return Ok(try_replace(bucket, header, cell, Pair { value, ..entry }, entry));
        }
        (Plan::Remove, Some(Found { place: Place::Cell(cell), entry })) => {
            let after = header.with_valid(header.valid() & !(1 << cell));
            if bucket.exchange(header, after.after(header, NodeChange::Keep)) {
                bucket.free(cell);
                return Ok(Tried::Done(Change::Removed(entry)));
            }
        }
        // In the node.
        _ => {}
    }
    Ok(Tried::InVain)
}

/// As `change::replace_in_cell`.
#[inline(always)]
fn try_replace(bucket: &Bucket, header: Header, cell: usize, new: Pair, old: Pair) -> Tried {
    // Contended before: see `change::replace_in_cell`.
    if header.has_spare(cell) && can_exchange_two() {
        let after = header.after(header, NodeChange::Keep);
        // SAFETY: asked just now.
        let done = unsafe { bucket.exchange_with_spare(header, old.value, after, new.value) };
        return if done { Tried::Done(Change::Replaced(old)) } else { Tried::InVain };
    }
    // By way of a cell first: that is what nearly all buckets have, and what is nearly always done is guessed right.
    if let Some(other) = bucket.reserve(header) {
        if bucket.load() == header {
            bucket.write_value(header.lane(other), new.value);
            bucket.write_key(other, new.key);
            let after = header.with_valid(header.valid() & !(1 << cell) | 1 << other);
            if bucket.exchange(header, after.after(header, NodeChange::Keep)) {
                bucket.free(cell);
                return Tried::Done(Change::Replaced(old));
            }
        }
        bucket.free(other);
        return Tried::InVain;
    }
    let mut claimed = header.with_claim(true).after(header, NodeChange::Keep);
    if header.is_claimed()
        || !header.can_swap(cell) && header.borrower().is_none()
        || !bucket.exchange(header, claimed)
    {
        return Tried::InVain;
    }
    if !claimed.can_swap(cell)
        && let Some(borrower) = claimed.borrower()
    {
        let home = bucket.bring_home(claimed, borrower).after(claimed, NodeChange::Keep);
        if !bucket.exchange(claimed, home) {
            return Tried::Claimed;
        }
        claimed = home;
    }
    try_swap(bucket, claimed, cell, new.value, old)
}

/// Under a claim: the new value goes into the free lane, which becomes that of the cell.
#[inline(always)]
fn try_swap(bucket: &Bucket, claimed: Header, cell: usize, value: u64, old: Pair) -> Tried {
    bucket.write_value(claimed.free_lane(), value);
    let after = claimed.with_claim(false).with_lane_swapped(cell);
    if bucket.exchange(claimed, after.after(claimed, NodeChange::Keep)) {
        Tried::Done(Change::Replaced(old))
    } else {
        Tried::Claimed
    }
}
