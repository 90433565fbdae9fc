//! The rules that a decision looks at, each by itself: for whoever wants to know what a rule costs. The core reads no
//! clock, so the caller times them.

use bumpalo::Bump;

use super::Engine;
use super::evaluate::{Evaluation, Watch, Which};
use super::snapshot::Snapshot;
use crate::condition::Truth;
use crate::condition::rego::Outcome;
use crate::limits::Limits;
use crate::policy::schema::Slots;
use crate::request::{Request, RequestView, Spelling};
use crate::time::Now;

impl Engine {
    /// Calls `visit` with the id of each rule that the rules' gate looks at for this request, in order of their ids, and
    /// with what evaluates that rule alone, its match part and its condition, as often as it is called. Without an effect
    /// on anything; and with no rule, where an earlier gate answers.
    pub fn each_considered(&self, request: &Request, now: Now, visit: &mut dyn FnMut(&str, &mut dyn FnMut() -> Truth)) {
        self.look(now);
        let (snapshot, now) = self.current(now);
        // Nothing where an earlier gate answers: then no rule is looked at.
        let _visited = each(&snapshot, &RequestView::from(request), now, &self.config.limits, visit);
    }
}

fn each(
    snapshot: &Snapshot,
    request: &RequestView<'_>,
    now: Now,
    limits: &Limits,
    visit: &mut dyn FnMut(&str, &mut dyn FnMut() -> Truth),
) -> Option<()> {
    request.check_names(limits).and_then(|()| request.check_values(limits)).ok()?;
    let active = snapshot.active.as_ref().filter(|_| snapshot.engine_ok)?;
    let policy = &**active.bundle.policy();
    super::gates::bundle_gate(snapshot, active, now).ok()?;
    let terms = request.terms().ok()?;
    let (number, action) = policy.action(request.action.name)?;
    let arena = Bump::new();
    let mut slots = Slots::new();
    policy.schema.fill(request, &Spelling::of(request), &arena, &mut slots).ok()?;
    let need = snapshot.needs.get(usize::try_from(number).ok()?)?;
    let standing = snapshot.in_force.of(&policy.postures.scopes, &slots)?;
    let posture = policy.postures.spec(standing.posture)?;
    let evaluation = Evaluation::of(snapshot, policy, limits, request, &slots, posture, now);
    let too_old = terms.min_revision.is_some_and(|least| policy.revision < least);
    let quarantined = snapshot.quarantines(request, &slots, limits, now);
    let barred = standing.posture > 0 && !super::postures::permits(&evaluation, number, standing.posture);
    if too_old || quarantined || barred || need.degraded.is_some() {
        return None;
    }
    let mut seen = Seen(Vec::new());
    // What the rules come to together is the decision's business; here each is alone.
    let _counted = evaluation.count(action, Which::All, false, &mut seen);
    seen.0.sort_unstable();
    seen.0.dedup();
    for number in seen.0 {
        if let Some(rule) = policy.rule(number) {
            visit(&rule.id, &mut || evaluation.alone(rule));
        }
    }
    Some(())
}

/// The numbers of the rules that are looked at.
struct Seen(Vec<u32>);

impl Watch for Seen {
    fn considered(&mut self, number: u32, _: Truth, _: Truth, _: &Outcome) {
        self.0.push(number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::bundle::{Bundle, Trust};
    use crate::request::Party;
    use crate::time::{Monotonic, Wall};
    use crate::{Config, Observation};

    fn engine() -> (Engine, Now) {
        let document = serde_json::json!({
            "fallgate": 1, "name": "shop", "revision": 1, "signals": { "idp": { "ttl": "10s" } },
            "schema": { "subject": { "user": { "level": "int" } } },
            "actions": { "order:read": { "requires": ["idp"] }, "order:write": {} },
            "rules": [
                { "id": "b-level", "effect": "allow", "action": "order:read", "when": "subject.level > 3" },
                { "id": "a-divides", "effect": "deny", "action": "order:read", "when": "8 / subject.level > 3" },
                { "id": "c-others", "effect": "allow", "action": "order:write" },
            ],
        });
        let bundle = Bundle::from_document(&document, &Trust::unsigned_for_development(), &Limits::DEFAULT).unwrap();
        let (engine, now) = (Engine::new(Config::default()), Now::new(Monotonic::ZERO, Wall::from_millis(0)));
        engine.activate(bundle, now).unwrap();
        (engine, now)
    }

    fn visited(engine: &Engine, level: i64, now: Now) -> Vec<(String, &'static str)> {
        let subject = Party::new("user", "ann").with("level", crate::value::Value::Int(level));
        let request = Request::new(subject, "order:read", Party::new("order", "17"));
        let mut visited = Vec::new();
        engine.each_considered(&request, now, &mut |rule, evaluate| {
            let truths = [evaluate(), evaluate()];
            assert_eq!(truths[0], truths[1], "a rule says the same each time");
            let shown = match truths[0] {
                Truth::False => "false",
                Truth::True => "true",
                Truth::Indeterminate(cause) => cause.code(),
            };
            visited.push((rule.to_owned(), shown));
        });
        visited
    }

    #[test]
    fn each_rule_that_is_looked_at_can_be_evaluated_alone() {
        let (engine, now) = engine();
        engine.observe(&Observation::ok("idp"), now);
        let expected = |a, b| vec![("a-divides".to_owned(), a), ("b-level".to_owned(), b)];
        assert_eq!(visited(&engine, 5, now), expected("false", "true"));
        // Whether a rule that allows is looked at where one denies depends on which comes first.
        assert_eq!(visited(&engine, 2, now)[0], ("a-divides".to_owned(), "true"));
        assert_eq!(visited(&engine, 0, now), expected("arithmetic", "false"));
        // Nobody decided anything.
        assert_eq!(engine.audit_counters().recorded, 0);
    }

    #[test]
    fn where_an_earlier_gate_answers_no_rule_is_looked_at() {
        let (engine, now) = engine();
        assert_eq!(visited(&engine, 5, now), [], "the signal is unknown");
    }
}
