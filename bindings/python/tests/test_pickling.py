"""What may leave the process and what may not."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
from conftest import START, agent, buyer, order

import fallgate


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_decision_comes_back_as_it_was(engine: fallgate.Engine, protocol: int) -> None:
    engine.observe("idp", "ok", now=START)
    asked: list[dict[str, Any]] = [
        {"subject": agent(), "action": "order:refund", "resource": order(amount=1)},
        {"subject": buyer(), "action": "order:refund", "resource": order(amount=1)},
        {"subject": agent(limit=float("inf")), "action": "order:refund", "resource": order(amount=1)},
        {"subject": buyer(), "action": "order:read", "resource": order()},
    ]
    for request in asked:
        decision = engine.decide(**request, now=START)
        restored = pickle.loads(pickle.dumps(decision, protocol))
        assert restored == decision and hash(restored) == hash(decision)
        assert bool(restored) == bool(decision)
        for name in dir(fallgate.Decision):
            if not name.startswith("_") and not callable(getattr(decision, name)) and name != "obligations":
                assert getattr(restored, name) == getattr(decision, name), name
        assert [(one.id, one.type, one.properties) for one in restored.obligations] == [
            (one.id, one.type, one.properties) for one in decision.obligations
        ]
        assert restored.to_json() == decision.to_json()
        assert repr(restored) == repr(decision)
        assert copy.deepcopy(decision) == decision


def test_the_effect_of_a_pickle_follows_from_its_reason() -> None:
    restored = fallgate.Decision._restore('{"decision":true,"context":{"reason":"no_policy"}}')
    assert not restored
    assert restored.to_dict()["decision"] is False
    for text in ["", "5", "{}", '{"context":{}}', '{"decision":true,"context":{"reason":"allowed_by_me"}}']:
        with pytest.raises(ValueError, match="no pickled decision"):
            fallgate.Decision._restore(text)


def test_an_engine_stays_where_it_is(engine: fallgate.Engine) -> None:
    for leave in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="an engine cannot be pickled or copied"):
            leave(engine)


def test_times_and_exceptions_travel(engine: fallgate.Engine) -> None:
    assert pickle.loads(pickle.dumps(START)) == START
    denied = fallgate.Denied(engine.decide(subject=buyer(), action="order:ship", resource=order(), now=START))
    restored = pickle.loads(pickle.dumps(denied))
    assert (restored.decision, restored.code, restored.obligation) == (denied.decision, denied.code, None)
