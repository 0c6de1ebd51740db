//! The version is `MAJOR.MINOR.PATCH`. The `CONEX_VERSION_*` macros tell which header a program was compiled with, the
//! functions which library it runs with. Until 1.0 a new minor version may change the interface; the number in the
//! shared library's SONAME changes when the binary interface does.

use core::ffi::c_char;

/// The version of the library that is loaded, as a number to compare with `CONEX_VERSION_NUMBER`:
/// `major * 1000000 + minor * 1000 + patch`.
///
/// Progress: wait-free.
#[unsafe(no_mangle)]
pub extern "C" fn conex_version() -> u32 {
    const fn number(text: &str) -> u32 {
        let (mut number, mut i) = (0, 0);
        while i < text.len() {
            number = number * 10 + (text.as_bytes()[i] - b'0') as u32;
            i += 1;
        }
        number
    }
    const NUMBER: u32 = number(env!("CARGO_PKG_VERSION_MAJOR")) * 1_000_000
        + number(env!("CARGO_PKG_VERSION_MINOR")) * 1_000
        + number(env!("CARGO_PKG_VERSION_PATCH"));
    NUMBER
}

/// The version of the library that is loaded, as a static text, for instance `"0.1.0"`. Never NULL.
///
/// Progress: wait-free.
#[unsafe(no_mangle)]
pub extern "C" fn conex_version_string() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}
