//! Runs the scenarios: `map-model [commit | deep | NAME ...]`, and prints the run that breaks one.

use std::process::ExitCode;

use map_model::scenario::Scenario;
use map_model::{explore, suite};

/// States up to which the shortest run to a fault is looked for.
const SHORTEST: usize = 3_000_000;

fn chosen() -> Result<Vec<Scenario>, String> {
    let names: Vec<String> = std::env::args().skip(1).collect();
    let mut scenarios = Vec::new();
    for name in &names {
        match name.as_str() {
            "commit" => scenarios.extend(suite::commit()),
            "deep" => scenarios.extend(suite::deep()),
            name => scenarios.push(suite::named(name).ok_or(format!("no scenario is named {name}"))?),
        }
    }
    Ok(if names.is_empty() { suite::commit() } else { scenarios })
}

fn main() -> ExitCode {
    let scenarios = match chosen() {
        Ok(scenarios) => scenarios,
        Err(what) => {
            eprintln!("map-model: {what}; allowed: commit, deep, or a scenario's name");
            return ExitCode::from(2);
        }
    };
    println!(
        "{:28} {:>10} {:>11} {:>6} {:>5} {:>8}",
        "scenario", "states", "steps", "depth", "solo", "seconds"
    );
    let mut broken = 0;
    for sc in &scenarios {
        match explore::explore(sc) {
            Ok(c) => println!(
                "{:28} {:>10} {:>11} {:>6} {:>5} {:>8.2}",
                sc.name, c.states, c.steps, c.depth, c.solo, c.seconds
            ),
            Err(found) => {
                broken += 1;
                println!("{:28} BROKEN after {} states", sc.name, found.states);
                let shortest = explore::shortest(sc, SHORTEST);
                explore::print_run(sc, shortest.as_ref().unwrap_or(&found));
            }
        }
    }
    if broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
