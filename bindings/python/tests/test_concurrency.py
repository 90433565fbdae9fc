"""Threads, tasks, forks, and the end of the interpreter."""

from __future__ import annotations

import asyncio
import copy
import os
import signal
import subprocess
import sys
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from conftest import START, buyer, order

import fallgate

READ: dict[str, Any] = {"subject": buyer(), "action": {"name": "order:read"}, "resource": order()}


def test_threads_share_an_engine_while_bundles_are_swapped(pack: dict[str, Any]) -> None:
    engine = fallgate.Engine.open(pack, now=START)
    done = threading.Event()
    allowed: list[int] = []
    wrong: list[str] = []

    def asks(number: int) -> None:
        count = 0
        while not done.is_set() or count < 200:
            decision = engine.decide(**READ, now=START)
            # In each revision the rule is named after the revision.
            expected = "buyers-read" if decision.revision == 4 else f"r{decision.revision}"
            if decision.rule != expected:
                wrong.append(repr(decision))
            for many in engine.decide_many([READ] * 20, now=START):
                if not many:
                    wrong.append(repr(many))
            count += 1
        allowed.append(count)

    threads = [threading.Thread(target=asks, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for revision in range(5, 25):
        newer = copy.deepcopy(pack)
        newer["revision"] = revision
        newer["rules"][0]["id"] = f"r{revision}"
        engine.activate(newer, now=START)
        engine.observe("idp", "ok", now=START)
    done.set()
    for thread in threads:
        thread.join()
    assert not wrong, wrong[:3]
    assert len(allowed) == 8 and min(allowed) >= 200
    assert engine.bundle is not None and engine.bundle.revision == 24


def test_decide_many_lets_others_run(engine: fallgate.Engine) -> None:
    """While one thread decides a long batch of JSON, another gets its turns."""
    text = (
        b'{"subject":{"type":"user","id":"ann","properties":{"roles":["buyer"]}},'
        b'"action":{"name":"order:read"},"resource":{"type":"order","id":"o-1"}}'
    )
    turns = 0
    done = threading.Event()

    def decides() -> None:
        decisions = engine.decide_many([text] * 30_000, now=START)
        assert all(decisions) and len(decisions) == 30_000
        done.set()

    with ThreadPoolExecutor(1) as pool:
        batch = pool.submit(decides)
        while not done.is_set():
            turns += 1
            time.sleep(0.000_1)
            if batch.done():
                break
        batch.result()
    assert turns > 3


def test_tasks_share_an_engine(engine: fallgate.Engine) -> None:
    async def asks() -> bool:
        await asyncio.sleep(0)
        return bool(engine.decide(**READ, now=START))

    async def run() -> list[bool]:
        return await asyncio.gather(*(asks() for _ in range(500)))

    assert all(asyncio.run(run()))


def in_child(work: Any) -> int:
    """Runs the work in a forked child and gives its exit code; a child that hangs is a failure."""
    child = os.fork()
    if child == 0:
        code = 99
        try:
            code = work()
        finally:
            os._exit(code)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    raise AssertionError("the child hangs")


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fork_keeps_the_engine_and_the_clock(pack: dict[str, Any]) -> None:
    engine = fallgate.Engine.open(pack)
    engine.observe("idp", "ok")
    before = fallgate.Now.read()

    def child() -> int:
        now = fallgate.Now.read()
        goes_on = before.monotonic_ns <= now.monotonic_ns <= before.monotonic_ns + 20_000_000_000
        decision = engine.decide(**READ)
        engine.observe("idp", "failed")
        told = engine.signal("idp") == "failed" and engine.decide_many([READ])[0].allowed
        return 0 if goes_on and decision.allowed and told else 1

    assert in_child(child) == 0
    # What the child was told is the child's.
    assert engine.signal("idp") == "ok"


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fork_beside_threads_that_decide(engine: fallgate.Engine) -> None:
    done = threading.Event()

    def decides() -> None:
        # The clock moves, so that each batch publishes a new state under the engine's lock.
        at = START.monotonic_ns
        while not done.is_set():
            at += 11_000_000_000
            engine.observe("idp", "ok", now=(at - 11_000_000_000, START.wall_ns))
            engine.decide_many([READ] * 200, now=(at, START.wall_ns))

    threads = [threading.Thread(target=decides) for _ in range(3)]
    for thread in threads:
        thread.start()

    def child() -> int:
        engine.observe("idp", "ok")
        engine.advance()
        return 0 if len(engine.decide_many([READ] * 50)) == 50 else 1

    try:
        for _ in range(25):
            assert in_child(child) == 0
    finally:
        done.set()
        for thread in threads:
            thread.join()


ENDS = {
    "a module that holds an engine": "engine.observe('idp', 'ok')",
    "an engine in a circle": "class Holder: pass\nholder = Holder(); holder.engine = engine; holder.self = holder; del engine",
    "a daemon thread that decides": (
        "import threading\n"
        "def asks():\n"
        "    while True: engine.decide_many([READ] * 500)\n"
        "for _ in range(4): threading.Thread(target=asks, daemon=True).start()\n"
        "import time; time.sleep(0.3)"
    ),
    "a finalizer that decides": (
        "class Last:\n"
        "    def __init__(self): self.engine = engine\n"
        "    def __del__(self): print(bool(self.engine.decide(**READ)))\n"
        "last = Last()"
    ),
    "an exit handler that decides": "import atexit; atexit.register(lambda: print(bool(engine.decide(**READ))))",
    "an exception that nobody catches": "engine.enforce(**{**READ, 'action': 'order:ship'})",
}


@pytest.mark.parametrize("ending", ENDS, ids=str)
def test_the_interpreter_ends_with_live_engines(pack: dict[str, Any], ending: str) -> None:
    script = f"import fallgate\nREAD = {READ!r}\nengine = fallgate.Engine.open({pack!r})\n{ENDS[ending]}\n"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    uncaught = "nobody catches" in ending
    assert ended.returncode == (1 if uncaught else 0), ended.stderr
    assert ("fallgate.errors.Denied" in ended.stderr) == uncaught, ended.stderr
    if "print" in ENDS[ending]:
        assert ended.stdout.strip() == "True"
    assert "Fatal" not in ended.stderr and "panicked" not in ended.stderr


def test_an_engine_is_given_back(pack: dict[str, Any]) -> None:
    engine = fallgate.Engine.open(pack)
    gone = weakref.ref(engine)
    del engine
    assert gone() is None
