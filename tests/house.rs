//! Rules of the house that no lint can say.

use std::fs;
use std::path::{Path, PathBuf};

fn sources(dir: &str) -> Vec<(PathBuf, String)> {
    fn walk(dir: &Path, files: &mut Vec<(PathBuf, String)>) {
        for entry in
            fs::read_dir(dir).expect("a readable folder").map(|entry| entry.expect("an entry").path())
        {
            if entry.is_dir() {
                walk(&entry, files);
            } else if entry.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&entry).expect("a readable file");
                files.push((entry, text));
            }
        }
    }
    let mut files = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join(dir), &mut files);
    assert!(!files.is_empty(), "no sources in {dir}");
    files
}

fn code(line: &str) -> &str {
    line.split("//").next().unwrap_or_default()
}

/// Lines of code under `dir` that contain one of `words`, except in the files of `except`.
fn offenders(dir: &str, words: &[&str], except: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    let excepted = |path: &Path| except.iter().any(|except| path.ends_with(except));
    for (path, text) in sources(dir).iter().filter(|(path, _)| !excepted(path)) {
        for (number, line) in text.lines().enumerate() {
            if words.iter().any(|word| code(line).contains(word)) {
                found.push(format!("{}:{}: {line}", path.display(), number + 1));
            }
        }
    }
    found
}

#[test]
fn only_sync_names_the_standard_atomics() {
    let found =
        offenders("src", &["std::sync::atomic", "core::sync::atomic"], &["src/sync.rs", "src/sync/step.rs"]);
    assert!(found.is_empty(), "use crate::sync instead:\n{}", found.join("\n"));
}

#[test]
fn the_ffi_ring_holds_no_atomics() {
    let found = offenders("src/ffi", &["Atomic", "Ordering", "fence("], &[]);
    assert!(found.is_empty(), "atomics belong in the core:\n{}", found.join("\n"));
}

#[test]
fn the_core_knows_no_c_names() {
    let rings = ["src/mem", "src/reclaim", "src/stack", "src/queue", "src/map"];
    for dir in rings.iter().filter(|dir| Path::new(env!("CARGO_MANIFEST_DIR")).join(dir).exists()) {
        let found = offenders(
            dir,
            &[
                "conex_stack",
                "conex_status",
                "conex_q",
                "conex_map",
                "conex_guard",
                "conex_domain",
                "CONEX_",
                "crate::ffi",
            ],
            &[],
        );
        assert!(found.is_empty(), "C names belong in src/ffi:\n{}", found.join("\n"));
    }
}

#[test]
fn every_ordering_has_a_reason_nearby() {
    let mut bare = Vec::new();
    for (path, text) in sources("src") {
        let lines: Vec<_> = text.lines().collect();
        for (number, line) in lines.iter().enumerate() {
            let names = ["Relaxed", "Acquire", "Release", "AcqRel", "SeqCst"];
            let ordered = names.iter().any(|name| code(line).contains(&format!("Ordering::{name}")));
            let near = &lines[number.saturating_sub(8)..=number];
            if ordered && !near.iter().any(|line| line.contains("//")) {
                bare.push(format!("{}:{}: {line}", path.display(), number + 1));
            }
        }
    }
    assert!(bare.is_empty(), "say why the ordering suffices:\n{}", bare.join("\n"));
}
