"""Engines that hold a trust root: the files of `bindings/signed`, and the ways in which a root and a bundle can be given."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import fallgate
import pytest
from conftest import ROOT

SIGNED = ROOT / "bindings" / "signed"
PACK = ROOT / "policies" / "payment-gateway"
ORDER: dict[str, Any] = {
    "subject": {"type": "user", "id": "ann"},
    "action": "order:read",
    "resource": {"type": "order", "id": "17"},
}


def at(seconds: int) -> fallgate.Now:
    """2026-06-01T00:00:00Z and some seconds; the other clock begins at zero."""
    return fallgate.Now(seconds * 10**9, (1_780_272_000 + seconds) * 10**9)


def rooted(**more: Any) -> fallgate.Engine:
    return fallgate.Engine.open(SIGNED / "active-7.json", trust=SIGNED / "root.json", now=at(0), **more)


def refused(call: Any, *words: Any, **named: Any) -> str:
    with pytest.raises(fallgate.Error) as caught:
        call(*words, **named)
    assert str(caught.value)
    return caught.value.code


@pytest.mark.parametrize("as_bytes", [False, True])
def test_each_is_taken_or_refused_as_the_table_says(as_bytes: bool) -> None:
    engine = fallgate.Engine(trust=SIGNED / "root.json")
    lines = [line.split() for line in (SIGNED / "expected.txt").read_text().splitlines() if not line.startswith("#")]
    assert len(lines) > 30
    for second, (call, file, becomes, revision, reason) in enumerate(lines):
        source: Any = (SIGNED / file).read_bytes() if as_bytes else SIGNED / file
        act = {"activate": engine.activate, "rotate": engine.rotate_trust}[call]
        if becomes == "ok":
            assert act(source, now=at(second)) in (None, 2), file
        else:
            assert refused(act, source, now=at(second)) == becomes, file
            event = list(engine.events())[-1]
            assert event.kind in {"bundle_refused", "trust_refused"}, file
        assert engine.bundle is not None and engine.bundle.revision == int(revision), file
        assert engine.decide(**ORDER, now=at(second)).reason == reason, file
    assert engine.trust_version == 2


def test_each_changed_byte_is_refused() -> None:
    engine = fallgate.Engine(trust=(SIGNED / "root.json").read_bytes())
    good = (SIGNED / "active-7.json").read_bytes()
    for place in range(len(good)):
        changed = bytearray(good)
        changed[place] ^= 1
        refused(engine.activate_signed, changed, now=at(0))
    for length in range(0, len(good), 13):
        refused(engine.activate_signed, good[:length], now=at(0))
    assert engine.bundle is None
    engine.activate_signed(good, now=at(0))


def test_no_way_leads_around_a_root() -> None:
    engine = rooted()
    bare = json.loads((SIGNED / "bare-8.json").read_bytes())
    for source in (bare, PACK, str(PACK), SIGNED / "bare-8.json"):
        assert refused(engine.activate, source, now=at(1)) == "unsigned"
    with pytest.raises(TypeError, match="no signed bytes"):
        engine.activate_signed(bare)  # type: ignore[arg-type]
    assert engine.bundle is not None and engine.bundle.revision == 7


def test_a_root_is_a_file_its_bytes_or_a_dict() -> None:
    file = SIGNED / "root.json"
    for root in (file, str(file), file.read_bytes(), bytearray(file.read_bytes()), json.loads(file.read_bytes())):
        engine = fallgate.Engine(trust=root)
        assert engine.trust_version == 1
    for wrong in (b"", b"{}", file.read_bytes() + b"\n", SIGNED / "root-2.json", SIGNED / "nothing.json", {}, {"version": 1}):
        with pytest.raises(fallgate.TrustError) as caught:
            fallgate.Engine(trust=wrong)
        assert caught.value.diagnostics[0].code == caught.value.code
    with pytest.raises(TypeError):
        fallgate.Engine(trust=1)  # type: ignore[arg-type]


def test_nobody_said_whom_to_trust() -> None:
    envelope = SIGNED / "active-7.json"
    assert refused(fallgate.Engine.open, envelope, now=at(0)) == "untrusted"
    engine = fallgate.Engine.open(PACK, now=at(0))
    assert engine.trust_version is None
    assert refused(engine.activate_signed, envelope, now=at(1)) == "untrusted"
    assert refused(engine.rotate_trust, SIGNED / "root-2.json", now=at(1)) == "untrusted"
    # The one setting for development takes both, and both are told of.
    for source in (envelope, PACK):
        engine = fallgate.Engine.open(source, trust="unsigned", now=at(0))
        assert "bundle_unsigned" in [event.kind for event in engine.events()]
        assert engine.metrics()["metrics"]["fallgate_policy_unsigned"] == 1
    assert rooted().metrics()["metrics"]["fallgate_policy_unsigned"] == 0


def test_a_restart_does_not_forget_a_newer_root() -> None:
    key = {"state_key": bytes(range(32))}
    first = rooted(**key)
    first.rotate_trust(SIGNED / "root-2.json", now=at(1))
    first.activate(SIGNED / "good-8.json", now=at(1))
    state = first.export_state(now=at(2))
    second = fallgate.Engine.open(SIGNED / "good-8.json", trust=SIGNED / "root.json", now=at(3), **key)
    assert second.decide(**ORDER, now=at(3)).allowed
    assert refused(second.restore_state, state, now=at(4)) == "state_trust_behind"
    assert second.decide(**ORDER, now=at(4)).reason == "no_policy"
    assert refused(second.activate, SIGNED / "good-8.json", now=at(5)) == "older_trust"
    # Also as the operation that all languages share.
    root = (SIGNED / "root-2.json").read_text()
    assert second.operate({"rotate_trust": {"root": root}}, now=at(6)) == {"trust_version": 2}
    second.restore_state(state, now=at(7))
    # The pack has no posture, so everything was quarantined: an operator says that it is over.
    assert second.decide(**ORDER, now=at(7)).reason == "quarantined"
    second.lift_quarantine("everything", now=at(8))
    assert second.decide(**ORDER, now=at(8)).allowed


def test_an_envelope_beyond_the_limit_is_not_read(tmp_path: Path) -> None:
    limits: fallgate.Limits = {"bundle_bytes_max": 1000}
    large = tmp_path / "large.json"
    large.write_bytes(b"[" + b"1," * 10_000 + b"1]")
    engine = fallgate.Engine(trust=SIGNED / "root.json", limits=limits)
    assert refused(engine.activate, large) == "limit_exceeded"
