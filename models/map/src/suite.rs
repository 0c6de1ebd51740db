//! The scenarios. Keys 0 and 2 share the first bucket of a table of two, key 1 is in the second; in a table
//! of four all three part.

use crate::scenario::Op::{Clear, CompareExchange, Erase, Get, Help, Insert, Resize, Scan, Update, Upsert};
use crate::scenario::Scenario;

/// Small enough for every commit.
pub fn commit() -> Vec<Scenario> {
    let s = Scenario::new;
    vec![
        // One bucket in plain and in mixed mode.
        s("insert-race", 1, &[1], &[&[Insert(0)], &[Insert(0)], &[Get(0)]]),
        s("replace-erase", 2, &[1], &[&[Upsert(0), Upsert(0)], &[Erase(0)], &[Get(0), Get(0)]]).present(&[0]),
        s("change-of-key", 1, &[1], &[&[Erase(0), Insert(2)], &[Get(0)], &[Get(2)]]).present(&[0]),
        s("back-and-forth", 2, &[1], &[&[Upsert(0), Upsert(0)], &[Upsert(0)], &[Get(0)]]).present(&[0]),
        s("compare-exchange", 2, &[1], &[&[CompareExchange(0, 1)], &[CompareExchange(0, 1)], &[Update(0)]])
            .present(&[0]),
        s("withheld-cells", 1, &[1], &[&[Insert(0)], &[Insert(2)], &[Erase(0)]]),
        s("hot-key", 1, &[1], &[&[Upsert(0)], &[Upsert(0)], &[Upsert(0)]]).present(&[0]),
        s("mixed", 1, &[1], &[&[Erase(0), Insert(0)], &[Upsert(2)], &[Get(2)]]).present(&[0, 2]),
        s("mixed-and-back", 1, &[1], &[&[Erase(2), Insert(2)], &[Upsert(0)], &[Get(2)]]).present(&[0, 2]),
        s(
            "lanes",
            2,
            &[1],
            &[&[Insert(2), Upsert(2), Erase(2), Insert(2), Upsert(0), Erase(2)], &[Insert(2)], &[Get(0)]],
        )
        .present(&[0]),
        s("spare-lane", 2, &[1], &[&[Upsert(0), Upsert(2)], &[Upsert(2)], &[Get(0), Get(2)]])
            .present(&[0, 2]),
        s("spare-lane-erase", 2, &[1], &[&[Upsert(0), Upsert(2)], &[Erase(0), Insert(0)], &[Get(2)]])
            .present(&[0, 2]),
        s("spare-lane-mixed", 1, &[1], &[&[Upsert(0), Upsert(0)], &[Insert(2), Upsert(0)], &[Get(0)]])
            .present(&[0]),
        // The spare lane and the header in one step.
        s("pairs", 1, &[1], &[&[Upsert(0), Upsert(0)], &[Upsert(0)], &[Get(0), Get(0)]])
            .present(&[0])
            .pairs(),
        s("pairs-first", 1, &[1], &[&[Upsert(0), Upsert(0)], &[Upsert(0)], &[Upsert(0), Get(0)]])
            .present(&[0])
            .first()
            .pairs(),
        s("pairs-home", 2, &[1], &[&[Upsert(0), Upsert(2)], &[Upsert(2)], &[Upsert(0), Get(2)]])
            .present(&[0, 2])
            .first()
            .pairs(),
        s("pairs-erase", 2, &[1], &[&[Upsert(0), Upsert(0)], &[Erase(0), Insert(0)], &[Upsert(2)]])
            .present(&[0, 2])
            .pairs(),
        s("pairs-mixed", 1, &[1], &[&[Upsert(0), Upsert(0)], &[Upsert(0)], &[Upsert(2)]])
            .present(&[0, 2])
            .first()
            .counts(3)
            .pairs(),
        s("pairs-entries", 1, &[1], &[&[Upsert(0), Upsert(0)], &[Upsert(0)], &[Erase(0)]])
            .present(&[0])
            .entries()
            .pairs(),
        s("pairs-words", 2, &[1], &[&[Upsert(0), Upsert(0)], &[Upsert(0), Erase(0)], &[Get(0)]])
            .present(&[0])
            .words()
            .pairs(),
        s("pairs-growth", 1, &[1, 2], &[&[Resize], &[Upsert(0), Upsert(0)]]).present(&[0, 1]).pairs(),
        s("pairs-growth-writers", 1, &[1, 2], &[&[Resize], &[Upsert(0)], &[Upsert(0)]]).present(&[0]).pairs(),
        s("pairs-clear", 1, &[1], &[&[Clear(0)], &[Upsert(0), Upsert(0)], &[Upsert(2)]])
            .present(&[0, 2])
            .entries()
            .pairs(),
        s("pairs-shrink", 1, &[2, 1], &[&[Resize], &[Upsert(0), Upsert(0)]]).present(&[0]).pairs(),
        s("key-zero", 1, &[1], &[&[Insert(0), Erase(0)], &[Upsert(0)], &[Get(0), Get(0)]]).cell_less(0),
        s("entries", 1, &[1], &[&[Insert(0)], &[Upsert(0)], &[Get(0)]]).present(&[0]).entries(),
        s("entries-replace", 1, &[1], &[&[Upsert(0)], &[Erase(0)], &[Get(0)]]).present(&[0]).entries(),
        s("entries-change", 2, &[1], &[&[Erase(0), Insert(0)], &[Insert(0)], &[Get(0)]])
            .present(&[0])
            .entries(),
        s("mixed-to-plain", 1, &[1], &[&[Upsert(2), Erase(0), Upsert(2)], &[Get(0)]]).present(&[0]),
        s("mixed-no-memory", 1, &[1], &[&[Erase(0)], &[Upsert(2)], &[Get(2)]]).present(&[0, 2]).nodes(2),
        s("clear", 2, &[1], &[&[Clear(0)], &[Upsert(0)], &[Insert(2), Get(0)]]).present(&[0]),
        s("clear-mixed", 1, &[1], &[&[Clear(0)], &[Upsert(2)], &[Get(2)]]).present(&[0, 2]).entries(),
        s("scan", 2, &[2], &[&[Scan], &[Erase(0), Insert(2)], &[Upsert(2), Upsert(1)]]).present(&[0, 1]),
        // The first attempt of a change, and headers that count to more than one.
        s("first-insert", 2, &[1], &[&[Insert(0)], &[Insert(2), Erase(2)], &[Upsert(0)]]).first(),
        s("first-claim", 1, &[1], &[&[Upsert(0), Upsert(0)], &[Upsert(0)], &[Erase(0)]])
            .present(&[0])
            .first(),
        s("first-mixed", 1, &[1], &[&[Upsert(0), Upsert(0)], &[Upsert(0)], &[Upsert(2)]])
            .present(&[0, 2])
            .first()
            .counts(3),
        s("first-mixed-erase", 1, &[1], &[&[Erase(0), Insert(0)], &[Upsert(0)], &[Get(0)]])
            .present(&[0, 2])
            .first()
            .counts(3),
        s("first-entries", 1, &[1], &[&[Upsert(0)], &[Upsert(0)], &[Erase(0)]])
            .present(&[0])
            .entries()
            .first(),
        s("first-no-memory", 1, &[1], &[&[Upsert(0)], &[Upsert(2)], &[Upsert(0)]])
            .present(&[0])
            .first()
            .nodes(1),
        s("first-growth", 2, &[1, 2], &[&[Resize], &[Upsert(0)], &[Erase(0)]]).present(&[0, 1]).first(),
        s("first-growth-mixed", 1, &[1, 2], &[&[Resize], &[Upsert(0)], &[Upsert(0)]])
            .present(&[0, 2])
            .first()
            .counts(3),
        s("first-shrink", 2, &[2, 1], &[&[Resize], &[Upsert(0)], &[Insert(1)]]).present(&[0]).first(),
        // Maps of words, which begin without a pin.
        s("words", 2, &[1], &[&[Upsert(0), Erase(0)], &[Upsert(0)], &[Get(0), Get(0)]]).present(&[0]).words(),
        s("words-node", 1, &[1], &[&[Get(1)], &[Upsert(1), Upsert(0)], &[Get(0)]]).present(&[0, 1]).words(),
        s("words-repeat", 1, &[1], &[&[Get(0)], &[Erase(0), Insert(2), Erase(2), Insert(0)]])
            .present(&[0, 1])
            .words(),
        s(
            "words-repeat-late",
            1,
            &[1],
            &[&[Get(0)], &[Erase(1), Erase(0), Insert(2), Erase(2), Insert(0), Insert(1)]],
        )
        .present(&[0, 1])
        .words(),
        s("words-repeat-writers", 1, &[1], &[&[Upsert(0)], &[Upsert(1), Upsert(0)], &[Get(0)]])
            .present(&[0, 1])
            .words()
            .counts(3),
        s("words-growth", 1, &[1, 2], &[&[Resize], &[Upsert(0)], &[Get(0)]]).present(&[0, 1]).words(),
        s("words-growth-writers", 2, &[1, 2], &[&[Resize], &[Upsert(0)], &[Erase(0)]])
            .present(&[0, 1])
            .words(),
        s("words-shrink", 1, &[2, 1], &[&[Resize], &[Upsert(0)], &[Get(0)]]).present(&[0, 1]).words(),
        s("words-growth-and-shrink", 1, &[1, 2, 1], &[&[Resize, Resize], &[Upsert(0)], &[Get(0)]])
            .present(&[0])
            .words(),
        s("words-growth-twice", 1, &[1, 2, 4], &[&[Resize, Resize], &[Get(0)]]).present(&[0, 1]).words(),
        // Growth: parent with two children.
        s("growth", 2, &[1, 2], &[&[Resize], &[Upsert(0)], &[Get(0)]]).present(&[0, 1]),
        s("growth-entries", 1, &[1, 2], &[&[Resize], &[Erase(0)], &[Get(0)]]).present(&[0, 1]).entries(),
        s("growth-mixed", 1, &[1, 2], &[&[Resize], &[Erase(2)], &[Get(0)]]).present(&[0, 2]),
        s("growth-key-zero", 1, &[1, 2], &[&[Resize], &[Upsert(0)], &[Get(0)]]).present(&[0, 1]).cell_less(0),
        s("growth-empty", 1, &[1, 2], &[&[Resize], &[Insert(0)], &[Get(0)]]),
        s("growth-no-memory", 1, &[1, 2], &[&[Resize], &[Upsert(0)], &[Get(1)]])
            .present(&[0, 1])
            .cell_less(1)
            .nodes(1),
        s("growth-no-memory-entries", 1, &[1, 2], &[&[Resize], &[Erase(0)], &[Get(1)]])
            .present(&[0, 1])
            .cell_less(1)
            .entries()
            .nodes(1),
        s("growth-cautious", 2, &[1, 2], &[&[Resize], &[Upsert(0)], &[Get(0)]]).present(&[0, 1]).cautious(),
        s("growth-lanes", 2, &[1, 2], &[&[Resize], &[Upsert(0), Upsert(2), Erase(0)], &[Get(2)]])
            .present(&[0, 2]),
        s("growth-eager", 1, &[1, 2], &[&[Resize], &[Insert(0)], &[Upsert(0)]]).present(&[1]).eager(),
        s("growth-three-helpers", 2, &[1, 2], &[&[Resize], &[Help], &[Help]]).present(&[0, 1]),
        s("growth-writers", 2, &[1, 2], &[&[Resize], &[Upsert(0)], &[Erase(0)]]).present(&[0, 1]),
        s("growth-of-two", 1, &[2, 4], &[&[Resize], &[Upsert(0)], &[Get(0)]]).present(&[0, 1]),
        s("growth-clear", 1, &[1, 2], &[&[Resize], &[Clear(0)], &[Upsert(1)]]).present(&[0, 1]).entries(),
        s("growth-scan", 2, &[1, 2], &[&[Resize], &[Scan], &[Upsert(0)]]).present(&[0, 1]),
        // Shrink: two parents with one child.
        s("shrink", 1, &[2, 1], &[&[Resize], &[Upsert(0)], &[Get(0)]]).present(&[0, 1]),
        s("shrink-entries", 1, &[2, 1], &[&[Resize], &[Erase(1)], &[Get(1)]]).present(&[0, 1]).entries(),
        s("shrink-cautious", 1, &[2, 1], &[&[Resize], &[Upsert(1)], &[Get(1)]]).present(&[0, 1]).cautious(),
        s("shrink-key-zero", 1, &[2, 1], &[&[Resize], &[Upsert(0)], &[Get(1)]]).present(&[0, 1]).cell_less(1),
        s("shrink-three-helpers", 2, &[2, 1], &[&[Resize], &[Help], &[Help]]).present(&[0, 1]),
        s("shrink-eager", 2, &[2, 1], &[&[Resize], &[Insert(0)], &[Upsert(1)]]).present(&[1]).eager(),
        s("shrink-of-four", 1, &[4, 2], &[&[Resize], &[Upsert(0)], &[Get(2)]]).present(&[0, 2]),
        s("shrink-scan", 2, &[2, 1], &[&[Resize], &[Scan], &[Upsert(1)]]).present(&[0, 1]),
        // Two generations.
        s("growth-and-shrink", 1, &[1, 2, 1], &[&[Resize, Resize], &[Upsert(0)], &[Get(0)]]).present(&[0]),
        s("growth-and-shrink-scan", 1, &[1, 2, 1], &[&[Resize, Resize], &[Scan]]).present(&[0, 1]),
        s("two-resizers", 1, &[1, 2, 4], &[&[Resize], &[Resize], &[Get(0)]]).present(&[0]),
        // The whole: two helpers, a writer, a reader, two keys.
        s("growth-whole", 1, &[1, 2], &[&[Resize], &[Help], &[Upsert(0)], &[Get(0)]]).present(&[0]),
        s("shrink-whole", 1, &[2, 1], &[&[Resize], &[Help], &[Upsert(0)], &[Get(0)]]).present(&[0]),
    ]
}

/// Some minutes each, the last one most.
pub fn deep() -> Vec<Scenario> {
    let s = Scenario::new;
    vec![
        s("three-cells", 3, &[1], &[&[Upsert(0), Erase(0)], &[Upsert(0)], &[Insert(2)], &[Get(0)]])
            .present(&[0]),
        s("four-writers", 2, &[1], &[&[Upsert(0)], &[Upsert(0)], &[Erase(0)], &[Insert(2)]]).present(&[0]),
        s("mixed-deep", 1, &[1], &[&[Erase(0), Insert(0)], &[Upsert(2)], &[Upsert(0)], &[Get(2)]])
            .present(&[0, 2]),
        s("entries-deep", 1, &[1], &[&[Insert(0)], &[Upsert(0)], &[Erase(0)], &[Get(0)]])
            .present(&[0])
            .entries(),
        s("growth-whole-mixed", 1, &[1, 2], &[&[Resize], &[Help], &[Upsert(2)], &[Get(0)]]).present(&[0, 2]),
        s("growth-whole-entries", 1, &[1, 2], &[&[Resize], &[Help], &[Erase(0)], &[Get(0)]])
            .present(&[0, 1])
            .entries(),
        s("shrink-whole-two-keys", 1, &[2, 1], &[&[Resize], &[Help], &[Upsert(0)], &[Get(0)]])
            .present(&[0, 1]),
        s("shrink-whole-entries", 1, &[2, 1], &[&[Resize], &[Help], &[Erase(1)], &[Get(1)]])
            .present(&[0, 1])
            .entries(),
        s("growth-two-writers", 1, &[1, 2], &[&[Resize], &[Upsert(0)], &[Erase(0)], &[Get(0)]]).present(&[0]),
        s("shrink-two-writers", 1, &[2, 1], &[&[Resize], &[Upsert(0)], &[Insert(1)], &[Get(0)]])
            .present(&[0]),
        s("growth-twice", 1, &[1, 2, 4], &[&[Resize, Resize], &[Upsert(0)], &[Get(0)]]).present(&[0, 1]),
        s("growth-whole-cautious", 1, &[1, 2], &[&[Resize], &[Help], &[Upsert(0)], &[Get(0)]])
            .present(&[0])
            .cautious(),
        s("growth-twice-helped", 1, &[1, 2, 4], &[&[Resize, Resize], &[Help], &[Upsert(0)]]).present(&[0]),
        s("growth-scan-entries", 1, &[2, 4], &[&[Resize], &[Scan], &[Erase(0), Insert(2)]])
            .present(&[0, 1])
            .entries(),
        s("shrink-and-growth-scan", 1, &[2, 1, 2], &[&[Resize, Resize], &[Scan], &[Upsert(2)]])
            .present(&[0, 1, 2]),
        s("shrink-and-growth", 1, &[2, 1, 2], &[&[Resize, Resize], &[Upsert(0)], &[Get(0)]]).present(&[0, 1]),
        s("growth-and-shrink-entries", 1, &[1, 2, 1], &[&[Resize, Resize], &[Erase(0)], &[Get(0)]])
            .present(&[0, 1])
            .entries(),
        s("first-whole", 1, &[1, 2], &[&[Resize], &[Help], &[Upsert(0)], &[Erase(0)]]).present(&[0]).first(),
        s("words-mixed-deep", 1, &[1], &[&[Erase(0), Insert(0)], &[Upsert(2)], &[Upsert(0)], &[Get(2)]])
            .present(&[0, 2])
            .words()
            .counts(3),
        s("words-whole", 1, &[1, 2], &[&[Resize], &[Upsert(0)], &[Upsert(0)], &[Get(0)]])
            .present(&[0])
            .words(),
        s("words-whole-shrink", 1, &[2, 1], &[&[Resize], &[Upsert(0)], &[Insert(1)], &[Get(0)]])
            .present(&[0])
            .words(),
        s("growth-whole-two-cells", 2, &[1, 2], &[&[Resize], &[Help], &[Upsert(0)], &[Get(0)]])
            .present(&[0, 1]),
    ]
}

/// The scenario of that name.
pub fn named(name: &str) -> Option<Scenario> {
    commit().into_iter().chain(deep()).find(|sc| sc.name == name)
}
