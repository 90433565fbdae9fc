//! `make bench`: Fallgate and the hand-written floors.

use std::error::Error;

use fallgate_benches::contest::{Contest, Run, results};
use fallgate_benches::{admission, many_rules, ours, roles};

fn main() -> Result<(), Box<dyn Error>> {
    let run = Run::from_arguments(&results("ours"))?;
    let grants = roles::Grants::seeded();
    for (name, kind) in [("W1", roles::Kind::Roles), ("W2", roles::Kind::Attributes)] {
        if run.wants(name) {
            let typed = roles::Request::seeded();
            let bytes = ours::bytes(&typed, |request| request.to_json(kind));
            let mut contest = Contest::new(name);
            ours::roles(&mut contest, kind, &grants, &typed, &bytes)?;
            run.hold(&contest)?;
        }
    }
    for size in many_rules::SIZES {
        let name = format!("W3 at {size}");
        if run.wants(&name) {
            let rules = many_rules::Rule::seeded(size);
            let typed = many_rules::Request::seeded(size);
            let bytes = ours::bytes(&typed, many_rules::Request::to_json);
            let mut contest = Contest::new(&name);
            ours::many_rules(&mut contest, &rules, &typed, &bytes)?;
            run.hold(&contest)?;
        }
    }
    if run.wants("W4") {
        let bytes = ours::bytes(&admission::requests(), Clone::clone);
        let mut contest = Contest::new("W4");
        ours::admission(&mut contest, &bytes)?;
        run.hold(&contest)?;
    }
    Ok(())
}
