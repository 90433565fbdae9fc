"""The benches of the Python face: `make bench-python`.

Every engine first agrees with the decision by hand on all requests. Then the lanes are timed in turns, a batch of each in
every round; the medians go into a record for each workload, from which docs/benchmarks.md is written. The floor is a call of
the same native kind that only reads the same fields and gives back a frozen object. Only ratios within one run count.
`QUICK=1` tries whether everything runs.
"""

from __future__ import annotations

import datetime
import gc
import importlib.metadata
import json
import os
import platform
import statistics
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import floor
import workloads

import fallgate

REQUESTS = 2_000
QUICK = os.environ.get("QUICK", "0") not in ("", "0")
ROUNDS = 1 if QUICK else 31
START = fallgate.Now(1_000_000_000_000, 1_767_225_600_000_000_000)
#: To start a thread takes as long as a hundred decisions and more, and a service's threads stay: few starts among the calls.
CALLS_OF_A_THREAD = 20
#: Where the records of all benches go.
RECORDS = Path(__file__).resolve().parents[3] / "target" / "bench" / "python"


@dataclass(frozen=True)
class Lane:
    """What is timed: `call` on the request of a number, `calls` times; each call makes `decisions` of them."""

    engine: str
    version: str
    variant: str
    timed: str
    call: Callable[[int], Any]
    calls: int = REQUESTS
    decisions: int = 1

    @property
    def name(self) -> str:
        return f"{self.engine}, {self.variant}"

    def nanoseconds(self) -> float:
        """The time of one decision."""
        call, numbers = self.call, range(self.calls)
        started = time.perf_counter_ns()
        for at in numbers:
            call(at)
        return (time.perf_counter_ns() - started) / self.calls / self.decisions


def peer_lanes(attributes: bool, granted: workloads.Grants, requests: list[workloads.Request]) -> list[Lane]:
    """The engines of others; one that is not installed is left out, and said to be."""
    try:
        import peers
    except ImportError as error:
        print(f"the peers are left out: {error}", file=sys.stderr)
        return []
    version = importlib.metadata.version
    cedar, casbin = peers.cedar(attributes, granted, requests), peers.casbin_peer(attributes, granted, requests)
    return [
        Lane("cedarpy", version("cedarpy"), "policies parsed before", "`is_authorized` on dicts made before", cedar, 200),
        Lane("casbin", version("casbin"), "enforce", "`enforce` on a tuple made before", casbin, 40),
    ]


def lanes(attributes: bool) -> tuple[list[Lane], int]:
    """The lanes of a workload, after all that decide agreed; and how many requests are allowed."""
    granted = workloads.grants()
    requests = workloads.requests(REQUESTS)
    expected = [workloads.allowed(request, attributes, granted) for request in requests]
    parts = [workloads.parts(request, attributes) for request in requests]
    whole = [{**one, "action": {"name": one["action"]}} for one in parts]
    texts = [json.dumps(one).encode() for one in whole]
    pack = workloads.pack(attributes, granted, cached=False)
    plain = fallgate.Engine.open(pack)
    kept = fallgate.Engine.open(workloads.pack(attributes, granted, cached=True))
    rust = floor.Rust(json.dumps(pack).encode(), texts)
    entities = [
        {**one, "subject": fallgate.Entity(**one["subject"]), "resource": fallgate.Entity(**one["resource"])} for one in parts
    ]
    read = floor.read_attributes if attributes else floor.read_roles
    version = fallgate.__version__
    peers = peer_lanes(attributes, granted, requests)

    deciding: dict[str, Callable[[int], bool]] = {
        "fallgate, dicts": lambda at: bool(plain.decide(**parts[at])),
        "fallgate, Entity": lambda at: bool(plain.decide(**entities[at])),
        "fallgate, JSON bytes": lambda at: bool(plain.decide_json(texts[at])),
        "fallgate, dicts, cached": lambda at: bool(kept.decide(**parts[at])),
        **{peer.name: peer.call for peer in peers},
    }
    for name, decide in deciding.items():
        agree(name, [decide(at) for at in range(REQUESTS)], expected)
    agree("fallgate in Rust", rust.answers(), expected)
    for name, batch in (("decide_many of dicts", whole), ("decide_many of JSON", texts)):
        agree(name, [bool(decision) for decision in plain.decide_many(batch)], expected)
    for answers in in_two_threads(plain, texts, 1):
        agree("decide_many in two threads", [bool(decision) for decision in answers], expected)
    if not all(kept.decide(**one).cached for one in parts):
        raise SystemExit("the cached lane is not cached")

    def ours(variant: str, timed: str, call: Callable[[int], Any], **rest: int) -> Lane:
        return Lane("fallgate", version, variant, timed, call, **rest)

    thousand = texts[:1_000]
    return [
        Lane("an empty call", "", "function", "a native function that only returns", lambda at: floor.empty()),
        Lane("floor", "", "reads the same fields", "the call, and dropping the object", lambda at: read(**parts[at])),
        ours("dicts", "`decide`, and dropping the decision", lambda at: plain.decide(**parts[at])),
        ours("dicts, cached", "the same, out of the cache", lambda at: kept.decide(**parts[at])),
        ours("Entity", "`decide` on objects made before", lambda at: plain.decide(**entities[at])),
        ours("JSON bytes", "`decide_json`", lambda at: plain.decide_json(texts[at])),
        ours(
            "decide_many of 1,000 dicts", "one call; the time is that of each", lambda at: plain.decide_many(whole[:1_000]),
            calls=3, decisions=1_000,
        ),
        ours(
            "decide_many of 1,000 JSON", "one call; the time is that of each", lambda at: plain.decide_many(thousand),
            calls=3, decisions=1_000,
        ),
        ours(
            "decide_many of 1,000 JSON, 2 threads",
            f"{CALLS_OF_A_THREAD} calls, one after the other, on each of two threads; the time is that of each decision",
            lambda at: in_two_threads(plain, thousand, CALLS_OF_A_THREAD), calls=1, decisions=2 * CALLS_OF_A_THREAD * 1_000,
        ),
        Lane("fallgate in Rust", version, "bytes", "`decide_json` for each, in one native call", lambda at: rust.decide(), 3, REQUESTS),
        Lane(
            "fallgate in Rust", version, "bytes, 2 threads", "the same in each of two threads, started for ten times all requests",
            lambda at: rust.decide_in_two_threads(10), calls=1, decisions=20 * REQUESTS,
        ),
        *peers,
    ], sum(expected)  # fmt: skip


def agree(name: str, answers: list[bool], expected: list[bool]) -> None:
    if answers != expected:
        wrong = sum(answer != other for answer, other in zip(answers, expected, strict=True))
        raise SystemExit(f"{name} does not agree: {wrong} of {REQUESTS} decisions differ; nothing was timed")


def in_two_threads(engine: fallgate.Engine, batch: list[bytes], calls: int) -> list[list[fallgate.Decision]]:
    """What each thread's last call answered."""
    answers: list[list[fallgate.Decision]] = [[], []]

    def decide(at: int) -> None:
        for _ in range(calls):
            answers[at] = engine.decide_many(batch)

    threads = [threading.Thread(target=decide, args=(at,)) for at in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def machine() -> dict[str, Any]:
    named = [line.partition(": ")[2] for line in processors() if line.startswith("model name")]
    tool = f"Python {platform.python_version()}"
    return {"processor": (named or ["an unnamed processor"])[0], "cores": len(os.sched_getaffinity(0)), "tool": tool}


def processors() -> list[str]:
    file = Path("/proc/cpuinfo")
    return file.read_text().splitlines() if file.exists() else []


def record(workload: str, made: list[Lane], medians: dict[str, float], allowed: int) -> None:
    figures = [
        {"engine": one.engine, "version": one.version, "variant": one.variant, "timed": one.timed,
         "value": medians[one.name], "unit": "ns"}
        for one in made
    ]  # fmt: skip
    left = {
        "workload": workload,
        "date": datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
        "machine": machine(),
        "quick": QUICK,
        "agreed": REQUESTS,
        "allowed": allowed,
        "lanes": figures,
    }
    RECORDS.mkdir(parents=True, exist_ok=True)
    (RECORDS / f"{workload}.json").write_text(json.dumps(left, indent=2) + "\n")


def main() -> int:
    for workload, attributes in (("W1", False), ("W2", True)):
        made, allowed = lanes(attributes)
        print(f"{workload}: {len(made)} lanes; those that decide agree on {REQUESTS} requests, {allowed} allowed")
        figures: dict[str, list[float]] = {one.name: [] for one in made}
        gc.collect()
        gc.disable()
        for _ in range(ROUNDS):
            for lane in made:
                figures[lane.name].append(lane.nanoseconds())
        gc.enable()
        medians = {name: statistics.median(values) for name, values in figures.items()}
        for name, median in medians.items():
            print(f"  {name:<55} {median:>12,.0f} ns")
        record(workload, made, medians, allowed)
    return 0


if __name__ == "__main__":
    sys.exit(main())
