"""The corpus of every language: all drills and cases of the shipped packs, replayed through the public face.

A face that decided anything by itself would differ here. The last line that this prints is compared between languages.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from conftest import POLICIES

import fallgate


def corpus() -> bytes:
    """The file that `FALLGATE_CORPUS` names, or what the command of the package makes of the shipped packs."""
    if file := os.environ.get("FALLGATE_CORPUS"):
        return Path(file).read_bytes()
    return subprocess.run([sys.executable, "-m", "fallgate", "corpus", POLICIES], check=True, capture_output=True).stdout


def now(operation: dict[str, Any]) -> fallgate.Now:
    return fallgate.Now(int(operation["at"]["monotonic_ns"]), int(operation["at"]["wall_ns"]))


def decided(engine: fallgate.Engine, request: Any, now: fallgate.Now) -> fallgate.Decision:
    if isinstance(request, str):
        return engine.decide_json(request, now=now)
    whole = isinstance(request, dict) and {"subject", "action", "resource"} <= request.keys()
    if not whole:
        # What has no parts to pass is a request that is broken as a whole.
        return engine.decide_many([request], now=now)[0]
    parts = {name: request[name] for name in ("subject", "action", "resource", "context") if name in request}
    return engine.decide(**parts, now=now)


#: The operations whose methods take what they are about as one argument; the members of the others are parameters.
WHOLE = {"lift_quarantine"}
#: What a method gives of an outcome with one member.
OUTCOMES = {"quarantine": "quarantined", "propose": "proposed", "approve": "approved", "export_state": "state", "restore_state": "restored", "take_over": "epoch", "acquire": "permit", "report": "report"}
#: The operations whose names are those of methods that do more: these load files, and raise what loading raises.
OTHERS = {"activate", "rotate_trust"}
#: Words that Python keeps for itself.
RENAMED = {"for": "for_"}


def operated(engine: fallgate.Engine, call: dict[str, Any]) -> tuple[Any, str | None]:
    """Does an operation, by the method that is named after it where there is one; gives what the corpus has of it."""
    ((verb, arguments),) = call["operate"].items()
    method = getattr(engine, verb, None)
    try:
        # A time before which something is void is text in an operation, and nanoseconds for the method.
        if method is None or verb in OTHERS or "before" in arguments:
            return engine.operate(call["operate"], now=now(call)), None
        if verb in WHOLE:
            given = method(arguments, now=now(call))
        else:
            given = method(**{RENAMED.get(name, name): value for name, value in arguments.items()}, now=now(call))
    except fallgate.OperationError as error:
        return None, error.code
    if isinstance(given, timedelta):
        return {"retry_in_ms": given // timedelta(milliseconds=1)}, None
    # A method gives what its operation came to, without the name that the outcome has for it.
    return {OUTCOMES[verb]: given} if verb in OUTCOMES else {} if given is None else given, None


def operated_as_told(engine: fallgate.Engine, call: dict[str, Any]) -> None:
    assert operated(engine, call) == (call["outcome"], call["because"]), call


def operated_as_json(engine: fallgate.Engine, call: dict[str, Any]) -> None:
    try:
        done = engine.operate(json.dumps(call["operate"]), now=now(call)), None
    except fallgate.OperationError as error:
        done = None, error.code
    assert done == (call["outcome"], call["because"]), call


def tell(engine: fallgate.Engine, bundle: str, operation: dict[str, Any]) -> None:
    """Makes a call that decides nothing."""
    at = now(operation)
    match operation:
        case {"activate": True}:
            # The corpus keeps what is refused too; what the engine then decides is what counts.
            with contextlib.suppress(fallgate.ActivateError):
                engine.activate(bundle.encode(), now=at)
        case {"observe": observed}:
            seen = observed.get("observed_at_ns")
            engine.observe(observed["signal"], observed["status"], None if seen is None else int(seen), now=at)
        case {"advance": True}:
            engine.advance(now=at)
        case {"anchor_clocks": True}:
            engine.anchor_clocks(now=at)
        case _:
            raise AssertionError(f"an operation that this runner does not know: {operation}")


def replay(
    bundle: str,
    config: dict[str, Any],
    operations: list[dict[str, Any]],
    decide: Callable[[fallgate.Engine, Any, fallgate.Now], fallgate.Decision],
    operate: Callable[[fallgate.Engine, dict[str, Any]], object] = operated_as_told,
) -> list[tuple[fallgate.Decision, Any]]:
    """Replays one timeline on an engine of its own; gives each decision with the expected one."""
    options: dict[str, Any] = {"state_key": bytes.fromhex(config["state_key"])}
    if config.get("audit_key") is not None:
        options["audit_key"] = bytes.fromhex(config["audit_key"])
    if config.get("audit_entries_max") is not None:
        options["limits"] = {"audit_entries_max": config["audit_entries_max"]}
    if config.get("trust") is not None:
        options["trust"] = config["trust"].encode()
    engine = fallgate.Engine(instance=config["instance"], **options)
    outcomes = []
    for operation in operations:
        if "restart" in operation:
            engine = fallgate.Engine(instance=operation["restart"]["instance"], **options)
        elif "operate" in operation:
            operate(engine, operation)
        elif "decide" in operation:
            outcomes.append((decide(engine, operation["decide"], now(operation)), operation["decision"]))
        else:
            tell(engine, bundle, operation)
    return outcomes


def canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def test_the_corpus_gives_the_same_decisions(capsys: pytest.CaptureFixture[str]) -> None:
    data = corpus()
    packs = json.loads(data)["packs"]
    steps = 0
    decisions = hashlib.sha256()
    for pack in packs:
        for timeline in pack["timelines"]:
            steps += len(timeline["operations"])
            for decision, expected in replay(pack["bundle"], timeline["config"], timeline["operations"], decided):
                assert decision.to_dict() == expected, (pack["name"], timeline["name"])
                assert decision.to_json() == canonical(expected)
                assert decision.allowed is expected["decision"]
                decisions.update(canonical(decision.to_dict()).encode() + b"\n")
    # The shipped packs have hundreds of steps each; an empty corpus would prove nothing.
    assert len(packs) >= 4 and steps >= 1_000
    line = f"steps {steps} corpus {hashlib.sha256(data).hexdigest()} decisions {decisions.hexdigest()}"
    with capsys.disabled():
        print(f"\n{line}")
    if summary := os.environ.get("FALLGATE_CORPUS_SUMMARY"):
        Path(summary).write_text(f"{line}\n")


def batched(engine: fallgate.Engine, request: Any, at: fallgate.Now) -> fallgate.Decision:
    return engine.decide_many([request], now=at)[0]


def batched_json(engine: fallgate.Engine, request: Any, at: fallgate.Now) -> fallgate.Decision:
    return batched(engine, request if isinstance(request, str) else canonical(request).encode(), at)


def test_the_corpus_is_decided_the_same_in_batches() -> None:
    """Every request of the corpus again, through `decide_many`, as an object and as JSON."""
    asked = 0
    for pack in json.loads(corpus())["packs"]:
        for timeline in pack["timelines"]:
            for decide in (batched, batched_json):
                for decision, expected in replay(pack["bundle"], timeline["config"], timeline["operations"], decide, operated_as_json):
                    assert decision.to_dict() == expected, (pack["name"], timeline["name"])
                    asked += 1
    assert asked >= 600


def test_a_wrong_decision_is_found() -> None:
    """The comparison can fail: with one observation left out, some decision of the corpus differs."""
    differing = 0
    for pack in json.loads(corpus())["packs"]:
        for timeline in pack["timelines"]:
            silent = [operation for operation in timeline["operations"] if "observe" not in operation]
            differing += sum(decision.to_dict() != expected for decision, expected in replay(pack["bundle"], timeline["config"], silent, decided, operated))
    assert differing > 0
