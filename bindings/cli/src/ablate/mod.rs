//! Ablation: what is denied is asked again with less, and each deny that becomes an allow is shown.
//!
//! In reading order: [`removal`], what can be taken away; [`search`], one at a time and then in pairs; [`in_pack`] and
//! [`in_rego`], the two things that can be asked; [`opening`], a deny that became an allow.

pub mod in_pack;
pub mod in_rego;
pub mod opening;
pub mod removal;
pub mod search;
