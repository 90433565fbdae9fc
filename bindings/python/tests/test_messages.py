"""What a Rego deny set says is in the decision, and travels with it."""

from __future__ import annotations

import pickle

from conftest import START

import fallgate

PACK = {
    "fallgate": 1,
    "name": "said",
    "revision": 1,
    "schema": {"context": {"amount": "int"}},
    "actions": {"pay": {}},
    "rego": {"a.rego": "package a\ndeny contains msg if {\n  input.context.amount > 10\n  msg := \"too much\"\n}"},
    "rules": [
        {"id": "all", "effect": "allow"},
        {"id": "limit", "effect": "deny", "when": {"rego": "data.a.deny"}},
    ],
}


def pay(amount: int) -> fallgate.Decision:
    engine = fallgate.Engine.open(PACK, now=START)
    return engine.decide(
        subject={"type": "user", "id": "ann"},
        action="pay",
        resource={"type": "payment", "id": "p"},
        context={"amount": amount},
        now=START,
    )


def test_a_deny_says_why_and_an_allow_says_nothing() -> None:
    denied = pay(11)
    assert (denied.reason, denied.rule, denied.messages) == ("denied_by_rule", "limit", ("too much",))
    assert denied.to_dict()["context"]["messages"] == ["too much"]
    assert pay(10).messages == ()


def test_messages_travel_in_a_pickle() -> None:
    assert pickle.loads(pickle.dumps(pay(11))).messages == ("too much",)
