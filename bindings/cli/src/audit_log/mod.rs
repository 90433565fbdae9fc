//! Audit chains on disk: [`lines`] reads them record by record, however large they are; a server keeps one in a [`sink`],
//! which is a [`folder`] or a [`database`]; [`key`] reads the keys of both; and [`differences`] finds where the chains of
//! several engines say that these differ.

pub mod database;
pub mod differences;
pub mod folder;
pub mod key;
pub mod lines;
pub mod sink;
