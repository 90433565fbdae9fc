"""The engine through its public face: what each method does, with values worked out from the pack by hand."""

from __future__ import annotations

import copy
import json
import pickle
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from conftest import POLICIES, START, agent, buyer, order

import fallgate


def later(milliseconds: int) -> fallgate.Now:
    nanos = milliseconds * 1_000_000
    return fallgate.Now(START.monotonic_ns + nanos, START.wall_ns + nanos)


def test_an_engine_without_a_bundle_denies() -> None:
    decision = fallgate.Engine().decide(subject=buyer(), action="order:read", resource=order())
    assert not decision
    assert (decision.allowed, decision.reason, decision.bundle, decision.revision) == (False, "no_policy", "", 0)


def test_a_decision_says_all_that_it_is(engine: fallgate.Engine) -> None:
    decision = engine.decide(subject=buyer(), action="order:read", resource=order(), now=START)
    assert decision
    assert (decision.allowed, decision.reason, decision.rule) == (True, "allowed_by_rule", "buyers-read")
    assert (decision.bundle, decision.revision, decision.cached) == ("shop", 4, False)
    assert (decision.degraded, decision.obligations, decision.detail) == ((), (), None)
    assert decision.expires_in == timedelta(seconds=30)
    assert decision.information_loss is False
    assert len(decision.id) == 26

    again = engine.decide(subject=buyer(), action="order:read", resource=order(), now=later(1_000))
    assert (again.allowed, again.cached, again.expires_in) == (True, True, timedelta(seconds=29))


def test_a_decision_is_an_authzen_response(engine: fallgate.Engine) -> None:
    decision = engine.decide(subject=buyer(), action="order:read", resource=order(), now=START)
    response = decision.to_dict()
    assert response == {
        "decision": True,
        "context": {
            "id": decision.id,
            "reason": "allowed_by_rule",
            "rule": "buyers-read",
            "bundle": "shop",
            "revision": 4,
            "posture": "normal",
            "cached": False,
            "degraded": [],
            "expires_in_ms": 30_000,
            "obligations": [],
        },
    }
    assert decision.to_json() == json.dumps(response, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def test_a_required_signal_must_be_ok(engine: fallgate.Engine) -> None:
    def refund(now: fallgate.Now) -> fallgate.Decision:
        return engine.decide(subject=agent(), action="order:refund", resource=order(amount=120), now=now)

    denied = refund(START)
    assert (denied.reason, denied.degraded) == ("signal_unavailable", ("idp",))
    assert engine.observe("idp", "ok", now=START) == "taken"
    assert engine.signal("idp") == "ok"
    allowed = refund(START)
    assert allowed.reason == "allowed_by_rule"
    assert [(one.id, one.type, one.properties) for one in allowed.obligations] == [
        ("tell-risk", "notify", {"to": "risk-desk"}),
        ("write-down", "log", {"level": 2}),
    ]
    # An observation holds for its ten seconds, and not a millisecond more.
    assert refund(later(10_000)).allowed
    assert refund(later(10_001)).reason == "signal_unavailable"
    assert engine.signal("idp") == "unknown"


def test_reports_that_are_not_taken_say_so(engine: fallgate.Engine) -> None:
    assert engine.observe("idp", "ok", START.monotonic_ns - 5_000_000_000, now=START) == "taken"
    assert engine.observe("idp", "ok", START.monotonic_ns - 6_000_000_000, now=START) == "older"
    assert engine.observe("idp", "ok", later(5_000), now=START) == "future"
    assert engine.observe("no-such", "ok", now=START) == "unknown_signal"
    assert engine.observe("clock", "ok", now=START) == "not_observable"
    with pytest.raises(ValueError, match="`fine` is no status"):
        engine.observe("idp", "fine", now=START)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="observed_at"):
        engine.observe("idp", "ok", 1.5, now=START)  # type: ignore[arg-type]
    assert engine.signal("no-such") is None


def test_events_tell_what_happened(pack: dict[str, Any]) -> None:
    engine = fallgate.Engine.open(pack, now=START)
    engine.observe("idp", "ok", now=later(5))
    activated, unsigned, changed = engine.events()
    assert unsigned.kind == "bundle_unsigned"
    assert (activated.kind, activated.at) == ("bundle_activated", START)
    assert changed.to_dict() == {
        "event": "signal_changed",
        "at": "2026-01-01T00:00:00.005Z",
        "monotonic_ms": 1_000_005,
        "signal": "idp",
        "from": "unknown",
        "to": "ok",
    }
    assert json.loads(changed.to_json()) == changed.to_dict()
    assert engine.poll_event() is None
    assert list(engine.events()) == []


def test_time_alone_is_told_by_advance(engine: fallgate.Engine) -> None:
    assert engine.next_deadline() is None
    engine.observe("idp", "ok", now=START)
    due = engine.next_deadline()
    assert due == START.monotonic_ns + 10_001_000_000
    engine.advance(now=(due, START.wall_ns + 10_001_000_000))
    assert [event.to_dict()["to"] for event in engine.events()] == ["ok", "unknown"]
    assert engine.next_deadline() is None


def test_clocks_that_part_are_anchored_again(engine: fallgate.Engine) -> None:
    hour = 3_600_000_000_000
    engine.advance(now=(START.monotonic_ns, START.wall_ns + hour))
    assert engine.signal("clock") == "failed"
    engine.anchor_clocks(now=(START.monotonic_ns, START.wall_ns + hour))
    assert engine.signal("clock") == "ok"
    assert [event.kind for event in engine.events()] == ["clock_failed", "clock_anchored"]


def test_the_skew_is_the_hosts_to_set(pack: dict[str, Any]) -> None:
    engine = fallgate.Engine.open(pack, clock_skew_max=timedelta(hours=2), now=START)
    engine.advance(now=(START.monotonic_ns, START.wall_ns + 3_600_000_000_000))
    assert engine.signal("clock") == "ok"


def test_counters_count(engine: fallgate.Engine) -> None:
    assert engine.counters().cached_decisions == 0
    engine.decide(subject=buyer(), action="order:read", resource=order(), now=later(1_000))
    engine.decide(subject=buyer(), action="order:read", resource=order(), now=START)
    counters = engine.counters()
    assert (counters.cached_decisions, counters.events_dropped) == (1, 0)
    assert counters.clock_went_back > 0


def test_an_explanation_shows_each_rule(engine: fallgate.Engine) -> None:
    engine.observe("idp", "degraded", now=START)
    asked = {"subject": agent(), "action": "order:refund", "resource": order(amount=700)}
    explanation = engine.explain(**asked, now=START)
    assert explanation["degraded"] == [["idp", "degraded"]]
    (rule,) = explanation["rules"]
    assert (rule["rule"], rule["matched"], rule["truth"]) == ("agents-refund", "true", "false")
    stopped = engine.explain(subject=agent(limit=float("nan")), action="order:refund", resource=order(), now=START)
    assert stopped["stopped"] == "the request's `subject.properties.limit` is no finite number"


def test_a_drill_is_rehearsed(engine: fallgate.Engine) -> None:
    drill = {
        "drill": "the identity provider goes silent",
        "steps": [
            {"at": "0s", "observe": {"idp": "ok"}},
            {
                "at": "1s",
                "note": "while it answers",
                "decide": {"subject": agent(), "action": {"name": "order:refund"}, "resource": order(amount=1)},
                "expect": {"effect": "allow"},
            },
            {"at": "20s", "expect": {"signals": {"idp": "ok"}}},
        ],
    }
    report = engine.drill(drill)
    assert not report
    assert (report.drill, report.passed, len(report.steps)) == (drill["drill"], False, 3)
    told, decided, failed = report.steps
    assert (told.told, told.decision) == (("idp ok",), None)
    assert decided.note == "while it answers"
    assert decided.asked == "abe order:refund o-1"
    assert decided.decision is not None and decided.decision.allowed
    assert decided.now.monotonic_ns == 1_000_000_000
    assert failed.failures == ("signal idp: expected ok, found unknown",)
    assert [event.kind for event in failed.events] == ["signal_changed"]
    assert len(report.decisions_hash) == 64
    # The engine itself was told nothing.
    assert engine.signal("idp") == "unknown"

    with pytest.raises(fallgate.DrillError) as caught:
        engine.drill({"drill": "x", "steps": [{"at": "soon"}]})
    assert (caught.value.code, caught.value.diagnostics[0].pointer) == ("invalid_value", "/steps/0/at")
    with pytest.raises(ValueError, match="no bundle is active"):
        fallgate.Engine().drill(drill)


def test_the_shipped_drills_pass() -> None:
    folder = POLICIES / "idp-outage"
    engine = fallgate.Engine.open(folder)
    drills = sorted((folder / "drills").glob("*.yaml"))
    assert drills
    for drill in drills:
        assert engine.drill(drill).passed, drill


def test_a_bundle_comes_from_a_folder_a_file_bytes_or_a_dict(pack: dict[str, Any], tmp_path: Path) -> None:
    canonical = json.dumps(pack, sort_keys=True, separators=(",", ":")).encode()
    file = tmp_path / "shop.bundle.json"
    file.write_bytes(canonical)
    folder = tmp_path / "shop"
    folder.mkdir()
    rules = {"rules": pack.pop("rules")}
    (folder / "pack.yaml").write_text(json.dumps(pack))
    (folder / "rules.yaml").write_text(json.dumps(rules))
    whole = {**pack, **rules}
    opened = [fallgate.Engine.open(source) for source in (folder, str(folder), file, canonical, bytearray(canonical), whole)]
    names = {(engine.bundle.name, engine.bundle.revision, engine.bundle.id) for engine in opened if engine.bundle}
    assert len(opened) == 6 and len(names) == 1, names
    assert fallgate.Engine().bundle is None


def test_mistakes_are_named_with_their_place(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "pack.yaml").write_text("fallgate: 1\nname: shop\nrevision: 1\nactions: { read: {} }\n")
    (folder / "rules.yaml").write_text("rules:\n  - id: a\n    effect: allow\n    action: raed\n")
    with pytest.raises(fallgate.BundleError) as caught:
        fallgate.Engine.open(folder)
    (diagnostic,) = caught.value.diagnostics
    assert (caught.value.code, diagnostic.code) == ("unknown_action", "unknown_action")
    assert (diagnostic.line, diagnostic.column, diagnostic.pointer) == (4, 13, "/rules/0/action")
    assert diagnostic.file is not None and diagnostic.file.endswith("rules.yaml")
    assert "read" in (diagnostic.help or "")
    assert "rules.yaml:4:13: error[unknown_action]" in str(caught.value)
    assert pickle.loads(pickle.dumps(caught.value)).diagnostics == caught.value.diagnostics


@pytest.mark.parametrize(
    ("source", "code"),
    [
        (b"", "syntax"),
        (b"{", "syntax"),
        (b'{"fallgate": 1}', "missing_field"),
        (b'{"fallgate":1,"name":"a","revision":1, "actions":{}}', "not_canonical"),
        ({"fallgate": 1, "name": "a", "revision": 1, "actons": {}}, "unknown_field"),
        ({"fallgate": 1, "name": float("nan"), "revision": 1}, "invalid_value"),
        ({"fallgate": 1, "name": {1: 2}, "revision": 1}, "invalid_value"),
        ("no/such/folder", "unreadable"),
    ],
)
def test_what_is_no_bundle_is_refused(source: Any, code: str) -> None:
    with pytest.raises(fallgate.BundleError) as caught:
        fallgate.Engine.open(source)
    assert caught.value.code == code
    assert isinstance(caught.value, fallgate.Error)


def test_what_is_no_source_is_a_type_error() -> None:
    for source in (5, None, [1], object()):
        with pytest.raises(TypeError):
            fallgate.Engine.open(source)  # type: ignore[arg-type]


def test_a_bundle_that_may_not_take_over_leaves_the_active_one(pack: dict[str, Any]) -> None:
    engine = fallgate.Engine.open(pack, now=START)
    older = copy.deepcopy(pack)
    older["revision"] = 3
    with pytest.raises(fallgate.ActivateError, match="revision 3 is older than revision 4") as caught:
        engine.activate(older, now=START)
    assert caught.value.code == "older_revision"
    assert pickle.loads(pickle.dumps(caught.value)).code == "older_revision"
    assert engine.bundle is not None and engine.bundle.revision == 4
    assert engine.decide(subject=buyer(), action="order:read", resource=order(), now=START)


def test_a_new_bundle_decides_at_once_and_reads_what_it_wants(pack: dict[str, Any]) -> None:
    engine = fallgate.Engine.open(pack, now=START)
    newer = copy.deepcopy(pack)
    newer["revision"] = 5
    newer["schema"]["subject"]["user"]["vip"] = {"type": "bool", "default": False}
    newer["rules"] = [{"id": "vips", "effect": "allow", "when": "subject.vip"}]
    asked: dict[str, Any] = {"subject": buyer(vip=True), "action": "order:ship", "resource": order()}
    assert not engine.decide(**asked, now=START)
    engine.activate(newer, now=START)
    decision = engine.decide(**asked, now=START)
    assert (decision.rule, decision.revision) == ("vips", 5)


def test_warnings_of_a_bundle_are_shown(pack: dict[str, Any]) -> None:
    pack["actions"]["order:burn"] = {}
    engine = fallgate.Engine.open(pack)
    assert engine.bundle is not None
    assert [(one.code, one.pointer) for one in engine.bundle.warnings] == [("action_never_allowed", "/actions/order:burn")]


def test_a_key_has_sixteen_bytes(pack: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        fallgate.Engine(key=b"short")
    ids = [
        fallgate.Engine.open(pack, key=key, now=START).decide(subject=buyer(), action="order:read", resource=order(), now=START).id
        for key in (None, bytes(16), bytes(15) + b"k")
    ]
    assert ids[0] == ids[1] != ids[2]


@pytest.mark.parametrize("now", [5, (1,), (1, 2, 3), ("1", "2"), (-1, 0), (1.5, 2), (2**64, 0), (0, 2**63)])
def test_a_time_that_is_none_is_a_type_error(engine: fallgate.Engine, now: Any) -> None:
    with pytest.raises(TypeError, match="`now` must be"):
        engine.decide(subject=buyer(), action="order:read", resource=order(), now=now)


def test_without_a_time_the_clocks_are_read(pack: dict[str, Any]) -> None:
    engine = fallgate.Engine.open(pack)
    before = fallgate.Now.read()
    engine.observe("idp", "ok")
    after = fallgate.Now.read()
    at = list(engine.events())[-1].at
    # The engine counts in whole milliseconds, rounded up.
    assert before.monotonic_ns <= at.monotonic_ns <= after.monotonic_ns + 1_000_000
    assert before.wall_ns <= at.wall_ns <= after.wall_ns


def test_what_is_frozen_stays_as_it_is(engine: fallgate.Engine) -> None:
    decision = engine.decide(subject=buyer(), action="order:ship", resource=order(), now=START)
    for name, value in [("allowed", True), ("reason", "allowed_by_rule"), ("more", 1)]:
        with pytest.raises(AttributeError):
            setattr(decision, name, value)
    with pytest.raises(TypeError):
        fallgate.Decision()
    with pytest.raises(TypeError):
        type("Forged", (fallgate.Decision,), {})
    with pytest.raises(AttributeError):
        START.wall_ns = 0  # type: ignore[misc]
    with pytest.raises(AttributeError):
        fallgate.Entity("user", "ann").id = "root"  # type: ignore[misc]


def test_values_are_equal_and_hash(engine: fallgate.Engine) -> None:
    asked: dict[str, Any] = {"subject": buyer(), "action": "order:ship", "resource": order(), "now": START}
    one, other = engine.decide(**asked), engine.decide(**asked)
    assert one == other and hash(one) == hash(other)
    assert one != engine.decide(**{**asked, "action": "order:close"})
    assert one != one.to_dict()
    assert fallgate.Now(1, 2) == fallgate.Now(1, 2) != fallgate.Now(2, 1)
    assert "deny" in repr(one) and "shop" in repr(engine)
