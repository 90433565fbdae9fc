//! The `fallgate` command, as a library: what reads packs from files, and what each command does.
//!
//! In reading order: [`pack`] makes a folder into the one document that the core compiles, [`source`] leads from a place
//! in that document back to the file, [`report`] shows what is wrong there, and [`command`] does what the command line
//! says.

#![forbid(unsafe_code)]

pub mod ablate;
pub mod arguments;
pub mod audit_log;
pub mod bench;
mod book_page;
pub mod budget;
mod chaos;
pub mod command;
pub mod console;
pub mod diff;
mod drill_report;
pub mod finding;
mod graph;
pub mod journal_file;
pub mod json;
#[cfg(feature = "opa")]
pub mod opa;
pub mod pack;
pub mod progress;
pub mod reading;
pub mod reference;
pub mod rego_folder;
pub mod report;
pub mod sarif;
pub mod scalar;
#[cfg(feature = "serve")]
pub mod serve;
pub mod signing;
pub mod source;
mod telling;
pub mod yaml;

/// The first decision in Rust, as the book shows it.
#[cfg(doctest)]
#[allow(rustdoc::invalid_codeblock_attributes, reason = "what a fence says to the tests of the book")]
#[doc = include_str!("../../../docs/book/first/rust.md")]
struct FirstInRust;
