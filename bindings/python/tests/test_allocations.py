"""What a decision asks the heap for, on the Rust side of this face: counted by a preloaded library that looks at who calls.

The engine itself allocates nothing for such a decision (benches/tests/allocations.rs shows that), so what is counted here is
the face's: the numbers are declared below, with what each is for.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

#: The most that one decision may allocate, by what it is given.
DECLARED = {
    # The arena into which a request's dicts are read: a block, and another one where the request is longer.
    "dicts": 2,
    "dicts, cached": 2,
    "Entity": 2,
    # The values that are read out of the JSON.
    "JSON bytes": 40,
}

COUNTER = ROOT / "benches" / "preload" / "counting.c"

SCRIPT = """
import json, os, struct, sys
sys.path.insert(0, sys.argv[1])
import workloads
import fallgate

def counted():
    with open(os.environ["FALLGATE_COUNT"], "rb") as file:
        return struct.unpack("=Q", file.read(8))[0]

granted = workloads.grants()
requests = workloads.requests(500)
most = {}
for attributes in (False, True):
    parts = [workloads.parts(request, attributes) for request in requests]
    texts = [json.dumps({**one, "action": {"name": one["action"]}}).encode() for one in parts]
    entities = [
        {**one, "subject": fallgate.Entity(**one["subject"]), "resource": fallgate.Entity(**one["resource"])} for one in parts
    ]
    plain = fallgate.Engine.open(workloads.pack(attributes, granted, cached=False))
    kept = fallgate.Engine.open(workloads.pack(attributes, granted, cached=True))
    lanes = {
        "dicts": lambda at: plain.decide(**parts[at]),
        "dicts, cached": lambda at: kept.decide(**parts[at]),
        "Entity": lambda at: plain.decide(**entities[at]),
        "JSON bytes": lambda at: plain.decide_json(texts[at]),
    }
    for name, decide in lanes.items():
        allowed = sum(bool(decide(at)) for at in range(len(requests)))
        assert 0 < allowed < len(requests), name
        for at in range(len(requests)):
            before = counted()
            decision = decide(at)
            after = counted()
            assert decision.cached == ("cached" in name), name
            most[name] = max(most.get(name, 0), after - before)
            del decision
before = counted()
fallgate.Engine()
print(json.dumps({"control": counted() - before, "most": most}))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the counter stands before the C library of GNU")
def test_a_decision_allocates_what_is_declared(tmp_path: Path) -> None:
    counter = tmp_path / "counting.so"
    subprocess.run(["cc", "-std=gnu11", "-O1", "-shared", "-fPIC", str(COUNTER), "-o", str(counter)], check=True)
    environment = os.environ | {
        "LD_PRELOAD": str(counter),
        "FALLGATE_COUNTED": "_fallgate.",
        "FALLGATE_COUNT": str(tmp_path / "count"),
    }
    workloads = ROOT / "bindings" / "python" / "benches"
    run = subprocess.run([sys.executable, "-c", SCRIPT, str(workloads)], env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    counted = json.loads(run.stdout)
    assert counted["control"] > 0, "an engine was made, and nothing was counted"
    assert counted["most"].keys() == DECLARED.keys()
    over = {name: count for name, count in counted["most"].items() if count > DECLARED[name]}
    assert not over, f"allocations of one decision: {over}; declared: {DECLARED}"
