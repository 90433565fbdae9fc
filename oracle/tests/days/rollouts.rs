//! How one bundle takes the place of another, step by step: what is asked of the engine and of the oracle, and how far they
//! say that it has come.

use data_encoding::HEXLOWER;
use fallgate::{Decision, Reason};
use fallgate_oracle::{Chosen, Progress};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::controller::bundle;
use crate::records::has_room;
use crate::steps::{Differs, Pair, Step, alike, same};
use crate::world::{Genes, RULES, document};

/// The sections that a candidate has as the active bundle has them, or some of them.
const STATE: [&str; 6] = ["signals", "control", "postures", "scopes", "flags", "failover"];

/// The digest of a bundle, by which it is named.
pub(crate) fn digest(text: &Value) -> String {
    HEXLOWER.encode(&Sha256::digest(serde_json_canonicalizer::to_vec(text).unwrap()))
}

/// How a rollout is declared, by bits.
pub(crate) fn terms(bits: u32) -> Value {
    let two = |at: u32| (bits >> at & 3) as usize;
    let shadow = ["1s", "2s", "4s", "500ms"];
    let mut terms = json!({ "shadow": shadow[two(0)], "sample": 1_u64 << two(2) });
    let canary = [json!([]), json!(["50%"]), json!(["20%", "70.5%"]), json!(["0.5%", "60%", "100%"])];
    terms["canary"] = canary[two(4)].clone();
    if two(4) > 0 && two(6) == 1 {
        terms["hold"] = "1s".into();
    }
    if let Some(by) = ["subject.id", "resource.id", "resource.path"].get(two(8)) {
        terms["by"] = (*by).into();
    }
    if two(10) > 0 {
        terms["approvals"] = json!({"need": 1, "from": "sre"});
    }
    let newly = [json!([]), json!(["ping"]), json!(["file:*"]), json!(["host:*", "ping", "file:read"])];
    terms["newly_allows"] = newly[two(12)].clone();
    let ends = [
        json!({}),
        json!({"newly_allowed": 2, "newly_denied": 3}),
        json!({"indeterminate": 2, "deny_rate_delta": 0.5}),
        json!({"newly_denied": 4, "deny_rate_delta": 0.25}),
    ];
    if two(14) > 0 {
        terms["roll_back_when"] = ends[two(14)].clone();
    }
    terms
}

/// How many bits vary of it.
pub(crate) const TERMS: u32 = 16;

impl Pair {
    /// A bundle that may follow the active one, or nearly: most are much like it, so that some come through.
    fn successor(&self, genes: Genes) -> Value {
        let (active, other, bit) = (self.oracle.active_text(), document(genes), |at: u32| genes.ways >> at & 1 == 1);
        let mut text = if active.is_null() { other.clone() } else { active.clone() };
        let mut take = |sections: &[&str], from: &Value| {
            for section in sections {
                match from.get(*section) {
                    Some(same) => text[*section] = same.clone(),
                    None => drop(text.as_object_mut().unwrap().remove(*section)),
                }
            }
        };
        take(&["valid"], &other);
        if genes.rollout.is_some() || bit(0) {
            take(&["rollout"], &other);
        }
        if bit(1) {
            take(&["actions", "audit", "overrides"], &other);
        }
        if bit(3) {
            take(&["rules", "rego"], &other);
        }
        // The same revision is refused, and so is another state.
        if genes.revision == 4 && bit(2) {
            take(&STATE, &other);
        }
        let revision = active["revision"].as_u64().unwrap_or(0) + [0, 1, 2, 1][(genes.revision - 1) as usize];
        text["revision"] = revision.into();
        // One rule more or less.
        let (all, which) = (document(Genes { rules: u32::MAX, ..genes }), (genes.rules % RULES) as usize);
        let (rule, rules) = (&all["rules"][which], text["rules"].as_array_mut().unwrap());
        let before = rules.len();
        rules.retain(|held| held["id"] != rule["id"]);
        if rules.len() == before {
            rules.push(rule.clone());
        }
        text
    }

    pub(crate) fn take_rollout(&mut self, step: Step) -> Differs {
        let now = self.now();
        match step {
            Step::Stage(genes) => {
                let text = self.successor(genes);
                let done = self.engine.stage_signed(&bundle(&text), now);
                self.tell(now);
                alike(done, self.oracle.stage(&text))
            }
            Step::Promote => {
                let done = self.engine.promote(now);
                self.tell(now);
                alike(done, self.oracle.promote())
            }
            Step::RollBack => {
                let done = self.engine.roll_back(now);
                self.tell(now);
                alike(done, self.oracle.roll_back())
            }
            Step::Return { back } => {
                let text = self.were.iter().rev().nth(back).cloned().unwrap_or_default();
                let done = self.operate(&json!({"roll_back": {"to": digest(&text)}}));
                self.tell(now);
                alike(done, self.oracle.return_to(&text))
            }
            _ => Err(format!("{step:?} is made of others that nobody named")),
        }
    }

    /// How far the engine says that it has come, as of the last call that told it the time; nothing where no bundle is beside
    /// the active one.
    fn progress(&self) -> Option<Progress> {
        if !self.engine.is_in_rollout() && self.oracle.staged().is_none() {
            return None;
        }
        let metrics = self.engine.metrics().to_json();
        let number = |name: &str| metrics[&format!("fallgate_rollout_{name}")].as_f64().unwrap();
        let kind = |kind: &str| number(&format!("differences_total{{kind=\"{kind}\"}}"));
        let kinds = ["newly_allowed", "newly_denied", "reason_only", "indeterminate"].map(kind);
        let compared = [number("compared_total"), kinds[0], kinds[1], kinds[2], kinds[3]];
        let share = (number("share") * 10_000.0).round() as u64;
        Some((number("step") as usize, share, number("stopped") > 0.0, compared.map(|count| count as u64)))
    }

    /// Whether it is the answer of the bundle beside the active one.
    pub(crate) fn is_candidates(&self, decision: &Decision) -> bool {
        self.oracle.staged().is_some() && self.oracle.active_text()["revision"] != decision.revision()
    }

    /// What was true before a step.
    pub(crate) fn note(&mut self, step: Step) {
        use Step::{Acquire, Approve, Confirm, Observe, Propose, Report, Withdraw};
        // A report that is not taken shows nothing of what is due, nor does a stranger who approves.
        let may_be_deaf = matches!(step, Observe { .. } | Propose { .. } | Approve { .. } | Withdraw { .. });
        self.may_be_deaf = may_be_deaf || matches!(step, Confirm { .. } | Acquire | Report { .. });
        self.shown = None;
        self.had_room = has_room(&self.engine);
        self.differed = self.oracle.progress().3;
        let active = self.oracle.active_text();
        if self.were.last() != Some(active) && !active.is_null() {
            self.were.push(active.clone());
        }
    }

    /// Whether both say that a rollout has come as far, and which bundle is active.
    pub(crate) fn same_progress(&mut self) -> Differs {
        let revision = self.engine.bundle().map(|bundle| bundle.revision());
        same(revision, self.oracle.active_text()["revision"].as_u64())?;
        let (step, share, stopped, _) = self.oracle.progress();
        if let Some(shown) = self.shown {
            same(shown, self.oracle.progress())?;
        }
        if step > 0 {
            let came_to = if stopped {
                "stopped"
            } else if share > 0 {
                "a canary"
            } else {
                "a shadow"
            };
            *self.met.entry(came_to).or_default() += 1;
        } else if self.came_to > 0 {
            let over = if self.were.last() == Some(self.oracle.active_text()) { "ended" } else { "another bundle" };
            *self.met.entry(over).or_default() += 1;
        }
        self.came_to = step;
        Ok(())
    }

    /// Tells the oracle the time. Where records may have found no room, the engine may have waited for some.
    pub(crate) fn tell(&mut self, now: fallgate::time::Now) {
        self.shown = self.progress();
        self.oracle.waits = false;
        let may_wait = self.may_be_deaf || !self.had_room || !has_room(&self.engine);
        if let Some((step, _, stopped, counted)) = self.shown.filter(|_| may_wait) {
            let active = self.engine.bundle().map(|bundle| bundle.id().to_string());
            let is_over = step == 0 && active.as_deref() == self.oracle.staged();
            let (before, _, had_stopped, _) = self.oracle.progress();
            // What stops and was newly allowed by nobody was refused in the active bundle's place.
            let is_refused = stopped && !had_stopped && counted[1] == self.differed[1];
            self.oracle.waits = step <= before && !is_over && !is_refused;
        }
        self.oracle.at(now);
    }

    /// What the engine chose, or what was so when it decided: what happens on the way may take the last room, and only an
    /// override that was used, or what was compared, shows that it did so behind the gate.
    pub(crate) fn chosen(&self, decision: &Decision) -> Chosen {
        use Reason::{AllowedByOverride, AllowedStale, AuditPending, AuditUnavailable};
        let (reason, revision) = (decision.reason(), decision.revision());
        // What became of an earlier answer later on does not say that it is one: then it is used wherever it may be.
        let again = decision.cached() || [AllowedByOverride, AuditPending, AuditUnavailable].contains(&reason);
        let stands = [AllowedStale, AuditPending, AuditUnavailable].contains(&reason);
        let counted = self.shown.map_or(self.differed, |shown| shown.3);
        let [compared, allowed, denied, _, _]: [bool; 5] = std::array::from_fn(|at| counted[at] > self.differed[at]);
        let is_candidates = self.is_candidates(decision);
        // Of two answers the one that was not given shows in what was counted.
        let allows = decision.is_allow() || [AuditPending, AuditUnavailable].contains(&reason);
        let unseen_stands = if is_candidates { !compared } else { allowed || (allows && !denied) };
        let full = reason == AuditUnavailable && !has_room(&self.engine);
        let is_behind = self.uses_left() < self.oracle.uses_left() || (compared && !(is_candidates && denied));
        let gone = full && self.had_room && is_behind;
        Chosen { again, stands, full: !self.had_room || (full && !gone), gone, revision, unseen_stands }
    }
}
