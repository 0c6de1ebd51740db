//! `check-histories FILE...`: exits with 1 and says why if a history is not linearizable.

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut total = linearizability::history::Summary::default();
    for path in std::env::args().skip(1) {
        let checked = std::fs::read_to_string(&path)
            .map_err(|error| error.to_string())
            .and_then(|text| linearizability::history::check(&text));
        match checked {
            Ok(summary) => {
                total.histories += summary.histories;
                total.operations += summary.operations;
                total.overlaps += summary.overlaps;
            }
            Err(fault) => {
                eprintln!("{path}: {fault}");
                return ExitCode::FAILURE;
            }
        }
    }
    println!(
        "linearizable: {} histories, {} operations, {} overlapping pairs",
        total.histories, total.operations, total.overlaps
    );
    if total.overlaps == 0 {
        eprintln!("no two operations overlapped, so nothing was tested");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
