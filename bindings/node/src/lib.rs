//! The engine as a Node.js addon: what the JavaScript beside it calls, and nothing that a user of the package sees.
//!
//! In reading order: [`failure`], how an error crosses; [`instant`], the two clocks; [`configuration`], how an engine is
//! set up; [`source`], where a pack comes from; [`engine`], an engine in a handle and the calls that tell it things;
//! [`deciding`], the calls that ask it; [`packed`], a
//! request as bytes; [`answer`], a decision as one short text; [`authzen`], requests of other hosts; [`happening`], events; [`rehearsal`],
//! drills; [`command`], the `fallgate` command.
//!
//! Every function is a plain one that takes the handle: a method of a class costs ten times as much. Requests come in as
//! text and decisions go out as text, because each property that is read or written through Node's interface costs more
//! than a whole short text.

pub mod answer;
pub mod authzen;
pub mod command;
pub mod configuration;
pub mod deciding;
pub mod engine;
pub mod failure;
#[cfg(feature = "floors")]
pub mod floors;
pub mod happening;
pub mod instant;
pub mod operation;
pub mod packed;
pub mod rehearsal;
pub mod source;
