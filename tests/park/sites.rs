//! The places in the source at which a thread was parked, beside those at which there is an atomic access.

use std::collections::BTreeSet;
use std::fs;
use std::panic::Location;
use std::path::Path;
use std::sync::Mutex;

static PARKED: Mutex<BTreeSet<(&'static str, u32)>> = Mutex::new(BTreeSet::new());

pub(crate) fn parked_at(at: &'static Location<'static>) {
    PARKED.lock().unwrap().insert((at.file(), at.line()));
}

/// Lines of the core with an atomic access: a call of such a method, or of `fence`, among whose arguments is an ordering.
fn accesses() -> BTreeSet<(String, u32)> {
    const METHODS: [&str; 7] =
        [".load(", ".store(", ".swap(", ".compare_exchange(", ".compare_exchange_weak(", ".fetch_", "fence("];
    fn walk(dir: &Path, found: &mut BTreeSet<(String, u32)>) {
        for entry in fs::read_dir(dir).expect("a readable folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                walk(&path, found);
                continue;
            }
            let text = fs::read_to_string(&path).expect("a readable file");
            // Unit tests and models are not the library.
            let text = text.split("\n#[cfg(test)]").next().unwrap_or_default();
            let code: Vec<_> = text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
            for (n, line) in code.iter().enumerate() {
                for at in METHODS.iter().flat_map(|method| line.match_indices(method).map(|(at, _)| at)) {
                    let call = line[at..].to_string() + &code[n + 1..code.len().min(n + 10)].join("");
                    let call = call.split_once('(').map_or("", |(_, arguments)| arguments);
                    let mut depth = 1;
                    let end = call.find(|c| {
                        depth += i32::from(c == '(') - i32::from(c == ')');
                        depth == 0
                    });
                    if call[..end.unwrap_or(call.len())].contains("Ordering::") {
                        found.insert((path.display().to_string(), n as u32 + 1));
                    }
                }
            }
        }
    }
    let mut found = BTreeSet::new();
    for ring in ["src/mem", "src/reclaim", "src/stack", "src/queue", "src/map"] {
        walk(Path::new(ring), &mut found);
    }
    found.retain(|(file, _)| !file.starts_with("src/map/models"));
    found
}

/// The line of the file that says `text`: one, or the test that wants a thread parked there has to be told of a change.
pub(crate) fn line_of(file: &str, text: &str) -> u32 {
    let source = fs::read_to_string(file).unwrap_or_else(|error| panic!("{file}: {error}"));
    let lines: Vec<_> = source.lines().zip(1..).filter(|(line, _)| line.contains(text)).collect();
    let [(_, line)] = lines[..] else { panic!("{file} has {text:?} {} times, not once", lines.len()) };
    line
}

pub(crate) fn print() {
    let parked = PARKED.lock().unwrap();
    let accesses = accesses();
    assert!(accesses.len() > 50, "the source was not found");
    let missed: Vec<_> =
        accesses.iter().filter(|(file, line)| !parked.contains(&(file.as_str(), *line))).collect();
    println!(
        "park: parked at {} of {} lines with an atomic access; not at:",
        accesses.len() - missed.len(),
        accesses.len()
    );
    for (file, line) in &missed {
        println!("  {file}:{line}");
    }
}
