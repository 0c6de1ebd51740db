//! The C functions.

use core::ffi::c_char;

/// The version of the library that is loaded: `CONEX_VERSION_NUMBER` of the header it was built with.
#[unsafe(no_mangle)]
pub extern "C" fn conex_version() -> u32 {
    1000
}

/// The version of the library that is loaded as text, for instance `"0.1.0"`.
#[unsafe(no_mangle)]
pub extern "C" fn conex_version_string() -> *const c_char {
    c"0.1.0".as_ptr()
}
