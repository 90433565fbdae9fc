//! The repository as tidy sees it, and the checks on its files and pages.

use std::collections::BTreeSet;
use std::path::Path;

/// A text file of ours: its path from the root of the repository, with `/`, and its text.
#[derive(Clone)]
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// Every text file of ours, in the order of their paths.
pub(crate) struct Repository {
    pub(crate) files: Vec<File>,
}

/// Folders that hold what a tool made.
const MADE: &[&str] = &["target", "node_modules", "corpus", "artifacts", "__pycache__"];
/// Hidden folders that are ours.
const HIDDEN_BUT_OURS: &[&str] = &[".ci", ".github"];
/// What a text file of ours ends with.
const TEXT: &[&str] = &[
    "rs", "toml", "md", "yaml", "yml", "json", "rego", "py", "pyi", "js", "mjs", "ts", "c", "h", "cpp", "hpp", "sh",
    "html", "css",
];
/// Text files of ours without an ending.
const TEXT_WITHOUT_ENDING: &[&str] = &["Makefile", ".ci/run", "fuzz/run"];

impl Repository {
    /// Reads the repository that this crate stands in.
    pub(crate) fn open() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut files = Vec::new();
        walk(&root, "", &mut files);
        files.sort_by(|a, b| a.path.cmp(&b.path));
        assert!(files.len() > 20, "only {} files were found under {}", files.len(), root.display());
        Self { files }
    }

    pub(crate) fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    pub(crate) fn rust_under(&self, folder: &str) -> Vec<File> {
        let ours = |file: &&File| file.path.starts_with(folder) && file.path.ends_with(".rs");
        self.files.iter().filter(ours).cloned().collect()
    }

    pub(crate) fn paths(&self) -> Vec<&str> {
        self.files.iter().map(|file| file.path.as_str()).collect()
    }

    /// The names of the files in a folder, without those in folders below it.
    pub(crate) fn names_in(&self, folder: &str) -> Vec<&str> {
        let below = self.files.iter().filter_map(|file| file.path.strip_prefix(folder));
        below.filter(|name| !name.contains('/')).collect()
    }

    /// The paths of the folders in a folder.
    pub(crate) fn folders_in(&self, folder: &str) -> BTreeSet<String> {
        let below = self.files.iter().filter_map(|file| file.path.strip_prefix(folder)?.split_once('/'));
        below.map(|(name, _)| format!("{folder}{name}")).collect()
    }

    /// Whether a file or a folder is there; files that are not text count too.
    pub(crate) fn holds(&self, path: &str) -> bool {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path).exists()
    }
}

fn walk(folder: &Path, prefix: &str, files: &mut Vec<File>) {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for entry in entries {
        let entry = entry.expect("the folder can be listed");
        let name = entry.file_name().into_string().expect("a file's name is UTF-8");
        let path = format!("{prefix}{name}");
        if entry.file_type().expect("its kind is known").is_dir() {
            let hidden = name.starts_with('.') && !HIDDEN_BUT_OURS.contains(&name.as_str());
            if !hidden && !MADE.contains(&name.as_str()) {
                walk(&entry.path(), &format!("{path}/"), files);
            }
        } else if is_text(&path) {
            let text = std::fs::read_to_string(entry.path()).unwrap_or_else(|error| panic!("{path}: {error}"));
            files.push(File { path, text });
        }
    }
}

fn is_text(path: &str) -> bool {
    // What a fuzzer found is kept byte for byte, whatever its name.
    let ours = !path.starts_with("fuzz/regressions/");
    let ending = Path::new(path).extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    ours && (TEXT.contains(&ending) || TEXT_WITHOUT_ENDING.contains(&path))
}

/// A file with more than one idea: 800 lines are the most. Lock files and generated ones are excepted.
pub(crate) fn too_long(path: &str, text: &str) -> Vec<String> {
    const LINES_MAX: usize = 800;
    let generated = path.starts_with("bindings/node/declarations/")
        || ["package-lock.json", ".schema.json", "/include/fallgate.h", "/node/native.js"]
            .iter()
            .any(|ending| path.ends_with(ending));
    let lines = text.lines().count();
    if generated || lines <= LINES_MAX {
        return Vec::new();
    }
    vec![format!("{path}: {lines} lines, {LINES_MAX} are the most; give each idea a file")]
}

/// A name that could hold anything, and so ends up holding everything.
pub(crate) fn empty_names(path: &str) -> Vec<String> {
    const REFUSED: &[&str] = &["utils", "util", "common", "helpers", "helper", "types", "prelude", "misc"];
    path.split('/')
        .map(|part| part.split('.').next().unwrap_or_default())
        .filter(|stem| REFUSED.contains(stem))
        .map(|stem| format!("{path}: `{stem}` names nothing; call it after its one idea"))
        .collect()
}

/// What is wrong with the folder of decisions, by its index and the names of its files.
pub(crate) fn decisions(index: &str, names: &[&str]) -> Vec<String> {
    let mut findings = Vec::new();
    for (name, expected) in names.iter().filter(|name| **name != "README.md").zip(1..) {
        let at = format!("docs/decisions/{name}");
        match name.split_once('-').map(|(number, _)| number) {
            Some(number) if number.len() == 4 && number.parse() == Ok(expected) && name.ends_with(".md") => {}
            _ => findings.push(format!("{at}: it should be called `{expected:04}-title.md`: numbers have no gaps")),
        }
        if !index.contains(&format!("({name})")) {
            findings.push(format!("{at}: docs/decisions/README.md does not link it; add a line"));
        }
    }
    if names.len() < 2 {
        findings.push("docs/decisions: no decision is there".to_owned());
    }
    findings
}

/// What a pack lacks of what every pack has, by the paths of all files.
pub(crate) fn incomplete_pack(pack: &str, paths: &[&str]) -> Vec<String> {
    let count = |folder: &str| {
        let prefix = format!("{pack}/{folder}/");
        paths.iter().filter(|path| path.starts_with(&prefix) && path.ends_with(".yaml")).count()
    };
    let has = |name: &str| paths.contains(&format!("{pack}/{name}").as_str());
    [
        (!has("README.md"), "no README.md; say what it protects, its secure state and its runbook"),
        (!has("pack.yaml"), "no pack.yaml"),
        (!has("rules.yaml") && count("rules") == 0, "no rules.yaml and no rules/*.yaml"),
        (count("tests") == 0, "no tests/*.yaml; show an allow and a deny"),
        (count("drills") < 2, "fewer than two drills/*.yaml; rehearse two failures"),
    ]
    .iter()
    .filter(|(lacks, _)| *lacks)
    .map(|(_, what)| format!("{pack}: {what}"))
    .collect()
}

/// What the page of a pack leaves out: `page` is its README.md, `manifest` its pack.yaml, `index` the list of all packs.
pub(crate) fn unwritten_pack(pack: &str, page: &str, manifest: &str, index: &str, paths: &[&str]) -> Vec<String> {
    let name = pack.rsplit('/').next().unwrap_or_default();
    let mut findings = Vec::new();
    let measured = manifest.contains("\nslo:").then_some("## Measured");
    for chapter in ["## Secure state", "## Runbook", "## Rehearsed"].into_iter().chain(measured) {
        if !page.lines().any(|line| line == chapter) {
            findings.push(format!("{pack}/README.md: no `{chapter}`"));
        }
    }
    let drills = format!("{pack}/drills/");
    for drill in paths.iter().filter_map(|path| path.strip_prefix(&drills)) {
        if !page.contains(&format!("`drills/{drill}`")) {
            findings.push(format!("{pack}/README.md: does not say what `drills/{drill}` rehearses"));
        }
    }
    if !index.contains(&format!("({name}/README.md)")) {
        findings.push(format!("{pack}: policies/README.md does not link it; add a line"));
    }
    findings
}

/// Links of a page to files that are not there. `holds` says of a path from the root whether it is.
pub(crate) fn dead_links(path: &str, text: &str, holds: impl Fn(&str) -> bool) -> Vec<String> {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut findings = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        for target in line.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = target.split('#').next().unwrap_or_default();
            if file.is_empty() || file.contains("://") || file.starts_with("mailto:") {
                continue;
            }
            if !holds(&joined(folder, file)) {
                findings.push(format!("{path}:{number}: the link to `{target}` leads nowhere"));
            }
        }
    }
    findings
}

/// A relative path from a folder, without `.` and `..`.
fn joined(folder: &str, relative: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in relative.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            name => parts.push(name),
        }
    }
    parts.join("/")
}

#[test]
fn a_long_file_is_found() {
    assert_eq!(too_long("x.rs", &"a\n".repeat(801)).len(), 1);
    assert!(too_long("x.rs", &"a\n".repeat(800)).is_empty());
    assert!(too_long("docs/formats/pack.schema.json", &"a\n".repeat(801)).is_empty());
    assert!(too_long("bindings/c/include/fallgate.h", &"a\n".repeat(801)).is_empty());
}

#[test]
fn an_empty_name_is_found() {
    for path in ["core/src/utils.rs", "a/common/b.rs", "helpers.py", "prelude.rs", "src/types.d.ts"] {
        assert_eq!(empty_names(path).len(), 1, "{path}");
    }
    assert!(empty_names("core/src/value_type.rs").is_empty());
}

#[test]
fn a_stray_decision_is_found() {
    let index = "- [one](0001-one.md)\n- [two](0002-two.md)";
    assert!(decisions(index, &["0001-one.md", "0002-two.md", "README.md"]).is_empty());
    assert_eq!(decisions(index, &["README.md"]).len(), 1, "none");
    assert_eq!(decisions(index, &["0001-one.md", "0003-two.md", "README.md"]).len(), 2, "a gap, and no link");
    assert_eq!(decisions(index, &["0001-one.md", "0001-two.md", "README.md"]).len(), 2, "a number twice, and no link");
    assert_eq!(decisions(index, &["0001-one.md", "notes.md", "README.md"]).len(), 2, "no number, and no link");
}

#[test]
fn an_unwritten_pack_is_found() {
    let page = "# a\n\n## Secure state\n\n## Measured\n\n## Runbook\n\n## Rehearsed\n\n- `drills/b.yaml`: c.\n";
    let index = "| [a](a/README.md) |";
    let faults = |page: &str, index: &str| {
        unwritten_pack("p/a", page, "name: a\nslo: {}\n", index, &["p/a/README.md", "p/a/drills/b.yaml"]).len()
    };
    assert_eq!(faults(page, index), 0);
    assert_eq!(faults(page, "| [b](b/README.md) |"), 1);
    for lost in ["## Secure state\n", "## Measured\n", "## Runbook\n", "## Rehearsed\n", "`drills/b.yaml`"] {
        assert_eq!(faults(&page.replace(lost, ""), index), 1, "without {lost}");
    }
    assert!(unwritten_pack("p/a", &page.replace("## Measured\n", ""), "name: a\n", index, &[]).is_empty());
}

#[test]
fn an_incomplete_pack_is_found() {
    let whole = [
        "p/a/README.md",
        "p/a/pack.yaml",
        "p/a/rules.yaml",
        "p/a/tests/t.yaml",
        "p/a/drills/1.yaml",
        "p/a/drills/2.yaml",
    ];
    assert!(incomplete_pack("p/a", &whole).is_empty());
    for lost in 0..whole.len() {
        let paths: Vec<&str> = whole.iter().copied().enumerate().filter(|(i, _)| *i != lost).map(|(_, p)| p).collect();
        assert_eq!(incomplete_pack("p/a", &paths).len(), 1, "without {}", whole[lost]);
    }
}

#[test]
fn a_dead_link_is_found() {
    let text = "[a](b.md) [c](../d.md#e) [f](#g) [h](https://example.org/i)\n[j](k.md)";
    let found = dead_links("docs/x.md", text, |path| ["docs/b.md", "d.md"].contains(&path));
    assert_eq!(found, ["docs/x.md:2: the link to `k.md` leads nowhere"]);
}
