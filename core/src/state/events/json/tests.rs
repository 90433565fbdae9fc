//! What each event says as JSON, member by member.

use serde_json::{Value, json};

use super::super::{ApprovedBy, Event, EventKind};
use crate::condition::Status;
use crate::decision::DecisionId;
use crate::name::{Name, name};
use crate::policy::bundle::BundleId;
use crate::policy::rollout::Share;
use crate::reason::Reason;
use crate::state::approvals::Close;
use crate::state::control::Place;
use crate::state::overrides::End;
use crate::state::postures::Cause;
use crate::state::proposal::{GrantOverride, ProposalId};
use crate::state::rollout::Ending;
use crate::state::severity::Severity;
use crate::state::signals::Observed;
use crate::time::{Monotonic, Now, Ttl, Wall};

fn named(text: &str) -> Name {
    name(text).unwrap()
}

fn approved() -> ApprovedBy {
    ApprovedBy { proposal: ProposalId([0xab; 32]), by: named("ann"), approvers: vec![named("bob"), named("cho")] }
}

/// The particulars of an event: what is not common to all.
fn particulars(kind: EventKind) -> Value {
    let at = Now::new(Monotonic::from_millis(1_500), Wall::from_millis(1_767_225_600_000));
    let runbook = Some("https://runbooks/".into());
    let event = Event { id: 7, at, severity: Severity::Ticket, count: 2, runbook, kind };
    let mut members = event.to_json();
    for (member, value) in [
        ("event", json!(event.kind.code())),
        ("id", json!(7)),
        ("at", json!("2026-01-01T00:00:00Z")),
        ("monotonic_ms", json!(1_500)),
        ("severity", json!("ticket")),
        ("count", json!(2)),
        ("runbook", json!("https://runbooks/")),
    ] {
        assert_eq!(members.as_object_mut().unwrap().remove(member), Some(value), "{event:?}");
    }
    members
}

fn hold(table: impl IntoIterator<Item = (EventKind, Value)>) {
    for (kind, expected) in table {
        assert_eq!(particulars(kind.clone()), expected, "{kind:?}");
    }
}

#[test]
fn events_of_bundles_and_rollouts_name_the_bundle_and_why() {
    use EventKind::*;
    let (bundle, revision, id) = (named("shop"), 4, BundleId::of(b""));
    let digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let people = json!({ "proposal": "ab".repeat(32), "by": "ann", "approvers": ["bob", "cho"] });
    let with = |mut members: Value, more: &Value| {
        members.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        members
    };
    let short = json!({ "bundle": "shop", "revision": 4 });
    hold([
        (BundleActivated { bundle, revision, id }, with(short.clone(), &json!({ "digest": digest }))),
        (RolloutStaged { bundle, revision, id }, with(short.clone(), &json!({ "digest": digest }))),
        (BundleUnsigned { bundle, revision }, short.clone()),
        (BundleRevoked { bundle, revision }, short.clone()),
        (
            BundleRefused { bundle, revision, code: "older_revision" },
            with(short.clone(), &json!({ "code": "older_revision" })),
        ),
        (BundleRolledBack { bundle, from: 4, to: 3 }, json!({ "bundle": "shop", "from": 4, "to": 3 })),
        (BundleCleared { id, approved: Box::new(approved()) }, with(json!({ "bundle": digest }), &people)),
        (
            RolloutAdvanced { bundle, revision, share: Share::parse("12.5%").unwrap() },
            with(short.clone(), &json!({ "share": "12.50%" })),
        ),
        (
            RolloutStopped { bundle, revision, code: "newly_allowed", action: Some(named("doc:erase")) },
            with(short.clone(), &json!({ "code": "newly_allowed", "action": "doc:erase" })),
        ),
        (
            RolloutStopped { bundle, revision, code: "candidate_failed", action: None },
            with(short.clone(), &json!({ "code": "candidate_failed" })),
        ),
        (RolloutApproved { bundle, revision, approved: Box::new(approved()) }, with(short.clone(), &people)),
        (RolloutCompleted { bundle, revision }, short.clone()),
        (
            RolloutEnded { bundle, revision, ending: Ending::NewlyDenied },
            with(short.clone(), &json!({ "code": "newly_denied" })),
        ),
        (TrustRotated { version: 2 }, json!({ "version": 2 })),
        (TrustRefused { code: "under_signed" }, json!({ "code": "under_signed" })),
        (PolicySuspended { code: "policy_expired" }, json!({ "code": "policy_expired" })),
        (PolicyResumed, json!({})),
    ]);
}

#[test]
fn events_of_signals_postures_and_quarantines_name_what_and_since_when() {
    use EventKind::*;
    let (signal, posture) = (named("idp"), named("shut"));
    let [since, relied_until] = [1_000, 1_250].map(Monotonic::from_millis);
    let changed = |guard| SignalChanged { signal, from: Status::Ok, to: Status::Failed, guard, since, relied_until };
    hold([
        (
            changed(None),
            json!({ "signal": "idp", "from": "ok", "to": "failed", "since_ms": 1_000, "relied_until_ms": 1_250 }),
        ),
        (
            changed(Some("open")),
            json!({
                "signal": "idp", "from": "ok", "to": "failed", "since_ms": 1_000, "relied_until_ms": 1_250,
                "guard": "open",
            }),
        ),
        (GuardForcedOpen { signal }, json!({ "signal": "idp" })),
        (GuardReleased { signal }, json!({ "signal": "idp" })),
        (ObservationIgnored { signal, outcome: Observed::Older }, json!({ "signal": "idp", "code": "older" })),
        (
            PostureEntered { posture, scope: None, cause: Cause::Condition, since },
            json!({ "posture": "shut", "cause": "condition", "since_ms": 1_000 }),
        ),
        (
            PostureEntered { posture, scope: Some("tenant:acme".into()), cause: Cause::Operator, since },
            json!({ "posture": "shut", "cause": "operator", "since_ms": 1_000, "scope": "tenant:acme" }),
        ),
        (PostureLeft { posture, scope: None, approved: None }, json!({ "posture": "shut" })),
        (
            PostureLeft { posture, scope: Some("tenant:acme".into()), approved: Some(Box::new(approved())) },
            json!({
                "posture": "shut", "scope": "tenant:acme", "proposal": "ab".repeat(32), "by": "ann",
                "approvers": ["bob", "cho"],
            }),
        ),
        (
            PostureAcknowledged { posture, scope: Some("tenant:acme".into()) },
            json!({ "posture": "shut", "scope": "tenant:acme" }),
        ),
        (PostureKept { posture, code: "dwelling" }, json!({ "posture": "shut", "code": "dwelling" })),
        (
            Quarantined { selector: "everything".into(), reason: "theft".into() },
            json!({ "selector": "everything", "reason": "theft" }),
        ),
        (QuarantineLifted { selector: "everything".into() }, json!({ "selector": "everything" })),
        (QuarantineEnded { selector: "everything".into() }, json!({ "selector": "everything" })),
        (Revoked { selector: "everything".into() }, json!({ "selector": "everything" })),
    ]);
}

#[test]
fn events_of_approvals_overrides_and_flags_name_who_and_why() {
    use EventKind::*;
    let (id, by) = (ProposalId([0xab; 32]), named("ann"));
    let (flag, owner) = (named("emergency"), "the platform team");
    let text = "ab".repeat(32);
    let grant = GrantOverride {
        subjects: vec!["user:ann".to_owned()],
        actions: vec!["order:*".to_owned()],
        resources: vec!["order:o-1".to_owned()],
        for_: Ttl::from_secs(600),
        uses: 3,
    };
    hold([
        (
            Proposed { id, by, change: "grant_override", reason: "the gateway is down".into() },
            json!({ "proposal": text, "by": "ann", "change": "grant_override", "reason": "the gateway is down" }),
        ),
        (
            Approved { id, by, approvals: 1, need: 2 },
            json!({ "proposal": text, "by": "ann", "approvals": 1, "need": 2 }),
        ),
        (
            ApprovalRefused { id: Some(id), by, code: "bad_code", untold: 0 },
            json!({ "proposal": text, "by": "ann", "code": "bad_code" }),
        ),
        (
            ApprovalRefused { id: None, by, code: "bad_code", untold: 9 },
            json!({ "by": "ann", "code": "bad_code", "untold": 9 }),
        ),
        (ProposalClosed { id, why: Close::Moot }, json!({ "proposal": text, "why": "moot" })),
        (
            OverrideGranted {
                approved: approved(),
                window: Ttl::from_secs(60),
                terms: Box::new((grant, "the gateway is down".into())),
            },
            json!({
                "override": text, "proposal": text, "by": "ann", "approvers": ["bob", "cho"],
                "subjects": ["user:ann"], "actions": ["order:*"], "resources": ["order:o-1"],
                "window_ms": 60_000, "uses": 3, "reason": "the gateway is down",
            }),
        ),
        (
            OverrideUsed { id, decision: DecisionId(0), overrode: Reason::Posture, uses_left: 2 },
            json!({ "override": text, "decision": "0".repeat(26), "overrode": "posture", "uses_left": 2 }),
        ),
        (OverrideEnded { id, why: End::Uses }, json!({ "override": text, "why": "uses" })),
        (
            FlagSet { flag, owner: owner.into(), approved: None },
            json!({ "flag": "emergency", "owner": "the platform team" }),
        ),
        (
            FlagSet { flag, owner: owner.into(), approved: Some(id) },
            json!({ "flag": "emergency", "owner": "the platform team", "proposal": text }),
        ),
        (FlagCleared { flag, approved: None }, json!({ "flag": "emergency" })),
        (FlagCleared { flag, approved: Some(id) }, json!({ "flag": "emergency", "proposal": text })),
        (FlagExpired { flag }, json!({ "flag": "emergency" })),
        (FlagKept { flag, code: "not_set" }, json!({ "flag": "emergency", "code": "not_set" })),
    ]);
}

#[test]
fn events_of_state_records_and_control_feeds_name_their_numbers() {
    use EventKind::*;
    let decision = DecisionId(0);
    let zero = "0".repeat(26);
    let place = Place { feed: named("fleet"), epoch: 2, sequence: 5 };
    let placed = json!({ "feed": "fleet", "epoch": 2, "sequence": 5 });
    let with = |more: &Value| {
        let mut members = placed.clone();
        members.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        members
    };
    let applied = |verb: &str, code, filled| ControlApplied { place, verb: verb.into(), code, filled };
    hold([
        (StateRestored { sequence: 12, epoch: 1 }, json!({ "sequence": 12, "epoch": 1 })),
        (RestoreFailed { code: "state_does_not_fit" }, json!({ "code": "state_does_not_fit" })),
        (AuditBehind { known: 9, held: 4 }, json!({ "known": 9, "held": 4 })),
        (TookOver { epoch: 3 }, json!({ "epoch": 3 })),
        (Resigned { epoch: 3 }, json!({ "epoch": 3 })),
        (SplitBrain { epoch: 4, instance: named("two") }, json!({ "epoch": 4, "instance": "two" })),
        (DecisionWithdrawn { decision, why: "expired" }, json!({ "decision": zero, "why": "expired" })),
        (DecisionLabelled { decision, label: "malicious" }, json!({ "decision": zero, "label": "malicious" })),
        (TriggerLabelled { trigger: 6, label: "justified" }, json!({ "trigger": 6, "label": "justified" })),
        (AttemptsReported { attempts: 8 }, json!({ "attempts": 8 })),
        (MitigationReported { done: true }, json!({ "done": true })),
        (ControlBegan { feed: named("fleet"), epoch: 2 }, json!({ "feed": "fleet", "epoch": 2 })),
        (applied("quarantine", None, false), with(&json!({ "operation": "quarantine" }))),
        (
            applied("leave_posture", Some("dwelling"), true),
            with(&json!({ "operation": "leave_posture", "code": "dwelling", "filled": true })),
        ),
        (
            ControlRefused { place: Some(place), code: "control_gap", untold: 3 },
            with(&json!({ "code": "control_gap", "untold": 3 })),
        ),
        (ControlRefused { place: None, code: "altered", untold: 0 }, json!({ "code": "altered" })),
        (ClockFailed, json!({})),
        (ClockAnchored, json!({})),
        (EngineFailed, json!({})),
    ]);
}
