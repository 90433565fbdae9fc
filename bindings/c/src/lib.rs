//! Fallgate for C and C++: the library behind `include/fallgate.h`.
//!
//! The functions here decide nothing. They look at pointers, lengths and handles, hand what they find to the core, and
//! put what comes back into the caller's memory. What could go wrong on the way is a status; where a decision was asked
//! for it is a deny, which is zero. No panic leaves a function, and nothing here is global or a thread's.
//!
//! # Reading order
//!
//! `status`, the numbers; `boundary`, how pointers and handles are looked at; `text`, what is handed out; `config`, `now`;
//! `request`, attributes in C's arrays; `decision`, the answer; `engine`, `trust`, `operate` and `decide`, the functions.
//!
//! The header is made from these files by `make generate`: what a comment of a public item says, C programmers read. Its
//! general contract (handles, texts, structs, out-parameters) stands at the head of the header, in `generate/head.h`;
//! `SAFETY` comments name its parts.

#![allow(non_camel_case_types, reason = "the names are those of the header")]
#![allow(clippy::missing_safety_doc, reason = "the header's contract holds for all; each function says what differs")]
#![warn(clippy::undocumented_unsafe_blocks)]
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, reason = "a test fails by panicking"))]

mod boundary;
mod config;
mod decide;
mod decision;
mod engine;
mod now;
mod operate;
mod request;
mod status;
mod text;
mod trust;

pub use config::*;
pub use decide::*;
pub use decision::*;
pub use engine::*;
pub use now::*;
pub use operate::*;
pub use request::*;
pub use status::*;
pub use text::*;
pub use trust::*;
