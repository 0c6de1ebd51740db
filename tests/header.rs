//! The committed C header is what the sources say.
//!
//! `include/conex/conex.h` is put together here: cbindgen turns each file of `src/ffi` into declarations, and the file's
//! own text becomes the section's introduction. To bring the header up to date after a change:
//!
//! ```text
//! CONEX_BLESS=1 cargo test --test header
//! ```

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// The sections of the header, in order: title, file of `src/ffi`.
const SECTIONS: &[(&str, &str)] = &[
    ("Version", "version"),
    ("Statuses", "status"),
    ("Elements and memory", "element"),
    ("Domains", "domain"),
    ("Domains: retiring", "domain_retire"),
    ("Guards", "guard"),
    ("Hazard pointers", "hazard"),
    ("Shared values", "shared"),
    ("Shared values: places", "shared_place"),
    ("Stack", "stack"),
    ("Queue", "queue"),
    ("Queue: many elements, and waiting", "queue_batch"),
    ("Map", "map"),
    ("Map: reading", "map_read"),
    ("Map: writing", "map_write"),
    ("Map: computing a value", "map_update"),
    ("Map: many keys", "map_batch"),
    ("Map: all entries", "map_all"),
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The `//!` text of a source file.
fn introduction(source: &str) -> Vec<&str> {
    let lines = source.lines().map_while(|line| line.strip_prefix("//!"));
    let lines = lines.map(|line| line.strip_prefix(' ').unwrap_or(line));
    // What says to rustdoc that an example is not in Rust; it is indented too.
    lines.filter(|line| !line.starts_with("```")).collect()
}

/// What cbindgen makes of one file.
fn declarations(file: &Path) -> String {
    let config = cbindgen::Config::from_file(root().join("cbindgen.toml")).expect("cbindgen.toml");
    let bindings = cbindgen::Builder::new().with_config(config).with_src(file).generate().expect("cbindgen");
    let mut text = Vec::new();
    bindings.write(&mut text);
    tidy(&String::from_utf8(text).expect("text"))
}

/// Takes out what C does not need of a Rust text, and what the whole header says once.
fn tidy(text: &str) -> String {
    let once = [
        "#ifdef __cplusplus\nextern \"C\" {\n#endif // __cplusplus\n",
        "#ifdef __cplusplus\n}  // extern \"C\"\n#endif  // __cplusplus\n",
    ];
    let mut text = text.to_owned();
    for line in once {
        text = text.replace(line, "");
    }
    // The Safety section of a Rust function repeats in Rust's terms what the text has said.
    let mut kept: Vec<&str> = Vec::new();
    let mut skipping = false;
    for line in text.lines() {
        if line.trim() == "* # Safety" {
            skipping = true;
            while kept.last().is_some_and(|line| line.trim() == "*") {
                kept.pop();
            }
        }
        if line.trim() == "*/" {
            skipping = false;
        }
        if !skipping {
            kept.push(line);
        }
    }
    let text = functions(&kept.join("\n"));
    // A comment of one line stands on one line; one empty line between declarations is enough.
    let mut out = String::new();
    let mut empty = 0;
    for line in one_line_comments(&text).lines() {
        empty = if line.trim().is_empty() { empty + 1 } else { 0 };
        if empty <= 1 {
            writeln!(out, "{}", line.trim_end()).expect("a string takes everything");
        }
    }
    out.trim().to_owned()
}

fn one_line_comments(text: &str) -> String {
    let lines: Vec<_> = text.lines().collect();
    let mut out = String::new();
    let mut at = 0;
    while at < lines.len() {
        let line = lines[at];
        let short = line.trim() == "/**" && lines.get(at + 2).is_some_and(|line| line.trim() == "*/");
        if short {
            let indent = &line[..line.len() - 3];
            let said = lines[at + 1].trim().trim_start_matches('*').trim();
            writeln!(out, "{indent}/** {said} */").expect("a string takes everything");
        } else {
            writeln!(out, "{line}").expect("a string takes everything");
        }
        at += if short { 3 } else { 1 };
    }
    out
}

/// Puts each function on one line, or one line a parameter where that is too long.
fn functions(text: &str) -> String {
    let mut out = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if !line.starts_with("CONEX_API") {
            writeln!(out, "{line}").expect("a string takes everything");
            continue;
        }
        let mut function = line.to_owned();
        while !function.ends_with(';') {
            let more = lines.next().expect("a declaration ends").trim();
            let space = if function.ends_with('(') { "" } else { " " };
            function = format!("{function}{space}{more}");
        }
        if function.len() > 116 {
            let (name, parameters) = function.split_once('(').expect("a function has parameters");
            let parameters =
                parameters.trim_end_matches(");").split(", ").collect::<Vec<_>>().join(",\n        ");
            function = format!("{name}(\n        {parameters});");
        }
        writeln!(out, "{function}").expect("a string takes everything");
    }
    out
}

fn header() -> String {
    let version = env!("CARGO_PKG_VERSION");
    let mut part = version.split('.');
    let mut next = || part.next().expect("a version has three parts").to_owned();
    let before = read(&root().join("src/ffi/header/before.h"))
        .replace("@MAJOR@", &next())
        .replace("@MINOR@", &next())
        .replace("@PATCH@", &next())
        .replace("@VERSION@", version);
    let mut out = before.trim_end().to_owned();
    for (title, name) in SECTIONS {
        let file = root().join(format!("src/ffi/{name}.rs"));
        let source = read(&file);
        write!(out, "\n\n/* {}\n * {title}\n *\n", "=".repeat(105)).expect("a string takes everything");
        for line in introduction(&source) {
            writeln!(out, "{}", format!(" * {line}").trim_end()).expect("a string takes everything");
        }
        write!(out, " * {} */\n\n{}", "=".repeat(102), declarations(&file))
            .expect("a string takes everything");
        let macros = root().join(format!("src/ffi/header/{name}.h"));
        if macros.exists() {
            write!(out, "\n\n{}", read(&macros).trim()).expect("a string takes everything");
        }
    }
    write!(out, "\n\n{}", read(&root().join("src/ffi/header/after.h"))).expect("a string takes everything");
    out
}

#[test]
fn header_is_up_to_date() {
    let path = root().join("include/conex/conex.h");
    let fresh = header();
    if std::env::var_os("CONEX_BLESS").is_some() {
        fs::write(&path, &fresh).expect("a writable include folder");
        return;
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    if committed != fresh {
        let differs = committed.lines().zip(fresh.lines()).position(|(old, new)| old != new);
        let line = differs.unwrap_or_else(|| committed.lines().count().min(fresh.lines().count())) + 1;
        panic!(
            "include/conex/conex.h differs from the sources from line {line} on; run:\n\n    \
             CONEX_BLESS=1 cargo test --test header\n\nand commit the result"
        );
    }
}

#[test]
fn every_exported_function_is_in_a_section() {
    let header = header();
    for entry in fs::read_dir(root().join("src/ffi")).expect("src/ffi") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        for line in read(&path).lines() {
            let function = line.split("extern \"C\" fn ").nth(1);
            if let Some(name) = function.and_then(|rest| rest.split(['(', '<']).next()) {
                assert!(header.contains(&format!("{name}(")), "{name} of {} is missing", path.display());
            }
        }
    }
}
