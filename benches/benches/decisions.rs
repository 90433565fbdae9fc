//! `make bench`: Fallgate and the hand-written floors.

use std::error::Error;

use fallgate_benches::contest::{Contest, Run};
use fallgate_benches::engine::{self, Entry};
use fallgate_benches::{admission, failing, floors, many_rules, roles};
use serde_json::Value;

const UNCACHED: Entry = Entry { variant: "", cached: false };

fn main() -> Result<(), Box<dyn Error>> {
    let run = Run::from_arguments("ours")?;
    let grants = roles::Grants::seeded();
    for (name, kind) in [("W1", roles::Kind::Roles), ("W2", roles::Kind::Attributes)] {
        if run.wants(name) {
            let typed = roles::Request::seeded();
            let bytes = floors::bytes(&typed, |request| request.to_json(kind));
            let mut contest = Contest::new(name);
            floors::roles(&mut contest, kind, &grants, &typed, &bytes);
            fallgate(&mut contest, |cached| roles::document(kind, &grants, cached), &bytes)?;
            run.hold(&contest)?;
        }
    }
    if run.wants("W2 with audit") {
        let kind = roles::Kind::Attributes;
        let typed = roles::Request::seeded();
        let bytes = floors::bytes(&typed, |request| request.to_json(kind));
        let mut contest = Contest::new("W2 with audit");
        floors::roles(&mut contest, kind, &grants, &typed, &bytes);
        engine::audit_lanes(&mut contest, &roles::document(kind, &grants, false), &bytes)?;
        run.hold(&contest)?;
    }
    for size in many_rules::SIZES {
        let name = format!("W3 at {size}");
        if run.wants(&name) {
            let rules = many_rules::Rule::seeded(size);
            let typed = many_rules::Request::seeded(size);
            let bytes = floors::bytes(&typed, many_rules::Request::to_json);
            let mut contest = Contest::new(&name);
            floors::many_rules(&mut contest, &rules, &typed, &bytes);
            fallgate(&mut contest, |cached| many_rules::document(&rules, cached), &bytes)?;
            run.hold(&contest)?;
        }
    }
    if run.wants("W4") {
        let bytes = floors::bytes(&admission::requests(), Clone::clone);
        let mut contest = Contest::new("W4");
        floors::admission(&mut contest, &bytes)?;
        // Not cached: what the checks read of a pod is longer than the longest key that is kept.
        let rego = Entry { variant: "Rego", cached: false };
        engine::lanes(&mut contest, UNCACHED, &admission::document(), &bytes)?;
        engine::lanes(&mut contest, rego, &admission::rego_document(), &bytes)?;
        run.hold(&contest)?;
    }
    if run.wants("W5") {
        let mut contest = Contest::new("W5");
        failing::lanes(&mut contest)?;
        run.hold(&contest)?;
    }
    Ok(())
}

/// Fallgate's lanes, uncached, cached and in batches.
fn fallgate<'a>(
    contest: &mut Contest<'a>,
    document: impl Fn(bool) -> Value,
    bytes: &'a [Vec<u8>],
) -> Result<(), Box<dyn Error>> {
    engine::lanes(contest, UNCACHED, &document(false), bytes)?;
    let cached = Entry { variant: "cached", cached: true };
    engine::lanes(contest, cached, &document(true), bytes)?;
    engine::batch_lane(contest, &document(false), bytes)
}
