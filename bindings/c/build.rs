//! Gives the shared library the name that programs record: its file may carry a longer one.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libfallgate.so.0");
}
