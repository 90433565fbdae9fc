"""Laws over random requests: what Python hands over is decided as the same request in JSON is."""

from __future__ import annotations

import collections
import copy
import json
import random
import types
from typing import Any

from conftest import PACK, START

import fallgate

NAMES = ["roles", "limit", "staff", "risk", "since", "tags", "note", "owner", "amount", "forced", "ip", "net", "waited", "x"]
TEXTS = ["buyer", "agent", "", "ä\0😀", "10.1.2.3", "192.0.2.0/24", "90s", "2019-01-01T00:00:00Z", "0x10", "user", "order"]


def value(chance: random.Random, depth: int = 3) -> Any:
    kind = chance.randrange(10 if depth else 7)
    match kind:
        case 0:
            return None
        case 1:
            return chance.random() < 0.5
        case 2:
            return chance.choice([0, 1, 3, -1, 2**63 - 1, -(2**63), 2**63, 2**64 - 1, chance.randrange(1_000)])
        case 3:
            return chance.choice([0.0, -0.0, 0.25, 1e300, 5e-324, 1.5, float(2**53)])
        case 4 | 5 | 6:
            return chance.choice(TEXTS)
        case 7:
            return [value(chance, depth - 1) for _ in range(chance.randrange(4))]
        case 8:
            return [chance.choice(TEXTS[:2]) for _ in range(chance.randrange(3))]
        case _:
            return {chance.choice([*TEXTS, "level"]): value(chance, depth - 1) for _ in range(chance.randrange(4))}


def fitting(chance: random.Random, name: str) -> Any:
    """A value that the schema takes, more often than not."""
    if chance.random() < 0.15:
        return value(chance)
    return {
        "roles": chance.sample(["buyer", "agent", "guest"], chance.randrange(3)),
        "limit": chance.randrange(500),
        "staff": chance.random() < 0.3,
        "risk": chance.choice([0, 0.25, 0.75]),
        "since": chance.choice(["2019-01-01T00:00:00Z", "2024-01-01T00:00:00+02:00"]),
        "tags": {"level": chance.randrange(5)},
        "owner": chance.choice(TEXTS),
        "amount": chance.randrange(500),
        "forced": chance.random() < 0.5,
        "ip": chance.choice(["10.1.2.3", "192.0.2.1", "2001:db8::1"]),
        "net": chance.choice(["192.0.2.0/24", "10.0.0.0/8"]),
        "waited": chance.choice(["90s", "1m"]),
    }.get(name, value(chance))


def properties(chance: random.Random) -> Any:
    if chance.random() < 0.03:
        return value(chance)
    return {name: fitting(chance, name) for name in ["roles", *chance.sample(NAMES, chance.randrange(5))] if chance.random() < 0.95}


def request(chance: random.Random) -> dict[str, Any]:
    def word(usual: str) -> Any:
        return usual if chance.random() < 0.97 else value(chance)

    made: dict[str, Any] = {
        "subject": {"type": word("user"), "id": word(chance.choice(["ann", "bob"])), "properties": properties(chance)},
        "action": {"name": word(chance.choice(list(PACK["actions"])))},
        "resource": {"type": word("order"), "id": word("o-1"), "properties": properties(chance)},
    }
    if chance.random() < 0.5:
        made["context"] = properties(chance)
    if chance.random() < 0.3:
        made["action"]["properties"] = properties(chance)
    for part in (made["subject"], made["resource"], made["action"], made):
        if chance.random() < 0.03:
            part.pop(chance.choice(list(part)))
    return made


def disguised(value: Any, chance: random.Random) -> Any:
    """The same value in other types that Python has for it."""
    if isinstance(value, dict):
        inner = {name: disguised(member, chance) for name, member in value.items()}
        return chance.choice([dict, collections.OrderedDict, types.MappingProxyType, lambda one: collections.ChainMap({}, one)])(inner)
    if isinstance(value, list):
        return chance.choice([list, tuple])([disguised(item, chance) for item in value])
    if isinstance(value, str):
        return chance.choice([value, type("Text", (str,), {})(value)])
    if isinstance(value, int) and not isinstance(value, bool):
        return chance.choice([value, type("Number", (int,), {})(value)])
    return value


def engines() -> list[fallgate.Engine]:
    """Two that were told the same: caches must not tell them apart either."""
    made = []
    for _ in range(2):
        engine = fallgate.Engine.open(copy.deepcopy(PACK), now=START)
        engine.observe("idp", "ok", now=START)
        made.append(engine)
    return made


def test_a_request_is_decided_as_its_json_is() -> None:
    chance = random.Random(20_260_101)
    by_object, by_json = engines()
    seen: collections.Counter[str] = collections.Counter()
    for number in range(6_000):
        asked = request(chance)
        now = (START.monotonic_ns + number * 1_000_000, START.wall_ns + number * 1_000_000)
        (told,) = by_object.decide_many([asked if number % 2 else disguised(asked, chance)], now=now)
        expected = by_json.decide_json(json.dumps(asked), now=now)
        assert told.to_dict() == expected.to_dict(), asked
        seen[told.reason] += 1
    # The requests are of every kind, or the law would say little.
    for reason in ("allowed_by_rule", "no_matching_rule", "indeterminate", "invalid_request"):
        assert seen[reason] > 100, seen


def test_an_attribute_that_is_lost_grants_nothing() -> None:
    """Knowing less never grants more: of what is denied, nothing is allowed with one attribute fewer."""
    chance = random.Random(7)
    engine, _ = engines()
    denied = 0
    for _ in range(1_500):
        asked = request(chance)
        if engine.decide_many([asked], now=START)[0]:
            continue
        for part in ("subject", "resource", "action", "context"):
            holder = asked.get(part, {})
            attributes = holder if part == "context" else holder.get("properties", {}) if isinstance(holder, dict) else {}
            if not isinstance(attributes, dict):
                continue
            for name in list(attributes):
                # What does not fit the schema is invalid; without it the request may become one that is allowed.
                lost = attributes.pop(name)
                fewer = engine.decide_many([asked], now=START)[0]
                attributes[name] = lost
                if fewer:
                    assert engine.decide_many([asked], now=START)[0].reason == "invalid_request", asked
                denied += 1
    assert denied > 2_000
