"""The benches of the Python face: `make bench-python`.

Every engine first agrees with the decision by hand on all requests. Then the lanes are timed in turns, a batch of each in
every round, and the medians are shown in nanoseconds a decision, with their ratio to the floor: a call of the same native
kind that only reads the same fields and gives back a frozen object. Only ratios within one run count.
"""

from __future__ import annotations

import gc
import json
import statistics
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import floor
import peers
import workloads

import fallgate

REQUESTS = 2_000
ROUNDS = 15
START = fallgate.Now(1_000_000_000_000, 1_767_225_600_000_000_000)

Lane = tuple[str, int, Callable[[int], Any]]


def lanes(attributes: bool) -> tuple[list[Lane], str]:
    """The lanes of a workload: a name, how many decisions a batch has, and what decides on the request of a number."""
    granted = workloads.grants()
    requests = workloads.requests(REQUESTS)
    expected = [workloads.allowed(request, attributes, granted) for request in requests]
    parts = [workloads.parts(request, attributes) for request in requests]
    whole = [{**one, "action": {"name": one["action"]}} for one in parts]
    texts = [json.dumps(one).encode() for one in whole]
    plain = fallgate.Engine.open(workloads.pack(attributes, granted, cached=False))
    kept = fallgate.Engine.open(workloads.pack(attributes, granted, cached=True))
    entities = [
        {**one, "subject": fallgate.Entity(**one["subject"]), "resource": fallgate.Entity(**one["resource"])} for one in parts
    ]
    read = floor.read_attributes if attributes else floor.read_roles
    cedar = peers.cedar(attributes, granted, requests)
    casbin = peers.casbin_peer(attributes, granted, requests)

    deciding: dict[str, Callable[[int], bool]] = {
        "fallgate, dicts": lambda at: bool(plain.decide(**parts[at])),
        "fallgate, Entity": lambda at: bool(plain.decide(**entities[at])),
        "fallgate, JSON bytes": lambda at: bool(plain.decide_json(texts[at])),
        "fallgate, dicts, cached": lambda at: bool(kept.decide(**parts[at])),
        "cedarpy, parsed before": cedar,
        "casbin": casbin,
    }
    for name, decide in deciding.items():
        answers = [decide(at) for at in range(REQUESTS)]
        if answers != expected:
            wrong = sum(answer != other for answer, other in zip(answers, expected, strict=True))
            raise SystemExit(f"{name} does not agree: {wrong} of {REQUESTS} decisions differ")
    for batch in (whole, texts):
        if [bool(decision) for decision in plain.decide_many(batch)] != expected:
            raise SystemExit("decide_many does not agree")
    assert all(kept.decide(**one).cached for one in parts[:100]), "the cached lane is not cached"

    made: list[Lane] = [
        ("an empty call", REQUESTS, lambda at: floor.empty()),
        ("floor: reads the same fields", REQUESTS, lambda at: read(**parts[at])),
        ("fallgate, dicts", REQUESTS, lambda at: plain.decide(**parts[at])),
        ("fallgate, dicts, cached", REQUESTS, lambda at: kept.decide(**parts[at])),
        ("fallgate, Entity", REQUESTS, lambda at: plain.decide(**entities[at])),
        ("fallgate, JSON bytes", REQUESTS, lambda at: plain.decide_json(texts[at])),
        ("fallgate, decide_many of 1,000 dicts", -1_000, lambda at: plain.decide_many(whole[:1_000])),
        ("fallgate, decide_many of 1,000 JSON", -1_000, lambda at: plain.decide_many(texts[:1_000])),
        ("fallgate, decide_many of JSON, 2 threads", -2_000, lambda at: in_two_threads(plain, texts[:1_000])),
        ("cedarpy, parsed before", 200, cedar),
        ("casbin", 40, casbin),
    ]
    note = f"{REQUESTS} requests, of which {sum(expected)} are allowed; all engines agree"
    return made, note


def in_two_threads(engine: fallgate.Engine, batch: list[bytes]) -> None:
    threads = [threading.Thread(target=engine.decide_many, args=(batch,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def timed(lane: Lane) -> float:
    """Nanoseconds a decision. A negative number of decisions is that of one call."""
    _, number, decide = lane
    if number < 0:
        started = time.perf_counter_ns()
        for _ in range(3):
            decide(0)
        return (time.perf_counter_ns() - started) / 3 / -number
    numbers = range(number)
    started = time.perf_counter_ns()
    for at in numbers:
        decide(at)
    return (time.perf_counter_ns() - started) / number


def main() -> int:
    print(f"fallgate {fallgate.__version__}, Python {sys.version.split()[0]}; medians of {ROUNDS} rounds, ns a decision")
    for title, attributes in (("W1 roles", False), ("W2 attributes", True)):
        made, note = lanes(attributes)
        figures: dict[str, list[float]] = {name: [] for name, _, _ in made}
        gc.collect()
        gc.disable()
        for _ in range(ROUNDS):
            for lane in made:
                figures[lane[0]].append(timed(lane))
        gc.enable()
        medians = {name: statistics.median(values) for name, values in figures.items()}
        base = medians["floor: reads the same fields"]
        print(f"\n{title}: {note}\n")
        print("| lane | ns | to the floor | to fallgate, dicts |\n|---|---|---|---|")
        for name, median in medians.items():
            print(f"| {name} | {median:,.0f} | {median / base:.2f} | {median / medians['fallgate, dicts']:.2f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
