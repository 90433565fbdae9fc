//! What operators and approvals have brought about, and what waits for them: one reading for every face.

use serde_json::{Value, json};

use super::snapshot::Snapshot;
use super::{Engine, posture_name};
use crate::journal::input::Input;
use crate::policy::compile::Policy;
use crate::state::approvals::Pending;
use crate::state::clocks::Reading;
use crate::state::control::Feed;
use crate::state::guards::GuardReport;
use crate::time::{Monotonic, Now, Wall};

impl Engine {
    /// How things stand, as JSON, for people who have to act: `posture`, that of the whole system, null where no bundle is
    /// active; `scopes`, those with a posture of their own, and which; `proposals` that wait, `overrides` in force and `flags`
    /// that are set, each with the milliseconds after which it ends (a flag: after which it is reported); `guards`, how
    /// it stands with each; `feeds`, where each control feed has come to; `rollout`, null where no bundle is staged: the
    /// candidate, its `step` and `share`, what it waits for, and what it was found to differ in; `former_bundles`, to which the
    /// engine can go back. What is due by now is done first, as in [`Engine::advance`].
    #[must_use]
    pub fn overview(&self, now: Now) -> Value {
        let _input = self.input(now, || Input::Advance);
        let flags = self.flags(now);
        let guards: Vec<Value> = self.guards().iter().map(GuardReport::to_json).collect();
        let (told, now) = self.follow(Reading::of(now));
        let snapshot = self.snapshot.load();
        let feeds: Vec<Value> = told.feeds.iter().map(|(name, feed)| heard(name, feed, now)).collect();
        let Some(active) = &told.active else {
            return json!({
                "posture": null, "scopes": {}, "proposals": [], "overrides": [], "flags": [], "guards": [],
                "feeds": feeds, "rollout": null, "former_bundles": [],
            });
        };
        let (rollout, former) = Self::rollout_overview(&told, now);
        let policy = active.bundle.policy();
        let proposals = told.approvals.pending().map(|pending| waiting(pending, policy, now));
        let overrides = self.overrides().into_iter().map(|granted| {
            let left = millis_left(granted.until, granted.until_wall, now);
            json!({ "override": granted.id.to_string(), "uses_left": granted.uses_left, "expires_in_ms": left })
        });
        let flags = flags.into_iter().map(|set| {
            json!({
                "flag": set.flag.as_str(), "posture": set.posture.as_str(), "owner": &*set.owner,
                "expires_in_ms": set.expires_at.nanos_since(now.monotonic) / 1_000_000, "expired": set.expired,
            })
        });
        json!({
            "posture": posture_name(policy, snapshot.in_force.everywhere().posture).as_str(),
            "scopes": scopes(&snapshot, policy),
            "proposals": proposals.collect::<Vec<_>>(),
            "overrides": overrides.collect::<Vec<_>>(),
            "flags": flags.collect::<Vec<_>>(),
            "guards": guards,
            "feeds": feeds,
            "rollout": rollout,
            "former_bundles": former,
        })
    }
}

fn scopes(snapshot: &Snapshot, policy: &Policy) -> Value {
    let named = |(scope, posture): (&str, u16)| (scope.to_owned(), Value::from(posture_name(policy, posture).as_str()));
    snapshot.in_force.scopes().map(named).collect::<serde_json::Map<_, _>>().into()
}

fn heard(name: &str, feed: &Feed, now: Now) -> Value {
    json!({
        "feed": name,
        "epoch": feed.epoch,
        "sequence": feed.sequence,
        "missing": feed.missing(),
        "contradicted": feed.contradicted,
        "heard_ms_ago": feed.heard.map(|(at, _)| now.monotonic.nanos_since(at) / 1_000_000),
    })
}

fn waiting(pending: &Pending, policy: &Policy, now: Now) -> Value {
    let document = &pending.proposal.document;
    let group = policy.approvers.groups.get(usize::from(pending.quorum.group));
    json!({
        "proposal": pending.proposal.id.to_string(),
        "operation": document.operation,
        "by": document.by,
        "reason": document.reason,
        "approvals": pending.approvals(policy),
        "need": pending.quorum.need,
        "from": group.map(|group| group.name.as_str()),
        "expires_in_ms": millis_left(pending.expires_at, pending.proposal.expires_at, now),
    })
}

/// Until the earlier of two ends, in whole milliseconds.
fn millis_left(until: Monotonic, until_wall: Wall, now: Now) -> u64 {
    let by_wall = until_wall.as_nanos().saturating_sub(now.wall.as_nanos());
    until.nanos_since(now.monotonic).min(u64::try_from(by_wall).unwrap_or(0)) / 1_000_000
}
