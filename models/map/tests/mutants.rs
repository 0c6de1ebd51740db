//! Every planted bug is caught, by the property that it breaks. A model that lets a mutant live would prove
//! nothing.

use map_model::explore::{explore, shortest};
use map_model::scenario::Mutant::{self, *};
use map_model::suite;

/// The bug, a scenario that shows it, and how the fault's text begins.
const PLANTED: &[(Mutant, &str, &str)] = &[
    (NoValidation, "change-of-key", "linearizability"),
    (NoValidationOfMiss, "back-and-forth", "linearizability"),
    (NoVersionBump, "back-and-forth", "linearizability"),
    (VersionRestartsAfterMixed, "mixed-to-plain", "linearizability"),
    (CountNotBumped, "mixed", "I1"),
    (CountStartsOver, "mixed", "I1"),
    (NodeFreedAtOnce, "mixed", "memory"),
    (NodeNotRetired, "mixed", "leak"),
    (NodeRetiredByEveryHelper, "growth-mixed", "reclamation"),
    (NodeRetiredBeforeCas, "mixed", "reclamation"),
    (CellFreedBeforeCas, "replace-erase", "I1"),
    (CellNotReserved, "insert-race", "I1"),
    (LaneNotRechecked, "lanes", "I1"),
    (LaneNotClaimed, "hot-key", "I1"),
    (SpareLaneTaken, "spare-lane", "I1"),
    (InvalidCellBroughtHome, "spare-lane-erase", "I1"),
    (SpareWrittenBefore, "pairs", "I1"),
    (SpareOfClaimant, "pairs-home", "I1"),
    (ClaimEndedByOther, "hot-key", "claims"),
    (ClaimKeptAfterExists, "compare-exchange", "leak"),
    (CellKeptAfterExists, "insert-race", "leak"),
    (CellKeptAfterFreeze, "growth-empty", "leak"),
    (CellOfKeyZero, "key-zero", "I1"),
    (ValueInPlace, "replace-erase", "I1"),
    (NoRescanAfterFailure, "insert-race", "linearizability"),
    (DerefBeforeValidation, "entries-change", "memory"),
    (EntryRetiredBeforeCas, "entries-replace", "reclamation"),
    (EntryRetiredByMover, "growth-entries", "reclamation"),
    (EntryNotRetired, "entries", "leak"),
    (DestroyDropsFrozen, "growth-no-memory-entries", "leak"),
    (IgnoresFrozen, "growth", "I3"),
    (ReaderTakesUninitialised, "growth", "linearizability"),
    (CopiesUnfrozen, "growth", "I4"),
    (FreezesOneParent, "shrink", "I4"),
    (ChildPartial, "growth-mixed", "I4"),
    (ChildOverwritten, "growth", "leak"),
    (HelperKeepsCells, "growth", "leak"),
    (HelperLeaksNode, "growth-mixed", "leak"),
    (MovedAfterFirstChild, "growth", "I4"),
    (WriterBeforeMoved, "growth-whole", "linearizability"),
    (MovedOnOneParentOnly, "shrink-key-zero", "leak"),
    (NextOnChildTable, "two-resizers", "I4"),
    (CurrentBeforeMoved, "growth-of-two", "I4"),
    (TableFreedAtOnce, "growth", "memory"),
    (TableRetiredByLoser, "growth-three-helpers", "reclamation"),
    (WriterWaitsForHelper, "growth", "progress"),
    (HelperWaitsForClaimant, "growth-three-helpers", "progress"),
    (InsertWaitsForCell, "withheld-cells", "progress"),
    (ScanMeetsWholeBucket, "shrink-scan", "scan"),
    (ScanNotValidated, "scan", "scan"),
    (ScanStaysInTable, "growth-scan", "scan"),
    (FirstKeepsCell, "first-insert", "leak"),
    (FirstKeepsClaim, "first-claim", "leak"),
    (FirstTakesClaimed, "first-claim", "claims"),
    (FirstInFrozen, "first-growth", "I3"),
    (FirstOnSpent, "first-mixed", "linearizability"),
    (FirstInMixedUnpinned, "words-repeat-writers", "linearizability"),
    (FirstBeforeMoved, "words-growth", "I4"),
    (FreesNotChecked, "words-repeat", "linearizability"),
    (FreesNotCounted, "words-repeat", "linearizability"),
    (FreesLoadedLate, "words-repeat-late", "linearizability"),
    (MissBesideANode, "words-node", "linearizability"),
    (NodeReadUnpinned, "words-node", "memory"),
    (NextUnchecked, "words-growth-twice", "memory"),
];

#[test]
fn every_planted_bug_is_caught() {
    let mut wrong = Vec::new();
    for &(mutant, scenario, property) in PLANTED {
        let sc = suite::named(scenario).expect("a scenario of that name").planted(mutant);
        // The shortest run tells most; waiting for ever is no fault of one step, and only the whole search
        // finds it.
        let found = shortest(&sc, usize::MAX).map_or_else(|| explore(&sc), |broken| Err(Box::new(broken)));
        match found {
            Ok(counted) => wrong.push(format!("{mutant:?} lives in {scenario}: {counted:?}")),
            Err(broken) if broken.fault.starts_with(property) => {
                println!("{mutant:28?} {scenario:22} after {:7} states: {}", broken.states, broken.fault);
            }
            Err(broken) => wrong.push(format!("{mutant:?} in {scenario} is caught as: {}", broken.fault)),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
