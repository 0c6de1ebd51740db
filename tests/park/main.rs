//! Progress, step by step: one thread stands still before its k-th access to shared memory, for ever, and all others
//! complete every operation. For every operation of every container, and every k.
//!
//! Built with `--cfg conex_park`, by which each atomic access and fence of the library calls a hook first
//! (`src/sync/step.rs`); `ci/park.sh` does it. Without that cfg there is nothing here.
//!
//! What is stopped is one thread that runs one operation ([`stop`], [`driver`], [`watch`]); what is demanded of the others is the whole list of
//! operations, twice and by two others, and of a map that is growing or shrinking also that it gets done with it, and grows
//! again. Then the thread goes on, and what the containers hold must be what was put in ([`sequence`], [`map`],
//! [`owners`]); and what is reclaimed must have ended once, and not too early ([`domain`], [`regions`], [`hazard`],
//! [`shared`]). Peers that are known to block must be found to block ([`peers`]).

#![cfg(conex_park)]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    clippy::undocumented_unsafe_blocks,
    reason = "calls of C functions"
)]

mod domain;
mod driver;
mod hazard;
mod heap;
mod map;
mod map_operations;
mod object;
mod owners;
mod peers;
mod regions;
mod sequence;
mod shared;
mod sites;
mod stop;
mod watch;

use driver::{Suite, Verdict};

fn suites() -> Vec<Suite> {
    let parts = [
        sequence::suites(),
        map::suites(),
        owners::suites(),
        domain::suites(),
        regions::suites(),
        hazard::suites(),
        shared::suites(),
    ];
    let mut suites: Vec<_> = parts.into_iter().flatten().collect();
    // `CONEX_PARK_ONLY`: the names of the suites to be run, or how they begin, with a star.
    if let Ok(only) = std::env::var("CONEX_PARK_ONLY") {
        let named = |name: &str, only: &str| {
            only.strip_suffix('*').map_or(name == only, |begin| name.starts_with(begin))
        };
        suites.retain(|suite| only.split_terminator(';').any(|only| named(&suite.name, only)));
        assert!(!suites.is_empty(), "no suite is called {only:?}");
    }
    suites
}

/// The suites run one after the other, so that the table is in order and no other test's load is in the watchdog's time.
#[test]
fn nobody_waits_for_a_parked_thread() {
    let suites = suites();
    driver::print_head();
    let mut faults = Vec::new();
    let mut cases = 0;
    for suite in &suites {
        for row in driver::run(suite) {
            row.print();
            cases += row.cases();
            if row.verdict != Verdict::LockFree {
                faults.push(format!("{}: {}: {:?}", suite.name, row.operation, row.verdict));
            }
        }
    }
    println!("park: {cases} cases, {} faults", faults.len());
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    sites::print();
}

#[test]
fn peers_that_block_are_found_to_block() {
    driver::print_head();
    for suite in peers::suites() {
        let rows = driver::run(&suite);
        rows.iter().for_each(driver::Row::print);
        assert!(
            rows.iter().any(|row| matches!(row.verdict, Verdict::Blocking(_))),
            "{} was not found to block",
            suite.name
        );
    }
}

/// So that the names of the suites stay unique: the table and the documentation go by them.
#[test]
fn suites_have_names_of_their_own() {
    let suites = suites();
    let names: std::collections::BTreeSet<_> = suites.iter().map(|suite| &suite.name).collect();
    assert_eq!(names.len(), suites.len());
}
