//! Audit chains on disk: [`lines`] reads them record by record, however large they are; a server keeps one in a [`sink`],
//! which is a [`folder`] or a [`database`]; and [`key`] reads the keys of both.

pub mod database;
pub mod folder;
pub mod key;
pub mod lines;
pub mod sink;
