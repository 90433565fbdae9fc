//! Gives the shared library the name that programs record: its file may carry a longer one.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let system = std::env::var_os("CARGO_CFG_TARGET_OS").unwrap_or_default();
    if ["linux", "android", "freebsd", "netbsd", "openbsd", "dragonfly"].iter().any(|elf| system == *elf) {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libfallgate.so.0");
    } else if system == "macos" {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-install_name,@rpath/libfallgate.0.dylib");
    }
}
