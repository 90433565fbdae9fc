//! Audit chains on disk: [`lines`] reads them record by record, however large they are, [`folder`] keeps one that a
//! server writes, and [`key`] reads the keys of both.

pub mod folder;
pub mod key;
pub mod lines;
