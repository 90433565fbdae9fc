//! Audit chains on disk: [`lines`] reads them record by record, however large they are, and [`folder`] keeps one that a
//! server writes.

pub mod folder;
pub mod lines;
