"""What the tests share: one small pack, an engine on it, and a time that stands still."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import fallgate

ROOT = Path(__file__).resolve().parents[3]
POLICIES = ROOT / "policies"
START = fallgate.Now(1_000_000_000_000, 1_767_225_600_000_000_000)

PACK: dict[str, Any] = {
    "fallgate": 1,
    "name": "shop",
    "revision": 4,
    "schema": {
        "subject": {
            "user": {
                "roles": ["string"],
                "limit": {"type": "int", "optional": True},
                "staff": {"type": "bool", "default": False},
                "risk": {"type": "double", "optional": True},
                "since": {"type": "timestamp", "optional": True},
                "tags": {"type": {"*": "any"}, "optional": True},
                "note": {"type": "any", "optional": True},
            },
        },
        "resource": {"order": {"owner": {"type": "string", "optional": True}, "amount": {"type": "int", "optional": True}}},
        "action": {"order:close": {"forced": {"type": "bool", "optional": True}}},
        "context": {
            "ip": {"type": "ip", "optional": True},
            "net": {"type": "cidr", "optional": True},
            "waited": {"type": "duration", "optional": True},
        },
    },
    "signals": {"idp": {"ttl": "10s"}},
    "actions": {
        "order:read": {"cache": {"allow": "30s", "deny": "5s"}},
        "order:refund": {"requires": ["idp"]},
        "order:close": {},
        "order:ship": {},
    },
    "rules": [
        {"id": "buyers-read", "effect": "allow", "action": "order:read", "subject": {"type": "user", "roles": "buyer"}},
        {
            "id": "agents-refund",
            "effect": "allow",
            "action": "order:refund",
            "subject": {"type": "user", "roles": "agent"},
            "when": "resource.amount <= subject.limit",
            "obligations": [
                {"id": "tell-risk", "type": "notify", "properties": {"to": "risk-desk"}},
                {"id": "write-down", "type": "log", "properties": {"level": 2}},
            ],
        },
        {"id": "forced", "effect": "allow", "action": "order:close", "when": "action.forced"},
        {"id": "staff-ship", "effect": "allow", "action": "order:ship", "when": "subject.staff"},
        {"id": "old-hands", "effect": "allow", "action": "order:ship", "when": "subject.since < timestamp('2020-01-01T00:00:00Z')"},
        {"id": "from-home", "effect": "allow", "action": "order:ship", "when": "cidr('10.0.0.0/8').containsIP(context.ip)"},
        {"id": "whole-net", "effect": "allow", "action": "order:ship", "when": "context.net.prefixLength() == 24"},
        {"id": "patient", "effect": "allow", "action": "order:ship", "when": "context.waited >= duration('90s')"},
        {"id": "calm", "effect": "allow", "action": "order:ship", "when": "subject.risk < 0.5"},
        {"id": "tagged", "effect": "allow", "action": "order:ship", "when": "subject.tags.level == 3"},
    ],
}


@pytest.fixture
def pack() -> dict[str, Any]:
    return copy.deepcopy(PACK)


@pytest.fixture
def engine(pack: dict[str, Any]) -> fallgate.Engine:
    engine = fallgate.Engine.open(pack, now=START)
    list(engine.events())
    return engine


@pytest.fixture
def ship(engine: fallgate.Engine) -> Callable[..., fallgate.Decision]:
    """Asks whether an order may be shipped, which each of several attributes alone allows."""

    def ask(properties: Any = None, context: Any = None, **members: Any) -> fallgate.Decision:
        properties = {"roles": [], **(properties or {})} if isinstance(properties, (dict, type(None))) else properties
        subject = {"type": "user", "id": "ann", "properties": properties, **members}
        return engine.decide(
            subject=subject, action="order:ship", resource={"type": "order", "id": "o-1"}, context=context, now=START
        )

    return ask


def buyer(**more: Any) -> dict[str, Any]:
    return {"type": "user", "id": "ann", "properties": {"roles": ["buyer"], **more}}


def agent(**more: Any) -> dict[str, Any]:
    return {"type": "user", "id": "abe", "properties": {"roles": ["agent"], "limit": 500, **more}}


def order(**properties: Any) -> dict[str, Any]:
    return {"type": "order", "id": "o-1", "properties": properties}
