//! The pages of the book that follow from the definitions: a page for each format, from its schema, and one for all
//! commands, from what the command line is read with. What is generated cannot be behind what is read.

mod commands;
mod format;

use crate::arguments::Arguments;

/// The page of all commands.
const COMMANDS: &str = "commands";

/// The pages, in the order of the book. What several formats share is described on the first of theirs.
pub(crate) const NAMES: [&str; 9] =
    ["rules", "cases", "pack", "operation", "drill", "control", "trust", "envelope", COMMANDS];

/// The page of that name, as Markdown.
pub(crate) fn page(name: &str) -> Option<String> {
    use clap::CommandFactory as _;

    match name {
        COMMANDS => Some(commands::page(Arguments::command())),
        name => format::page(name),
    }
}

/// A text in a cell of a table.
fn cell(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").replace('|', "\\|")
}
