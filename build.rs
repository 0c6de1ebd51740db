//! Link arguments of the shared library. Nothing else: the header is committed, and a test keeps it true.

/// The ABI number: the N of `libconex.so.N`. It changes when a symbol or a struct changes incompatibly, not with the
/// crate's version. `CMakeLists.txt` reads it from this line.
const ABI: &str = "0";

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let os = std::env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    match os.as_str() {
        "linux" | "freebsd" | "netbsd" | "openbsd" | "dragonfly" | "solaris" | "illumos" => {
            // Without a SONAME a consumer records the path it linked against and cannot be moved.
            println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libconex.so.{ABI}");
            // Threads that used the library run its thread-exit code later: it must never be unmapped.
            println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
        }
        "macos" | "ios" => {
            println!("cargo:rustc-cdylib-link-arg=-Wl,-install_name,@rpath/libconex.{ABI}.dylib");
        }
        _ => {}
    }
}
