//! Link arguments of the shared library, and the target's name for the test that compiles the header. The header itself
//! is committed, and a test keeps it true.

/// The ABI number: the N of `libconex.so.N`. It changes when a symbol or a struct changes incompatibly, not with the
/// crate's version. `CMakeLists.txt` reads it from this line.
const ABI: &str = "0";

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let target = std::env::var("TARGET").unwrap_or_default();
    println!("cargo:rustc-env=CONEX_TARGET={target}");
    let os = std::env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    // ThreadSanitizer sees no assembly: see `src/sync/pair.rs`.
    println!("cargo:rustc-check-cfg=cfg(conex_instrumented, conex_boxed)");
    if std::env::var("CARGO_CFG_SANITIZE").is_ok_and(|sanitizers| sanitizers.contains("thread")) {
        println!("cargo:rustc-cfg=conex_instrumented");
    }
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
