//! `make bench-peers`: the engines of others and the hand-written floors, on the same work as Fallgate.

use std::error::Error;

use fallgate_benches::contest::{Contest, Run, results};
use fallgate_benches::{admission, floors, many_rules, roles};
use fallgate_benches_peers::{cedar, rego};

/// Beyond this many rules one decision of cedar-policy takes over 100 ms, and the agreement alone four minutes.
const CEDAR_RULES_MAX: usize = 10_000;

fn main() -> Result<(), Box<dyn Error>> {
    let run = Run::from_arguments(&results("peers"))?;
    let grants = roles::Grants::seeded();
    for (name, kind) in [("W1", roles::Kind::Roles), ("W2", roles::Kind::Attributes)] {
        if run.wants(name) {
            let typed = roles::Request::seeded();
            let bytes = floors::bytes(&typed, |request| request.to_json(kind));
            let mut contest = Contest::new(name);
            floors::roles(&mut contest, kind, &grants, &typed, &bytes);
            rego::Policy::roles(kind, &grants).lanes(&mut contest, &bytes)?;
            cedar::roles(&mut contest, kind, &grants, &typed)?;
            run.hold(&contest)?;
        }
    }
    for size in many_rules::SIZES {
        let name = format!("W3 at {size}");
        if run.wants(&name) {
            let rules = many_rules::Rule::seeded(size);
            let typed = many_rules::Request::seeded(size);
            let bytes = floors::bytes(&typed, many_rules::Request::to_json);
            let mut contest = Contest::new(&name);
            floors::many_rules(&mut contest, &rules, &typed, &bytes);
            rego::Policy::many_rules(&rules).lanes(&mut contest, &bytes)?;
            if size <= CEDAR_RULES_MAX {
                cedar::many_rules(&mut contest, &rules, &typed)?;
            }
            run.hold(&contest)?;
        }
    }
    if run.wants("W4") {
        let bytes = floors::bytes(&admission::requests(), Clone::clone);
        let mut contest = Contest::new("W4");
        floors::admission(&mut contest, &bytes)?;
        rego::Policy::admission().lanes(&mut contest, &bytes)?;
        run.hold(&contest)?;
    }
    Ok(())
}
