"""A million random calls leak nothing: the memory of the process stays where it was."""

from __future__ import annotations

import gc
import random
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import START

import fallgate

CALLS = 1_000_000
#: Far below what one leaked word a call would come to.
GROWTH_KIB_MAX = 2_048


def resident_kib() -> int:
    gc.collect()
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise AssertionError("the system does not say how much memory the process has")


class Raises(dict[str, Any]):
    def get(self, key: Any, default: Any = None) -> Any:
        raise ValueError(key)


def requests(chance: random.Random, number: int) -> list[dict[str, Any]]:
    """Requests of every kind: good, denied, hostile, and such as are cached or not."""
    values: list[Any] = [
        ["buyer"], ["agent", "buyer"], [], "buyer", None, float("nan"), 2**70, "\ud800", {1: 2}, {"a": [1, {"b": 0.5}]},
        [[]] * 50, object(), Raises(),
    ]  # fmt: skip
    circle: list[Any] = []
    circle.append(circle)
    values.append(circle)
    made = []
    for _ in range(number):
        properties: Any = {"roles": chance.choice(values[:3]), "limit": chance.randrange(1_000)}
        if chance.random() < 0.4:
            properties[chance.choice(["roles", "limit", "note", "tags", "staff"])] = chance.choice(values)
        if chance.random() < 0.05:
            properties = Raises(properties)
        entity = {"type": "user", "id": f"u-{chance.randrange(50_000)}", "properties": properties}
        if chance.random() < 0.3:
            entity = fallgate.Entity(entity["type"], entity["id"], properties)  # type: ignore[assignment]
        action: Any = chance.choice(["order:read", "order:refund", "order:ship", "order:burn", {"name": "order:read"}, 5])
        made.append(
            {
                "subject": entity,
                "action": action,
                "resource": {"type": "order", "id": "o-1", "properties": {"amount": chance.randrange(1_000)}},
                "context": chance.choice([None, {}, {"ip": "10.0.0.1"}, {"ip": "nowhere"}, 5]),
            }
        )
    return made


def play(engine: fallgate.Engine, chance: random.Random, asked: list[dict[str, Any]], calls: int) -> int:
    made = allowed = 0
    at = START.monotonic_ns
    while made < calls:
        at += 1_000_000
        now = (at, START.wall_ns + at - START.monotonic_ns)
        kind = chance.randrange(100)
        request = chance.choice(asked)
        if kind < 70:
            allowed += bool(engine.decide(**request, now=now))
        elif kind < 80:
            text = '{"subject":{"type":"user","id":"a","properties":{"roles":["buyer"]}},"action":{"name":"order:read"}'
            engine.decide_json(text + chance.choice([',"resource":{"type":"order","id":"1"}}', "}", ""]), now=now)
        elif kind < 84:
            whole = [{**one, "action": {"name": "order:read"}} for one in chance.sample(asked, 10)]
            made += len(engine.decide_many(whole, now=now))
        elif kind < 88:
            engine.explain(**request, now=now)
        elif kind < 94:
            engine.observe("idp", chance.choice(["ok", "failed", "unknown"]), now=now)
        elif kind < 97:
            decision = engine.decide(**request, now=now)
            fallgate.Decision._restore(decision.to_json()).to_dict()
            hash(decision), repr(decision), decision.obligations, decision.expires_in
        elif kind < 99:
            engine.poll_event()
        else:
            try:
                engine.enforce(**request, obligations={"notify": repr, "log": repr}, now=now)
            except fallgate.Denied:
                pass
        made += 1
    return allowed


@pytest.mark.skipif(sys.platform != "linux", reason="the memory of the process is read from /proc")
def test_a_million_random_calls_leak_nothing(pack: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    chance = random.Random(1)
    engine = fallgate.Engine.open(pack, now=START)
    engine.observe("idp", "ok", now=START)
    asked = requests(chance, 5_000)
    # Until the cache of decisions, the queue of events and the interpreter's own pools are full.
    assert play(engine, chance, asked, CALLS // 4) > 1_000
    before = resident_kib()
    play(engine, chance, asked, CALLS)
    after = resident_kib()
    with capsys.disabled():
        print(f"\nmemory after {CALLS} calls: {before} KiB before, {after} KiB after")
    assert after - before < GROWTH_KIB_MAX


@pytest.mark.skipif(sys.platform != "linux", reason="the memory of the process is read from /proc")
def test_bundles_that_are_swapped_are_given_back(pack: dict[str, Any]) -> None:
    engine = fallgate.Engine()
    before = 0
    for revision in range(1, 1_201):
        pack["revision"] = revision
        engine.activate(pack, now=START)
        fallgate.Engine.open(pack, now=START)
        if revision == 400:
            before = resident_kib()
    assert resident_kib() - before < GROWTH_KIB_MAX
