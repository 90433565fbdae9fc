//! The `fallgate` command, as a library: what reads packs from files, and what each command does.
//!
//! In reading order: [`pack`] makes a folder into the one document that the core compiles, [`source`] leads from a place
//! in that document back to the file, and [`report`] shows what is wrong there.

#![forbid(unsafe_code)]

pub mod budget;
pub mod finding;
pub mod json;
pub mod pack;
pub mod reading;
pub mod reference;
pub mod report;
pub mod scalar;
pub mod source;
pub mod yaml;
