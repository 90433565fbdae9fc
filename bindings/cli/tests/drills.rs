//! `fallgate drill --report` and `fallgate graph`: what they write, and how they end. What a browser makes of the page is
//! looked at in `tests/page`.

// The lints that forbid a panic are for code in reach of input. A test panics to fail.
#![allow(clippy::unwrap_used, clippy::arithmetic_side_effects)]

use std::fs;

mod shell;

use shell::fallgate;

const PACK: &str = "../../policies/split-regions";

#[test]
fn a_page_has_every_drill_that_ran_and_loads_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("page.html").to_str().unwrap().to_owned();
    assert_eq!(fallgate(&["drill", PACK, "--report", &page]).exit, 0);
    let text = fs::read_to_string(&page).unwrap();
    let drills = fs::read_dir(format!("{PACK}/drills")).unwrap().count();
    assert_eq!(text.matches("<section class=\"drill\"").count(), drills);
    for loads in ["src=", "<link", "@import", "url(http", "https://"] {
        assert!(!text.contains(loads), "{loads}");
    }
}

#[test]
fn a_page_that_cannot_be_written_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("missing/page.html").to_str().unwrap().to_owned();
    let ran = fallgate(&["drill", PACK, "--report", &nowhere]);
    assert_eq!(ran.exit, 3, "{}", ran.err);
    assert!(ran.err.contains("missing/page.html"), "{}", ran.err);
}

#[test]
fn a_graph_goes_where_it_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("postures.svg").to_str().unwrap().to_owned();
    let ran = fallgate(&["graph", "../../policies/idp-outage", "--output", &file]);
    assert_eq!((ran.exit, ran.out.as_str(), ran.err.as_str()), (0, "", ""));
    assert_eq!(fs::read_to_string(&file).unwrap(), fallgate(&["graph", "../../policies/idp-outage"]).out);
    let none = fallgate(&["graph", "../../policies/content-delivery"]);
    assert_eq!(
        (none.exit, none.err.as_str()),
        (0, "content-delivery declares no postures: there is only the normal one\n")
    );
}

#[test]
fn a_seed_of_chaos_gives_the_same_bytes() {
    let once = || fallgate(&["chaos", PACK, "--seed", "4", "--hours", "3", "--forks", "2"]);
    let (first, second) = (once(), once());
    assert_eq!((first.exit, first.err.as_str()), (0, ""), "{}", first.out);
    assert_eq!(first.out, second.out);
    assert!(first.out.contains("every theorem held"), "{}", first.out);
    assert_ne!(first.out, fallgate(&["chaos", PACK, "--seed", "5", "--hours", "3", "--forks", "2"]).out);
}

#[test]
fn what_chaos_finds_is_a_drill() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("found.yaml").to_str().unwrap().to_owned();
    let never = ["--never", "order:write=signal_unavailable"];
    let ran = fallgate(&[&["chaos", PACK, "--hours", "6", "--forks", "0", "--output", &file], &never[..]].concat());
    assert_eq!((ran.exit, ran.err.as_str()), (2, "error: the pack has no action `order:write`\n"));
    let action = "profile:read=allowed_stale";
    let actions = fs::read_to_string(format!("{PACK}/pack.yaml")).unwrap();
    assert!(actions.contains("profile:read"), "{actions}");
    let ran = fallgate(&["chaos", PACK, "--hours", "6", "--forks", "0", "--output", &file, "--never", action]);
    assert_eq!(ran.exit, 1, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("`never` does not hold"), "{}", ran.out);
    let drill = fallgate(&["drill", &file]);
    assert_eq!(drill.exit, 0, "{}", drill.err);
    assert!(drill.out.contains("allow allowed_stale"), "{}", drill.out);
}

#[test]
fn the_records_of_a_drill_are_a_chain() {
    let folder = tempfile::tempdir().unwrap();
    let chain = folder.path().join("audit.jsonl").to_str().unwrap().to_owned();
    let records = "../../policies/compliance-records";
    let plain = fallgate(&["drill", records, "sink-stalls"]);
    let ran = fallgate(&["drill", records, "sink-stalls", "--audit", &chain]);
    assert_eq!((ran.exit, ran.out, ran.err), (plain.exit, plain.out, plain.err), "nothing is decided otherwise");
    let verified = fallgate(&["audit", "verify", &chain]);
    assert_eq!(verified.exit, 0, "{}{}", verified.out, verified.err);
    assert!(verified.out.contains("4 more were not recorded, as its gaps say"), "{}", verified.out);

    // Two engines have two chains. In the last drill nobody writes: what waits at its end is there all the same.
    let ran = fallgate(&["drill", "../../policies/payment-gateway", "restart-in-read-only", "--audit", &chain]);
    assert_eq!(ran.exit, 2, "{}{}", ran.out, ran.err);
    assert!(ran.err.contains("each engine of a drill begins a chain of its own"), "{}", ran.err);
    let ran = fallgate(&["drill", "../../policies/policy-change", "canary-catches-a-bug", "--audit", &chain]);
    assert_eq!(ran.exit, 0, "{}{}", ran.out, ran.err);
    assert_eq!(fallgate(&["audit", "verify", &chain]).exit, 0);
    assert!(fs::read_to_string(&chain).unwrap().contains("rollout_rolled_back"));

    let ran = fallgate(&["drill", "../../policies/idp-outage", "provider-down", "--audit", &chain]);
    assert_eq!(ran.exit, 3, "{}{}", ran.out, ran.err);
    assert!(ran.err.contains("`idp-outage` leaves no records"), "{}", ran.err);
}
