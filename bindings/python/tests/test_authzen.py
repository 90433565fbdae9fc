"""The AuthZEN Authorization API through Python, on the pack of the certification fixture."""

from __future__ import annotations

import json
from typing import Any

import pytest
from conftest import POLICIES, START

import fallgate


@pytest.fixture(scope="module")
def engine() -> fallgate.Engine:
    return fallgate.Engine.open(POLICIES / "authzen-certification", now=START)


def ask(engine: fallgate.Engine, path: str, body: Any) -> tuple[int, Any]:
    answer = engine.authzen(path, json.dumps(body).encode(), now=START)
    return answer.status, json.loads(answer.body)


def entities(subject: str, action: str, resource: str) -> dict[str, Any]:
    return {
        "subject": {"type": "user", "id": subject},
        "action": {"name": action},
        "resource": {"type": "record", "id": resource},
    }


@pytest.mark.parametrize(
    ("subject", "action", "allowed"),
    [("alice", "read", True), ("alice", "write", True), ("bob", "read", True), ("bob", "write", False)],
)
def test_an_evaluation_is_answered(engine: fallgate.Engine, subject: str, action: str, allowed: bool) -> None:
    status, body = ask(engine, "/access/v1/evaluation", entities(subject, action, "record-1"))
    assert (status, body["decision"]) == (200, allowed)


def test_a_batch_is_answered_in_its_order(engine: fallgate.Engine) -> None:
    batch = {"evaluations": [entities("alice", "write", "record-1"), entities("bob", "write", "record-1")]}
    answer = engine.authzen("/access/v1/evaluations", json.dumps(batch).encode(), now=START)
    assert answer.status == 200
    assert [one["decision"] for one in json.loads(answer.body)["evaluations"]] == [True, False]
    assert len(answer.reasons) == 2 and answer.reasons[0] == "allowed_by_rule"


def test_a_search_finds_who_may(engine: fallgate.Engine) -> None:
    asked = {**entities("-", "read", "record-1"), "subject": {"type": "user"}}
    status, body = ask(engine, "/access/v1/search/subject", asked)
    assert status == 200
    assert {"alice", "bob"} <= {found["id"] for found in body["results"]}


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b"{}", b'{"subject": 5}'])
def test_a_body_that_is_none_is_a_status(engine: fallgate.Engine, body: bytes) -> None:
    answer = engine.authzen("/access/v1/evaluation", body)
    assert answer.status == 400
    assert isinstance(json.loads(answer.body), str)
    assert answer.reasons == ()


def test_a_body_that_is_too_large_is_a_status(engine: fallgate.Engine) -> None:
    assert engine.authzen("/access/v1/evaluation", b" " * ((1 << 20) + 1)).status == 413


def test_what_is_no_path_is_an_error(engine: fallgate.Engine) -> None:
    with pytest.raises(ValueError, match="is no endpoint; there are /access/v1/evaluation"):
        engine.authzen("/access/v2/evaluation", b"{}")
    with pytest.raises(TypeError):
        engine.authzen("/access/v1/evaluation", "{}")  # type: ignore[arg-type]


def test_the_metadata_name_the_endpoints() -> None:
    metadata = json.loads(fallgate.authzen_metadata("https://pdp.example.com"))
    assert metadata["policy_decision_point"] == "https://pdp.example.com"
    assert metadata["access_evaluation_endpoint"] == "https://pdp.example.com/access/v1/evaluation"
    for wrong in ("", "pdp.example.com", "https://pdp.example.com/?a"):
        with pytest.raises(ValueError, match="identified by an address"):
            fallgate.authzen_metadata(wrong)
