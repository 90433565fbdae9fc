//! The fenced blocks of a page.

// Not every test needs all of it, and a test panics to fail.
#![allow(dead_code, clippy::panic)]

use std::fs;
use std::path::Path;

/// The folder of the repository.
pub(crate) const ROOT: &str = "../..";
/// One fenced block.
pub(crate) struct Block {
    /// The line of the page on which it begins.
    pub(crate) line: usize,
    /// The words behind the fence: a language, and what is to be done with it.
    pub(crate) info: String,
    pub(crate) text: String,
}

impl Block {
    pub(crate) fn language(&self) -> &str {
        self.info.split(' ').next().unwrap_or_default()
    }

    /// What the info string says after `name=`.
    pub(crate) fn named(&self, name: &str) -> Option<&str> {
        self.info.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
    }
}

/// The blocks of a page, in their order. A block that is not closed ends with the page.
pub(crate) fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = page.lines().enumerate();
    while let Some((at, line)) = lines.next() {
        let Some(info) = line.trim_start().strip_prefix("```") else { continue };
        let mut text = String::new();
        for (_, line) in lines.by_ref().take_while(|(_, line)| !line.trim_start().starts_with("```")) {
            text.push_str(line);
            text.push('\n');
        }
        blocks.push(Block { line: at + 1, info: info.to_owned(), text });
    }
    blocks
}

/// The commands of a session, each with what it prints.
pub(crate) fn commands(session: &str) -> Vec<(String, String)> {
    let mut commands: Vec<(String, String)> = Vec::new();
    for line in session.lines() {
        match (line.strip_prefix("$ "), commands.last_mut()) {
            (Some(command), _) => commands.push((command.to_owned(), String::new())),
            (None, Some((_, printed))) => {
                printed.push_str(line);
                printed.push('\n');
            }
            (None, None) => panic!("a session begins with `$ `, not with `{line}`"),
        }
    }
    commands
}

/// All commands of `fallgate` of a page, without that word, each with what it prints.
pub(crate) fn fallgate_commands(page: &str) -> Vec<(String, String)> {
    let sessions = blocks(page).into_iter().filter(|block| block.language() == "console");
    let all = sessions.flat_map(|block| commands(&block.text));
    all.map(|(command, printed)| (command.strip_prefix("fallgate ").unwrap().to_owned(), printed)).collect()
}

/// The page of this name below `docs`.
pub(crate) fn page(name: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join("docs").join(name)).unwrap_or_else(|error| panic!("docs/{name}: {error}"))
}
