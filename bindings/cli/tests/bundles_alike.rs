//! A bundle is made of what its pack says, and of nothing else: not of where the pack lies, nor of the order in which its
//! files were written or are named.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

// Each test program uses the part of it that it needs.
#[allow(dead_code, reason = "other programs use more of it")]
mod shell;

use std::fs;
use std::path::{Path, PathBuf};

use shell::fallgate;
use tempfile::TempDir;

fn names_in(folder: &Path) -> Vec<PathBuf> {
    let mut names: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    names
}

/// Copies a folder, the last of its names first.
fn copied_backwards(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for path in names_in(from).into_iter().rev() {
        let copy = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copied_backwards(&path, &copy);
        } else {
            fs::copy(&path, copy).unwrap();
        }
    }
}

/// The bytes of the bundle that a pack is built to.
fn built(pack: &Path, into: &Path) -> Vec<u8> {
    let [pack, bundle] = [pack, &into.join("bundle.json")].map(|path| path.display().to_string());
    let ran = fallgate(&["build", &pack, "-o", &bundle]);
    assert_eq!(ran.exit, 0, "{pack}: {}{}", ran.out, ran.err);
    fs::read(bundle).unwrap()
}

#[test]
fn every_pack_gives_the_same_bytes_from_another_folder_and_in_another_order() {
    let policies = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies");
    let packs: Vec<PathBuf> = names_in(&policies).into_iter().filter(|path| path.join("pack.yaml").exists()).collect();
    assert!(packs.len() > 20, "only {} packs were found", packs.len());
    for pack in packs {
        let (elsewhere, out) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let copy = elsewhere.path().join("another/name/of-it");
        copied_backwards(&pack, &copy);
        let [first, again, moved] = [&pack, &pack, &copy].map(|from| built(from, out.path()));
        assert!(first == again, "{}", pack.display());
        assert!(first == moved, "{} from another folder", pack.display());
    }
}

#[test]
fn files_of_rules_are_read_by_their_names_whichever_was_written_first() {
    let folder = TempDir::new().unwrap();
    let pack = folder.path().join("shop");
    assert_eq!(fallgate(&["init", &pack.display().to_string()]).exit, 0);
    let text = fs::read_to_string(pack.join("rules.yaml")).unwrap();
    let places: Vec<usize> = text.match_indices("\n  - id: ").map(|(at, _)| at + 1).collect();
    let (head, body) = text.split_at(places[0]);
    let (first, others) = body.split_at(places[1] - places[0]);
    let parts = [("a.yaml", first), ("b.yaml", others)];
    fs::remove_file(pack.join("rules.yaml")).unwrap();
    let [forwards, backwards] = [parts, [parts[1], parts[0]]].map(|parts| {
        let _ = fs::remove_dir_all(pack.join("rules"));
        fs::create_dir(pack.join("rules")).unwrap();
        for (name, rules) in parts {
            fs::write(pack.join("rules").join(name), format!("{head}{rules}")).unwrap();
        }
        built(&pack, folder.path())
    });
    assert!(forwards == backwards);
    // Where what the pack says changes, so do the bytes.
    let manifest = fs::read_to_string(pack.join("pack.yaml")).unwrap();
    fs::write(pack.join("pack.yaml"), manifest.replace("revision: 1", "revision: 2")).unwrap();
    assert!(built(&pack, folder.path()) != forwards);
}
