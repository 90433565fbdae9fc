//! The `fallgate` command.
fn main() {}
