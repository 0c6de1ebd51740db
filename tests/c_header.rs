//! The header compiles, alone and warning-free, as each C and C++ that it promises.

#![cfg(not(any(loom, miri)))]

use std::path::Path;

/// Uses every macro of the header once.
const PROGRAM: &str = r#"
#include <conex/conex.h>
#include <conex/conex.h>

int main(void) {
    conex_element word = CONEX_ELEMENT_WORD;
    conex_allocator process = CONEX_ALLOCATOR_PROCESS;
    conex_domain_options domain = CONEX_DOMAIN_OPTIONS_INIT;
    conex_domain_stats stats = CONEX_DOMAIN_STATS_INIT;
    conex_stack_options stack = CONEX_STACK_OPTIONS_INIT;
    int sizes = domain.struct_size == sizeof domain && stats.struct_size == sizeof stats
        && stack.struct_size == sizeof stack && word.size == 8 && process.ctx == NULL;
    return sizes && CONEX_VERSION_NUMBER >= 1000 ? 0 : 1;
}
"#;

fn compiles(file: &str, standard: &str, cpp: bool) {
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join(standard);
    std::fs::create_dir_all(&out).expect("a writable target folder");
    let source = out.join(file);
    std::fs::write(&source, PROGRAM).expect("a writable target folder");
    let mut build = cc::Build::new();
    build
        .target(env!("CONEX_TARGET"))
        .host(env!("CONEX_TARGET"))
        .opt_level(0)
        .cargo_metadata(false)
        .out_dir(&out)
        .cpp(cpp)
        .std(standard)
        .include(Path::new(env!("CARGO_MANIFEST_DIR")).join("include"))
        .warnings(true)
        .extra_warnings(true)
        .warnings_into_errors(true)
        .flags(["-pedantic", "-Wundef", "-Wconversion"])
        .flag_if_supported(if cpp { "-Wold-style-cast" } else { "-Wstrict-prototypes" })
        .file(source);
    if let Err(error) = build.try_compile(&format!("header_{}", standard.replace('+', "p"))) {
        panic!("{standard}: {error}");
    }
}

#[test]
fn header_compiles_as_c99() {
    compiles("header.c", "c99", false);
}

#[test]
fn header_compiles_as_c11() {
    compiles("header.c", "c11", false);
}

#[test]
fn header_compiles_as_cpp17() {
    compiles("header.cpp", "c++17", true);
}

#[test]
fn header_compiles_as_cpp20() {
    compiles("header.cpp", "c++20", true);
}
