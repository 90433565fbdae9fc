//! The habits of the house, as tests: what a reviewer would otherwise have to look for each time.
//!
//! Each check is a function from text to findings, so that it is tried on small bad inputs as well as on the
//! repository: a check that cannot fail holds nothing.

// The lints that forbid a panic are for code in reach of input. A test panics to fail.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::arithmetic_side_effects)]

#[path = "tidy/layers.rs"]
mod layers;
#[path = "tidy/purity.rs"]
mod purity;
#[path = "tidy/source.rs"]
mod source;
#[path = "tidy/tree.rs"]
mod tree;

use tree::Repository;

/// Fails with every finding on a line of its own.
fn refuse(findings: Vec<String>) {
    assert!(findings.is_empty(), "{} finding(s):\n{}", findings.len(), findings.join("\n"));
}

/// What a check over one file says of each file that it is about.
fn each(files: &[tree::File], check: impl Fn(&str, &str) -> Vec<String>) -> Vec<String> {
    files.iter().flat_map(|file| check(&file.path, &file.text)).collect()
}

#[test]
fn the_core_does_no_io_and_reads_no_clock() {
    let core = Repository::open().rust_under("core/src/");
    assert!(core.len() > 5, "only {} files of core/src were found", core.len());
    refuse(each(&core, purity::forbidden_names));
}

#[test]
fn the_core_holds_no_global_state() {
    refuse(each(&Repository::open().rust_under("core/src/"), purity::global_state));
}

#[test]
fn what_threads_share_is_named_in_one_place() {
    refuse(each(&Repository::open().rust_under("core/src/"), purity::shared_elsewhere));
}

/// The core is built once more for its schedules, from the same files: by the same dependencies, with the same features.
#[test]
fn the_core_of_the_schedules_is_the_same() {
    let repository = Repository::open();
    let listed = |path: &str| -> Vec<String> {
        let text = &repository.file(path).expect("a manifest is there").text;
        let lines = text.lines().skip_while(|line| *line != "[dependencies]").skip(1);
        let own =
            lines.take_while(|line| !line.starts_with('[')).filter(|line| !line.starts_with('#') && !line.is_empty());
        own.map(str::to_owned).collect()
    };
    let shared = |line: &String| !line.contains("workspace = true") && !line.contains("optional = true");
    let copy = listed("core/schedules/Cargo.toml");
    let core: Vec<_> = listed("core/Cargo.toml").into_iter().filter(shared).collect();
    assert!(core.len() > 5, "the dependencies of the core were not found");
    refuse(
        core.into_iter()
            .filter(|line| !copy.contains(line))
            .map(|line| format!("core/schedules: no `{line}`"))
            .collect(),
    );
}

#[test]
fn the_core_forbids_unsafe_code() {
    let repository = Repository::open();
    let root = repository.file("core/src/lib.rs").expect("core/src/lib.rs is there");
    assert!(
        source::code_only(&root.text).contains("#![forbid(unsafe_code)]"),
        "core/src/lib.rs: `#![forbid(unsafe_code)]` is missing; put it below the crate's documentation"
    );
}

#[test]
fn an_import_never_runs_upwards() {
    refuse(layers::check(&Repository::open().rust_under("core/src/")));
}

#[test]
fn nothing_is_left_unfinished_or_ignored() {
    refuse(each(&Repository::open().rust_under(""), source::unfinished));
}

#[test]
fn every_module_says_what_it_is() {
    refuse(each(&Repository::open().rust_under(""), source::undocumented));
}

#[test]
fn no_file_is_too_long() {
    refuse(each(&Repository::open().files, tree::too_long));
}

#[test]
fn no_name_says_nothing() {
    refuse(each(&Repository::open().files, |path, _| tree::empty_names(path)));
}

#[test]
fn every_decision_is_numbered_and_linked() {
    let repository = Repository::open();
    let index = repository.file("docs/decisions/README.md").expect("docs/decisions/README.md is there");
    refuse(tree::decisions(&index.text, &repository.names_in("docs/decisions/")));
}

#[test]
fn every_pack_is_whole() {
    let repository = Repository::open();
    let packs = repository.folders_in("policies/");
    assert!(!packs.is_empty(), "policies: no pack is there");
    refuse(packs.iter().flat_map(|pack| tree::incomplete_pack(pack, &repository.paths())).collect());
}

#[test]
fn every_pack_says_what_it_does() {
    let repository = Repository::open();
    let text = |path: &str| repository.file(path).map_or("", |file| file.text.as_str());
    let unwritten = |pack: &String| {
        let (page, manifest) = (format!("{pack}/README.md"), format!("{pack}/pack.yaml"));
        tree::unwritten_pack(pack, text(&page), text(&manifest), text("policies/README.md"), &repository.paths())
    };
    refuse(repository.folders_in("policies/").iter().flat_map(unwritten).collect());
}

#[test]
fn every_link_leads_somewhere() {
    let repository = Repository::open();
    let pages: Vec<_> = repository.files.iter().filter(|file| file.path.ends_with(".md")).cloned().collect();
    assert!(pages.len() > 5, "only {} pages were found", pages.len());
    refuse(each(&pages, |path, text| tree::dead_links(path, text, |target| repository.holds(target))));
}
