//! `make bench-peers`: Fallgate, the hand-written floors, and the engines of others, on the same work in the same run.

use std::error::Error;

use fallgate_benches::contest::{Contest, Run, results};
use fallgate_benches::ours::{self, Requests};
use fallgate_benches::{many_rules, roles};
use fallgate_benches_peers::{cedar, rego};

/// Beyond this many rules one decision of cedar-policy takes over 100 ms, and the agreement alone four minutes.
const CEDAR_RULES_MAX: usize = 10_000;

fn main() -> Result<(), Box<dyn Error>> {
    let run = Run::from_arguments(&results("peers"))?;
    let grants = roles::Grants::seeded();
    for (name, kind) in [("W1", roles::Kind::Roles), ("W2", roles::Kind::Attributes)] {
        if run.wants(name) {
            let requests = Requests::of_roles(kind);
            let mut contest = Contest::new(name);
            ours::roles_floors(&mut contest, kind, &grants, &requests);
            rego::Policy::roles(kind, &grants).lanes(&mut contest, &requests.bytes)?;
            cedar::roles(&mut contest, kind, &grants, &requests.typed)?;
            run.hold(&contest)?;
        }
    }
    for size in many_rules::SIZES {
        let name = format!("W3 at {size}");
        if run.wants(&name) {
            let rules = many_rules::Rule::seeded(size);
            let requests = Requests::of_many_rules(size);
            let mut contest = Contest::new(&name);
            ours::many_rules_floors(&mut contest, &rules, &requests);
            rego::Policy::many_rules(&rules).lanes(&mut contest, &requests.bytes)?;
            if size <= CEDAR_RULES_MAX {
                cedar::many_rules(&mut contest, &rules, &requests.typed)?;
            }
            run.hold(&contest)?;
        }
    }
    if run.wants("W4") {
        let requests = Requests::of_admission();
        let mut contest = Contest::new("W4");
        ours::admission_floors(&mut contest, &requests)?;
        rego::Policy::admission().lanes(&mut contest, &requests.bytes)?;
        run.hold(&contest)?;
    }
    Ok(())
}
