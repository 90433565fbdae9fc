//! The `fallgate` command, as a library.
