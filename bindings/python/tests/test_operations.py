"""What operators do to an engine: the methods, the operation behind each, and what is refused."""

from __future__ import annotations

import base64
import hmac
import json
import os
import pickle
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from conftest import START

import fallgate

DESK: dict[str, Any] = {
    "fallgate": 1,
    "name": "desk",
    "revision": 1,
    "schema": {"resource": {"file": {"tenant": "string"}}},
    "scopes": {"tenant": "resource.tenant"},
    "actions": {"file:read": {"class": "read", "cache": {"allow": "1m", "deny": "1m"}}, "file:write": {}},
    "postures": [
        {"name": "read-only", "rank": 1, "permits": {"classes": ["read"]}, "leave": {"dwell": "10s"}},
        {"name": "shut", "rank": 9, "permits": "none", "leave": {}},
    ],
    "rules": [{"id": "all", "effect": "allow"}],
}
ANN: fallgate.Quarry = {"subject": {"type": "user", "id": "ann"}}
LARGE = "x" * 1_000_000


def at(ms: int) -> fallgate.Now:
    return fallgate.Now(START.monotonic_ns + ms * 1_000_000, START.wall_ns + ms * 1_000_000)


@pytest.fixture
def desk() -> fallgate.Engine:
    return fallgate.Engine.open(DESK, now=START)


def ask(
    engine: fallgate.Engine, ms: int, action: str = "file:read", tenant: str = "acme", subject: str = "ann"
) -> fallgate.Decision:
    resource = {"type": "file", "id": "f-1", "properties": {"tenant": tenant}}
    return engine.decide(subject={"type": "user", "id": subject}, action=action, resource=resource, now=at(ms))


def refused(call: Any, *arguments: Any, **options: Any) -> str:
    """The code with which a call is refused."""
    with pytest.raises(fallgate.OperationError) as caught:
        call(*arguments, **options)
    assert isinstance(caught.value, fallgate.Error)
    assert len(str(caught.value)) < 600, "a message is short, whatever was passed in"
    again = pickle.loads(pickle.dumps(caught.value))
    assert (type(again), again.code, str(again)) == (fallgate.OperationError, caught.value.code, str(caught.value))
    return caught.value.code


def test_a_posture_is_entered_caps_what_is_allowed_and_is_left_when_its_pack_lets_it(desk: fallgate.Engine) -> None:
    assert desk.posture() == "normal" and ask(desk, 1, "file:write").posture == "normal"
    desk.enter_posture("read-only", now=at(2))
    denied = ask(desk, 3, "file:write")
    assert (denied.reason, denied.posture, desk.posture()) == ("posture", "read-only", "read-only")
    assert ask(desk, 3).allowed
    assert refused(desk.leave_posture, "read-only", now=at(10_001)) == "dwelling"
    desk.leave_posture("read-only", now=at(10_002))
    assert ask(desk, 10_003, "file:write").allowed
    assert refused(desk.leave_posture, "read-only", now=at(10_004)) == "not_entered"
    assert refused(desk.enter_posture, "night", now=at(10_004)) == "unknown_posture"
    restored = pickle.loads(pickle.dumps(denied))
    assert restored.posture == "read-only" and restored == denied


def test_a_posture_of_one_scope_is_that_of_its_requests_alone(desk: fallgate.Engine) -> None:
    desk.enter_posture("shut", "tenant:acme", now=at(1))
    assert [desk.posture(), desk.posture("tenant:acme"), desk.posture("tenant:other")] == ["normal", "shut", "normal"]
    assert ask(desk, 2).reason == "posture" and ask(desk, 2, tenant="other").allowed
    desk.acknowledge_posture("shut", scope="tenant:acme", now=at(3))
    assert refused(desk.acknowledge_posture, "shut", now=at(3)) == "not_entered"
    assert refused(desk.enter_posture, "shut", "region:eu", now=at(3)) == "unknown_scope"
    desk.leave_posture("shut", scope="tenant:acme", now=at(4))
    assert ask(desk, 5).allowed


def test_what_is_quarantined_is_denied_for_a_time_or_until_it_is_lifted(desk: fallgate.Engine) -> None:
    assert desk.quarantine(ANN, reason="a stolen laptop", for_=timedelta(seconds=5), now=at(1)) == ANN
    assert ask(desk, 2).reason == "quarantined" and ask(desk, 2, subject="bob").allowed
    assert ask(desk, 5_000).reason == "quarantined" and ask(desk, 5_001).allowed
    # A span between two milliseconds lasts until the later one.
    desk.quarantine(ANN, for_=timedelta(microseconds=1), now=at(5_002))
    assert ask(desk, 5_002).reason == "quarantined" and ask(desk, 5_003).allowed
    assert desk.quarantine("everything", for_="1h", absolute=True, now=at(5_004)) == "everything"
    assert ask(desk, 5_005).reason == "quarantined"
    desk.lift_quarantine("everything", now=at(5_006))
    assert ask(desk, 5_007).allowed
    assert refused(desk.lift_quarantine, "everything", now=at(5_008)) == "not_quarantined"
    assert desk.quarantine({"scope": "tenant:acme"}, now=at(5_009)) == {"scope": "tenant:acme"}
    assert desk.quarantine({"resource": {"type": "file"}}, now=at(5_009)) == {"resource": {"type": "file"}}
    assert refused(desk.quarantine, {"scope": "region:eu"}, now=at(5_010)) == "unknown_scope"
    assert refused(desk.quarantine, ANN, for_=timedelta(), now=at(5_010)) == "ended"
    assert refused(desk.quarantine, ANN, for_=timedelta(seconds=-1), now=at(5_010)) == "malformed_operation"


def test_what_was_decided_for_a_subject_is_void_once_it_is_revoked(desk: fallgate.Engine) -> None:
    ask(desk, 1)
    assert ask(desk, 2).cached
    # A nanosecond after a millisecond, which it is rounded up to.
    desk.revoke("user", "ann", before=at(0).monotonic_ns + 1, now=at(3))
    assert not ask(desk, 3).cached and ask(desk, 4).cached
    desk.revoke("user", "ann", before=at(5), now=at(5))
    assert not ask(desk, 6).cached and ask(desk, 7).cached
    desk.revoke("user", "ann", now=at(8))
    assert not ask(desk, 9).cached
    assert refused(desk.revoke, "user", "ann", before=2**70, now=at(9)) == "malformed_operation"
    with pytest.raises(TypeError):
        desk.revoke("user", "ann", before="5s")  # type: ignore[arg-type]


def test_an_operation_is_a_mapping_or_its_json(desk: fallgate.Engine) -> None:
    class View(Mapping[str, Any]):
        def __getitem__(self, key: str) -> Any:
            return {"what": ANN, "for": "1m"}

        def __iter__(self) -> Iterator[str]:
            return iter(["quarantine"])

        def __len__(self) -> int:
            return 1

    operation = {"quarantine": {"what": ANN, "for": "1m"}}
    text = json.dumps(operation)
    for form in (operation, View(), text, text.encode(), bytearray(text.encode())):
        engine = fallgate.Engine.open(DESK, now=START)
        assert engine.operate(form, now=at(1)) == {"quarantined": ANN}
        assert ask(engine, 2).reason == "quarantined"
    assert desk.operate({"enter_posture": {"posture": "shut"}}, now=at(1)) == {}


@dataclass
class EnterPosture:
    posture: str


KNOT: dict[str, Any] = {"posture": "shut"}
KNOT["scope"] = KNOT

NONE: list[Any] = [
    {},
    {"open_everything": {}},
    {"enter_posture": {}},
    {"enter_posture": "shut"},
    {"enter_posture": ["shut"]},
    {"enter_posture": {"posture": 5}},
    {"enter_posture": {"posture": None}},
    {"enter_posture": {"posture": "shut", "scop": "tenant:acme"}},
    {"enter_posture": {"posture": "shut"}, "quarantine": {"what": "everything"}},
    {"enter_posture": {"posture": "\ud800"}},
    {"\ud800": {}},
    {5: {}},
    {"enter_posture": KNOT},
    {"enter_posture": {"posture": object()}},
    {"enter_posture": {"posture": b"shut"}},
    {"enter_posture": {"posture": float("nan")}},
    {"enter_posture": {"posture": {"shut"}}},
    {"quarantine": {"what": "everything", "for": 5}},
    {"quarantine": {"what": "everything", "for": "-5s"}},
    {"quarantine": {"what": {}}},
    {"quarantine": {"what": {"subject": {"type": "user"}, "scope": "tenant:acme"}}},
    {"quarantine": {"what": "everything", "absolute": "no"}},
    {"enter_posture": {"posture": "shut", "scope": LARGE * 2}},
    {"enter_posture": {"posture": "shut", "scope": ["x"] * 20_000}},
    json.dumps({"enter_posture": {"posture": "shut", "scope": LARGE * 2}}),
    "",
    "null",
    '{"enter_posture": {"posture": "shut"}} x',
    '{"enter_posture": {"posture": "shut", "posture": "shut"}}',
    '{"enter_posture": {"posture": "\ud800"}}',
    b'{"enter_posture": {"posture": "\xff"}}',
    b'{"enter_posture": {"posture": "\xed\xa0\x80"}}',
]


@pytest.mark.parametrize("operation", NONE, ids=lambda operation: repr(operation)[:40])
def test_what_is_no_operation_does_nothing(desk: fallgate.Engine, operation: Any) -> None:
    assert refused(desk.operate, operation, now=at(1)) == "malformed_operation"
    assert desk.posture() == "normal" and ask(desk, 2).allowed


@pytest.mark.parametrize("operation", [None, 5, 1.5, True, [], [("enter_posture", {})], object(), EnterPosture("shut")])
def test_what_cannot_be_an_operation_is_a_type_error(desk: fallgate.Engine, operation: Any) -> None:
    with pytest.raises(TypeError, match="`operation` must be a mapping"):
        desk.operate(operation, now=at(1))


def test_what_is_wrong_with_the_arguments_of_a_method(desk: fallgate.Engine) -> None:
    with pytest.raises(TypeError):
        desk.enter_posture()  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        desk.enter_posture("shut", "tenant:acme", "more")  # type: ignore[misc]
    with pytest.raises(TypeError):
        desk.leave_posture("shut", scop="tenant:acme")  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        desk.enter_posture("shut", now=5)  # type: ignore[arg-type]
    for wrong in (None, 5, b"shut", ["shut"], "\ud800"):
        assert refused(desk.enter_posture, wrong, now=at(1)) == "malformed_operation"
        assert refused(desk.quarantine, wrong, now=at(1)) == "malformed_operation"
        assert refused(desk.lift_quarantine, wrong, now=at(1)) == "malformed_operation"
    assert refused(desk.enter_posture, "shut", f"tenant:{LARGE}", now=at(1)) == "scope_too_long"
    assert refused(fallgate.Engine().enter_posture, "shut") == "no_policy"
    assert desk.posture(LARGE) == "normal" and fallgate.Engine().posture() is None
    with pytest.raises(TypeError):
        desk.posture(5)  # type: ignore[arg-type]
    with pytest.raises(UnicodeEncodeError):
        desk.posture("\ud800")


def test_an_operation_is_read_once(desk: fallgate.Engine) -> None:
    class Fickle(Mapping[str, Any]):
        """Says `read-only` the first time that it is read, and `shut` ever after."""

        reads = 0

        def __getitem__(self, key: str) -> Any:
            self.reads += 1
            return "read-only" if self.reads == 1 else "shut"

        def __iter__(self) -> Iterator[str]:
            return iter(["posture"])

        def __len__(self) -> int:
            return 1

    fickle = Fickle()
    desk.operate({"enter_posture": fickle}, now=at(1))
    assert (desk.posture(), fickle.reads) == ("read-only", 1)


def test_what_a_value_raises_is_a_refusal_without_its_words(desk: fallgate.Engine) -> None:
    class Raising(Mapping[str, Any]):
        def __init__(self, error: BaseException) -> None:
            self.error = error

        def __getitem__(self, key: str) -> Any:
            raise self.error

        def __iter__(self) -> Iterator[str]:
            return iter(["posture"])

        def __len__(self) -> int:
            return 1

    with pytest.raises(fallgate.OperationError) as caught:
        desk.operate({"enter_posture": Raising(RuntimeError("secret"))}, now=at(1))
    assert "secret" not in str(caught.value) and "RuntimeError" in str(caught.value)
    with pytest.raises(KeyboardInterrupt):
        desk.operate({"enter_posture": Raising(KeyboardInterrupt())}, now=at(1))


def test_a_dict_that_another_thread_changes_is_one_operation_or_none(desk: fallgate.Engine) -> None:
    shared: dict[str, Any] = {"posture": "shut", "scope": "tenant:acme"}
    ended = threading.Event()

    def change() -> None:
        while not ended.is_set():
            shared["scope"] = "tenant:other"
            shared["scop"] = "tenant:acme"
            shared.pop("scop")
            shared["scope"] = "tenant:acme"

    thread = threading.Thread(target=change)
    thread.start()
    try:
        for ms in range(1, 2_000):
            try:
                desk.operate({"enter_posture": shared}, now=at(ms))
            except fallgate.OperationError as error:
                assert error.code == "malformed_operation" and "scop" in str(error)
    finally:
        ended.set()
        thread.join()
    # Never everywhere: no snapshot was without its scope.
    assert desk.posture() == "normal"


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_is_operated_for_itself(desk: fallgate.Engine) -> None:
    desk.enter_posture("read-only", now=at(1))
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        before = desk.posture()
        desk.enter_posture("shut", now=at(2))
        os.write(writer, f"{before} {desk.posture()}".encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as told:
        assert told.read() == "read-only shut"
    assert os.waitpid(child, 0)[1] == 0
    assert desk.posture() == "read-only"


def test_events_say_what_operators_did(desk: fallgate.Engine) -> None:
    list(desk.events())
    desk.enter_posture("shut", "tenant:acme", now=at(1))
    refused(desk.leave_posture, "read-only", now=at(2))
    desk.quarantine(ANN, reason="a stolen laptop", now=at(3))
    told = [{name: value for name, value in event.to_dict().items() if name not in ("at", "monotonic_ms")} for event in desk.events()]
    assert told == [
        {"event": "posture_entered", "id": 3, "severity": "ticket", "count": 1, "since_ms": 1_000_001, "posture": "shut", "scope": "tenant:acme", "cause": "operator"},
        {"event": "posture_kept", "id": 4, "severity": "info", "count": 1, "posture": "read-only", "code": "not_entered"},
        {"event": "quarantined", "id": 5, "severity": "ticket", "count": 1, "selector": "subject `user` `ann`", "reason": "a stolen laptop"},
    ]


SECRETS = {name: name.encode() * 20 for name in ("one", "two", "three")}
GUARDED: dict[str, Any] = {
    **DESK,
    "approvers": {"sre": {name: "totp:" + base64.b32encode(secret).decode().rstrip("=") for name, secret in SECRETS.items()}},
    "overrides": {"need": 2, "from": "sre", "max_window": "1h", "max_uses": 5},
    "flags": {"emergency": {"posture": "read-only", "owner": "the platform team", "max_age": "24h"}},
}


@pytest.fixture
def guarded() -> fallgate.Engine:
    # A code of before an engine began may have been used: it counts none of them.
    return fallgate.Engine.open(GUARDED, now=at(-120_000))


def code(name: str, ms: int) -> str:
    """The one-time code of an approver at a time: RFC 6238, with SHA-1, six digits and 30 seconds."""
    step = at(ms).wall_ns // 30_000_000_000
    digest = hmac.digest(SECRETS[name], step.to_bytes(8, "big"), "sha1")
    place = digest[-1] & 15
    return f"{(int.from_bytes(digest[place : place + 4], 'big') & 0x7FFFFFFF) % 1_000_000:06}"


def proposal(**more: Any) -> dict[str, Any]:
    def instant(ms: int) -> str:
        return datetime.fromtimestamp(at(ms).wall_ns / 10**9, timezone.utc).isoformat()

    scope = {"subjects": ["user:ann"], "actions": ["file:read"], "resources": ["file:f-1"], "for": "10m", "uses": 2}
    return {
        "fallgate": "proposal/1", "bundle": "desk", "operation": {"grant_override": scope}, "by": "one",
        "reason": "somebody waits", "issued_at": instant(0), "expires_at": instant(600_000), "nonce": "1", **more,
    }  # fmt: skip


def test_an_override_takes_its_approvals_allows_what_it_covers_and_says_so(guarded: fallgate.Engine) -> None:
    guarded.enter_posture("shut", now=at(1))
    assert ask(guarded, 2).reason == "posture"
    assert refused(guarded.propose, proposal(), now=at(3)) == "proof_missing"
    assert refused(guarded.propose, proposal(), code="1", signature="x", now=at(3)) == "proof_missing"
    assert refused(guarded.propose, proposal(), code=code("two", 3), now=at(3)) == "bad_code"
    assert refused(guarded.propose, proposal(), signature=b"\0" * 64, now=at(3)) == "proof_missing"
    assert refused(guarded.propose, proposal(by="nobody"), code=code("one", 3), now=at(3)) == "unknown_approver"
    assert refused(guarded.propose, proposal(more=1), code=code("one", 3), now=at(3)) == "malformed_proposal"
    assert refused(guarded.propose, proposal(reason="\ud800"), code=code("one", 3), now=at(3)) == "malformed_operation"
    name = guarded.propose(proposal(), code=code("one", 3), now=at(3))
    assert len(name) == 64
    (waiting,) = guarded.overview(now=at(3))["proposals"]
    assert [waiting[key] for key in ("proposal", "by", "approvals", "need", "from")] == [name, "one", 0, 2, "sre"]
    assert refused(guarded.approve, name, "one", code=code("one", 4), now=at(4)) == "own_proposal"
    approved: fallgate.Approved = {"approvals": 1, "need": 2, "waits_for": "not_approved"}
    assert guarded.approve(name, "two", code=code("two", 4), now=at(4)) == approved
    assert refused(guarded.approve, name, "two", code=code("two", 4), now=at(4)) == "already_approved"
    last = guarded.approve(name, "three", code=code("three", 5), now=at(5))
    assert last == {"approvals": 2, "need": 2, "waits_for": None}
    assert guarded.overview(now=at(5))["overrides"] == [{"override": name, "uses_left": 2, "expires_in_ms": 600_000}]
    allowed = ask(guarded, 6)
    assert (allowed.reason, allowed.override, allowed.posture) == ("allowed_by_override", name, "shut") and allowed
    assert pickle.loads(pickle.dumps(allowed)).override == name
    assert ask(guarded, 6, "file:write").override is None
    guarded.revoke_override(name, now=at(7))
    assert ask(guarded, 8).reason == "posture"
    assert refused(guarded.revoke_override, name, now=at(9)) == "unknown_override"
    assert refused(guarded.revoke_override, "x", now=at(9)) == "unknown_override"


def test_a_proposal_is_withdrawn(guarded: fallgate.Engine) -> None:
    name = guarded.propose(proposal(), code=code("one", 1), now=at(1))
    assert refused(guarded.withdraw, name, "two", now=at(2)) == "proof_missing"
    guarded.withdraw(name, "two", code=code("two", 2), now=at(2))
    assert guarded.overview(now=at(2))["proposals"] == []
    assert refused(guarded.approve, name, "three", code=code("three", 3), now=at(3)) == "unknown_proposal"


def test_a_flag_holds_its_posture_until_it_is_cleared(guarded: fallgate.Engine) -> None:
    guarded.set_flag("emergency", for_=timedelta(hours=1), now=at(1))
    assert guarded.posture() == "read-only"
    assert refused(guarded.leave_posture, "read-only", now=at(20_000)) == "flag_set"
    flag = {"flag": "emergency", "posture": "read-only", "owner": "the platform team", "expired": False}
    assert guarded.overview(now=at(20_001))["flags"] == [{**flag, "expires_in_ms": 3_580_000}]
    guarded.clear_flag("emergency", now=at(20_001))
    guarded.leave_posture("read-only", now=at(20_002))
    assert refused(guarded.clear_flag, "emergency", now=at(20_003)) == "not_set"
    assert refused(guarded.set_flag, "nonsense", now=at(20_003)) == "unknown_flag"
    assert refused(guarded.set_flag, "emergency", for_=timedelta(hours=25), now=at(20_003)) == "age_too_long"
    calm: dict[str, Any] = {"posture": "normal", "scopes": {}, "proposals": [], "overrides": [], "flags": [], "guards": [], "feeds": []}
    calm |= {"rollout": None, "former_bundles": []}
    assert guarded.overview(now=at(20_004)) == calm
    assert fallgate.Engine().overview() == {**calm, "posture": None}


KEY = b"\x07" * 32


def test_what_is_exported_is_restored_by_another_engine_or_the_strictest_posture_is_in_force() -> None:
    first = fallgate.Engine.open(DESK, now=START, state_key=KEY, instance="a")
    first.enter_posture("read-only", now=at(1))
    first.quarantine(ANN, now=at(2))
    state = first.export_state(now=at(3))
    for form in (state, state.encode()):
        second = fallgate.Engine.open(DESK, now=START, state_key=KEY, instance="b")
        restored = second.restore_state(form, now=at(4))
        assert (restored["epoch"], restored["instance"]) == (0, "a")
        assert second.posture() == "read-only" and ask(second, 5).reason == "quarantined"
    for wrong in ("", "x", b"\xff", "\ud800", state.replace("ann", "bob"), state[:-1]):
        engine = fallgate.Engine.open(DESK, now=START, state_key=KEY)
        assert refused(engine.restore_state, wrong, now=at(4)).startswith("state_")
        assert engine.posture() == "shut"
    fresh = fallgate.Engine.open(DESK, now=START, state_key=KEY)
    assert refused(fresh.restore_state, state, least_sequence=restored["sequence"] + 1, now=at(4)) == "state_older"
    assert refused(fallgate.Engine.open(DESK, now=START).export_state, now=at(1)) == "no_state_key"
    for key in (b"", b"\0" * 32, b"x" * 31):
        with pytest.raises(ValueError, match="`state_key`"):
            fallgate.Engine(state_key=key)
    with pytest.raises(ValueError, match="`instance`"):
        fallgate.Engine(instance="x" * 64)


def test_who_takes_over_says_so_by_an_epoch_and_two_that_did_are_found_out() -> None:
    engine = fallgate.Engine.open(DESK, now=START, instance="a")
    epoch = engine.take_over(now=at(1))
    assert epoch == 1
    engine.witness_epoch(epoch, "b", now=at(2))
    assert engine.posture() == "shut"
    engine.witness_epoch(100, "b", now=at(3))
    assert engine.take_over(now=at(4)) == 101
    engine.resign(now=at(5))
    assert refused(engine.resign, now=at(6)) == "not_active"
    engine.witness_epoch(2**64 - 1, "b", now=at(6))
    assert refused(engine.take_over, now=at(6)) == "epoch_exhausted"
    assert refused(engine.witness_epoch, -1, "b", now=at(6)) == "malformed_operation"
    assert refused(engine.witness_epoch, 2**64, "b", now=at(6)) == "malformed_operation"
    assert refused(fallgate.Engine.open(DESK, now=START).take_over, now=at(1)) == "no_instance"


def test_guards_are_asked_before_a_call_and_told_after_it() -> None:
    signals = {
        "gateway": {"breaker": {"window": 2, "failure_rate": 0.5, "open_for": "1s", "half_open_probes": 1}},
        "quota": {"limiter": {"calls": 1, "per": "1s", "burst": 1, "keys": 2}},
        "tries": {"retry": {"transient": ["timeout"], "first": "100ms", "longest": "1s", "retries": 1, "saved": 3}},
        "once": {"replay_guard": {"window": "5m", "keys": 2, "skew": "1s"}},
    }
    engine = fallgate.Engine.open({**DESK, "signals": signals}, now=START)
    for ms in (1, 2):
        permit = engine.acquire("gateway", now=at(ms))
        assert engine.report("gateway", permit, "failure", took=timedelta(milliseconds=5), now=at(ms)) == "taken"
    assert refused(engine.acquire, "gateway", now=at(3)) == "open"
    probe = engine.acquire("gateway", now=at(1_002))
    assert refused(engine.acquire, "gateway", now=at(1_002)) == "probing"
    assert [engine.report("gateway", probe, "success", now=at(ms)) for ms in (1_003, 1_004)] == ["taken", "ignored"]
    assert engine.signal("gateway") == "ok"
    engine.force_open("gateway", now=at(1_010))
    assert refused(engine.acquire, "gateway", now=at(1_011)) == "forced_open"
    engine.release("gateway", now=at(1_012))
    engine.acquire("quota", key="ann", now=at(2_000))
    assert refused(engine.acquire, "quota", key="ann", now=at(2_001)) == "used_up"
    permit = engine.acquire("tries", now=at(2_002))
    assert timedelta() <= engine.retry("tries", permit, "timeout", now=at(2_002)) <= timedelta(milliseconds=100)
    assert refused(engine.retry, "tries", permit, "timeout", now=at(2_003)) == "exhausted"
    made = datetime.fromtimestamp(at(2_000).wall_ns / 10**9, timezone.utc)
    engine.first_seen("once", "order 5", made, now=at(2_004))
    assert refused(engine.first_seen, "once", "order 5", made.isoformat(), now=at(2_005)) == "duplicate"
    assert refused(engine.first_seen, "once", "order 6", "yesterday", now=at(2_005)) == "malformed_operation"
    assert refused(engine.acquire, "nobody", now=at(2_006)) == "unknown_signal"
    assert refused(engine.report, "gateway", 1, "splendid", now=at(2_006)) == "malformed_operation"
    kinds = {guard["signal"]: guard["kind"] for guard in engine.overview(now=at(2_006))["guards"]}
    assert kinds == {"gateway": "breaker", "quota": "limiter", "tries": "retry", "once": "replay_guard"}


def test_what_a_condition_selects_is_quarantined(desk: fallgate.Engine) -> None:
    evil: fallgate.Quarry = {"when": "subject.id.startsWith('a')"}
    assert desk.quarantine(evil, now=at(1)) == evil
    assert [ask(desk, 2, subject=subject).reason for subject in ("ann", "bob")] == ["quarantined", "allowed_by_rule"]
    desk.lift_quarantine(evil, now=at(3))
    assert ask(desk, 4).allowed
    refused(desk.quarantine, {"when": "subject.id =="}, now=at(5))


@pytest.mark.parametrize(
    "operation",
    [
        {"restore_state": {"state": "x" * (33 << 20)}},
        {"restore_state": {"state": "\ud800"}},
        json.dumps({"restore_state": {"state": "x" * (33 << 20)}}),
        json.dumps({"restore_state": {"state": "x" * (33 << 20)}}).encode(),
        {"restore_state": {"state": float("nan")}},
    ],
    ids=["mapping", "surrogate", "text", "bytes", "nan"],
)
def test_a_state_that_cannot_be_read_puts_the_strictest_posture_in_force(operation: Any) -> None:
    engine = fallgate.Engine.open(DESK, now=START)
    with pytest.raises(fallgate.OperationError):
        engine.operate(operation, now=at(1))
    assert engine.posture() == "shut"


def test_another_operation_that_cannot_be_read_changes_nothing() -> None:
    engine = fallgate.Engine.open(DESK, now=START)
    with pytest.raises(fallgate.OperationError):
        engine.operate({"enter_posture": {"posture": "x" * (33 << 20)}}, now=at(1))
    assert engine.posture() == "normal"
