//! Tells the linker how an addon finds Node's symbols, and to leave out those that nobody looks up.

#[allow(clippy::disallowed_methods, reason = "cargo tells a build script in the environment")]
fn main() {
    napi_build::setup();
    let is = |name: &str, value: &str| std::env::var(name).is_ok_and(|found| found == value);
    if is("PROFILE", "release") && is("CARGO_CFG_TARGET_OS", "linux") {
        println!("cargo:rustc-cdylib-link-arg=-s");
    }
}
