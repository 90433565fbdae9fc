//! `make bench-peers`: the engines of others and the hand-written floors, on the same work as Fallgate.

use std::error::Error;

use fallgate_benches::contest::{Contest, Run};
use fallgate_benches::{admission, floors, many_rules, roles};
use fallgate_benches_peers::{Failure, casbin, cedar, cel, rego};

/// Beyond this many rules one decision of cedar-policy takes over 100 ms, and the agreement alone four minutes.
const CEDAR_RULES_MAX: usize = 10_000;

/// And of casbin, which is timed twice.
const CASBIN_RULES_MAX: usize = 1_000;

fn main() -> Result<(), Box<dyn Error>> {
    let run = Run::from_arguments("peers")?;
    let grants = roles::Grants::seeded();
    for (name, kind) in [("W1", roles::Kind::Roles), ("W2", roles::Kind::Attributes)] {
        if run.wants(name) {
            let typed = roles::Request::seeded();
            let bytes = floors::bytes(&typed, |request| request.to_json(kind));
            let mut contest = Contest::new(name);
            floors::roles(&mut contest, kind, &grants, &typed, &bytes);
            joins("regorus", rego::Policy::roles(kind, &grants).lanes(&mut contest, &bytes));
            joins("cedar-policy", cedar::roles(&mut contest, kind, &grants, &typed));
            joins("cel", cel::roles(&mut contest, kind, &grants, &bytes));
            joins("casbin", casbin::roles(&mut contest, kind, &grants, &typed));
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
            joins("regorus", rego::Policy::many_rules(&rules).lanes(&mut contest, &bytes));
            if size <= CEDAR_RULES_MAX {
                joins("cedar-policy", cedar::many_rules(&mut contest, &rules, &typed));
            }
            joins("cel", cel::many_rules(&mut contest, &rules, &bytes));
            if size <= CASBIN_RULES_MAX {
                joins("casbin", casbin::many_rules(&mut contest, &rules, &typed));
            }
            run.hold(&contest)?;
        }
    }
    if run.wants("W4") {
        let bytes = floors::bytes(&admission::requests(), Clone::clone);
        let mut contest = Contest::new("W4");
        floors::admission(&mut contest, &bytes)?;
        joins("regorus", rego::Policy::admission().lanes(&mut contest, &bytes));
        run.hold(&contest)?;
    }
    Ok(())
}

/// A peer that cannot be set up is left out of the workload, and said to be; the others are timed all the same.
fn joins(peer: &str, set_up: Result<(), Failure>) {
    if let Err(error) = set_up {
        eprintln!("{peer} is left out: {error}");
    }
}
