//! `make bench`: Fallgate and the hand-written floors.

use std::error::Error;

use fallgate_benches::contest::{Contest, Run, results};
use fallgate_benches::ours::{self, Requests};
use fallgate_benches::{many_rules, roles};

fn main() -> Result<(), Box<dyn Error>> {
    let run = Run::from_arguments(&results("ours"))?;
    let grants = roles::Grants::seeded();
    for (name, kind) in [("W1", roles::Kind::Roles), ("W2", roles::Kind::Attributes)] {
        if run.wants(name) {
            let requests = Requests::of_roles(kind);
            let mut contest = Contest::new(name);
            ours::roles_floors(&mut contest, kind, &grants, &requests);
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
            run.hold(&contest)?;
        }
    }
    if run.wants("W4") {
        let requests = Requests::of_admission();
        let mut contest = Contest::new("W4");
        ours::admission_floors(&mut contest, &requests)?;
        run.hold(&contest)?;
    }
    Ok(())
}
