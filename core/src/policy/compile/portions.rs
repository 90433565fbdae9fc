//! What of a request the policy may read, so that no more of it need be kept.

use std::collections::{BTreeMap, BTreeSet};

use crate::condition::portions::Use;
use crate::policy::action::ActionSpec;
use crate::policy::posture::Postures;
use crate::policy::rule::{Condition, Rule};
use crate::policy::schema::Schema;
use crate::request::Portions;

/// What of a request has to be kept for these rules and postures. With `records`, all that is declared is.
pub(super) fn portions(
    schema: &Schema,
    rules: &[Rule],
    postures: &Postures,
    actions: &[ActionSpec],
    records: bool,
) -> Portions {
    if records {
        return schema.portions(None);
    }
    let divisible: BTreeSet<u16> = schema.divisible().collect();
    // Most policies have no such attribute, and need no look at their rules.
    if divisible.is_empty() {
        return schema.portions(Some(BTreeMap::new()));
    }
    let mut uses: BTreeMap<u16, Use> = BTreeMap::new();
    for rule in rules {
        if let Condition::Cel(program) = &rule.condition
            && program.reads().slots.iter().any(|slot| divisible.contains(slot))
        {
            program.add_uses(&mut uses);
        }
    }
    postures.specs.iter().filter_map(|spec| spec.when.as_ref()).for_each(|when| when.add_uses(&mut uses));
    // What is matched is compared whole, and the key of a kept answer is the same whoever brought the request.
    let matched = rules.iter().flat_map(|rule| &rule.clauses).map(|clause| clause.slot);
    let keys = actions.iter().filter(|action| action.allow_ttl.is_some() || action.deny_ttl.is_some());
    let keys = keys.flat_map(|action| &action.reads.slots).copied();
    for slot in matched.chain(keys) {
        uses.remove(&slot);
    }
    schema.portions(Some(uses))
}
