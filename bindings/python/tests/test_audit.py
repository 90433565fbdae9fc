"""Evidence: records drained into sinks, crashes between writing and confirming, labels, metrics and indicators."""

from __future__ import annotations

import itertools
import json
import os
import re
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, START

import fallgate
from fallgate.audit import ChainError, FileSink, SqliteSink

DESK: dict[str, Any] = {
    "fallgate": 1,
    "name": "desk",
    "revision": 1,
    "schema": {"subject": {"user": {"email": "string"}}},
    "actions": {"file:read": {}, "file:write": {"audit": "required"}},
    "postures": [{"name": "shut", "rank": 9, "permits": "none", "leave": {}}],
    "rules": [{"id": "all", "effect": "allow"}],
    "audit": {"level": "all", "redact": ["subject.email"]},
}
Sink = FileSink | SqliteSink
Opened = Callable[[], Sink]


@pytest.fixture(params=["files", "sqlite"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Opened:
    """Opens the same sink again and again."""
    if request.param == "files":
        return lambda: FileSink(tmp_path / "audit", file_bytes_max=2_000)
    return lambda: SqliteSink(tmp_path / "audit.db")


def desk(sink: Sink | None = None, **options: Any) -> fallgate.Engine:
    if sink is not None:
        options["audit_head"] = sink.head
    return fallgate.Engine.open(DESK, audit_key=bytes(range(32)), now=START, **options)


def ask(engine: fallgate.Engine, number: int, action: str = "file:read") -> list[fallgate.Decision]:
    subject = {"type": "user", "id": "ann", "properties": {"email": "ann@example.org"}}
    resource = {"type": "file", "id": "f-1"}
    return [engine.decide(subject=subject, action=action, resource=resource, now=START) for _ in range(number)]


def written(sink: Sink, tmp_path: Path) -> list[dict[str, Any]]:
    """What a sink has written, once the command has found the chain whole."""
    folder = tmp_path / "audit"
    if isinstance(sink, SqliteSink):
        folder = tmp_path / "audit.jsonl"
        folder.write_text("".join(f"{line}\n" for line in sink.lines()))
    verify = [sys.executable, "-m", "fallgate", "audit", "verify", str(folder)]
    done = subprocess.run(verify, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    files = [folder] if folder.is_file() else sorted(folder.glob("*.jsonl"))
    records = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    assert [record["seq"] for record in records] == list(range(1, len(records) + 1))
    return records


def decisions(records: Sequence[dict[str, Any]]) -> list[str]:
    return [record["body"]["decision"]["context"]["id"] for record in records if record["kind"] == "decision"]


def test_a_chain_goes_on_through_batches_and_engines(opened: Opened, tmp_path: Path) -> None:
    asked = []
    for _ in range(3):
        with opened() as sink:
            engine = desk(sink)
            for number in (1, 4, 0, 2):
                asked += [decision.id for decision in ask(engine, number)]
                assert sink.drain(engine, now=START) >= number
            assert sink.drain(engine, now=START) == 0
            assert engine.drain_audit(now=START) == {"lines": [], "last_seq": 0}
    with opened() as sink:
        records = written(sink, tmp_path)
        assert decisions(records) == asked and sink.head == {"count": len(records), "head": records[-1]["hash"]}
    assert "ann@example.org" not in json.dumps(records)


def test_a_sink_that_is_not_told_of_a_confirmation_does_not_write_twice(opened: Opened, tmp_path: Path) -> None:
    class Forgetful(fallgate.Engine):
        def acknowledge_audit(self, seq: int, *, now: Any = None) -> None:
            raise ConnectionError("the host dies here")

    with opened() as sink:
        engine = Forgetful.open(DESK, now=START)
        asked = [decision.id for decision in ask(engine, 5)]
        with pytest.raises(ConnectionError):
            sink.drain(engine, now=START)
    asked += [decision.id for decision in ask(engine, 2)]
    with opened() as sink:
        batch = engine.drain_audit(now=START)
        assert len(batch["lines"]) > 5, "what was not confirmed comes again"
        for _ in range(2):
            assert sink.append(batch["lines"])["count"] == batch["last_seq"]
        fallgate.Engine.acknowledge_audit(engine, batch["last_seq"], now=START)
        assert decisions(written(sink, tmp_path)) == asked


CRASH = """
import os, sys
sys.path.insert(0, {tests!r})
import test_audit as shared
class Crashing(shared.fallgate.Engine):
    def acknowledge_audit(self, seq, *, now=None):
        os._exit(9)
sink = {sink}
engine = Crashing.open(shared.DESK, audit_head=sink.head, now=shared.START)
print(*[decision.id for decision in shared.ask(engine, 5)], flush=True)
sink.drain(engine, now=shared.START)
"""


@pytest.mark.parametrize("kind", ["FileSink", "SqliteSink"])
def test_a_process_that_dies_between_writing_and_confirming_loses_and_doubles_nothing(kind: str, tmp_path: Path) -> None:
    place = tmp_path / ("audit" if kind == "FileSink" else "audit.db")
    program = CRASH.format(tests=str(Path(__file__).parent), sink=f"shared.{kind}({str(place)!r})")
    asked: list[str] = []
    for _ in range(3):
        died = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
        assert died.returncode == 9, died.stderr
        asked += died.stdout.split()
    sink: Sink = FileSink(place) if kind == "FileSink" else SqliteSink(place)
    with sink:
        assert len(asked) == 15 and decisions(written(sink, tmp_path)) == asked


FULL = """
import resource, sys
sys.path.insert(0, {tests!r})
import test_audit as shared
sink = shared.FileSink({folder!r})
engine = shared.desk(sink)
asked = shared.ask(engine, 5)
sink.drain(engine, now=shared.START)
head = sink.head
asked += shared.ask(engine, 50)
resource.setrlimit(resource.RLIMIT_FSIZE, (16_000, resource.RLIM_INFINITY))
for _ in range(2):
    try:
        sink.drain(engine, now=shared.START)
        raise SystemExit("the disk took them")
    except OSError as error:
        assert sink.head == head, error
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
assert sink.drain(engine, now=shared.START) == 50
print(*[decision.id for decision in asked])
"""


def test_a_full_disk_leaves_the_records_in_the_engine_and_a_whole_chain(tmp_path: Path) -> None:
    program = FULL.format(tests=str(Path(__file__).parent), folder=str(tmp_path / "audit"))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with FileSink(tmp_path / "audit") as sink:
        assert decisions(written(sink, tmp_path)) == done.stdout.split()


def test_a_sink_does_not_go_on_behind_a_chain_that_was_tampered_with(tmp_path: Path) -> None:
    folder = tmp_path / "audit"
    with FileSink(folder) as sink:
        engine = desk(sink)
        ask(engine, 3)
        sink.drain(engine, now=START)
    (file,) = folder.glob("*.jsonl")
    whole = file.read_bytes()
    lines = whole.splitlines(keepends=True)
    broken = {
        "cut off": whole[:-1],
        "torn": whole[:-40],
        "edited": whole.replace(b"file:read", b"file:lead", 1),
        "dropped": b"".join(lines[:1] + lines[2:]),
        "swapped": b"".join([*lines[:-2], lines[-1], lines[-2]]),
        "doubled": whole + lines[-1],
        "not named so": b"".join(lines[1:]),
        "empty": b"",
        "foreign": whole + b"{}\n",
    }
    for what, content in broken.items():
        file.write_bytes(content)
        with pytest.raises(ChainError, match="the audit chain is broken") as caught:
            FileSink(folder)
        assert caught.value.code == "chain_broken" and file.read_bytes() == content, what
    file.write_bytes(whole)
    with FileSink(folder) as sink:
        assert sink.head["count"] == len(lines)


def test_a_database_that_was_tampered_with_is_not_gone_on_with(tmp_path: Path) -> None:
    with SqliteSink(tmp_path / "audit.db") as sink:
        engine = desk(sink)
        ask(engine, 3)
        sink.drain(engine, now=START)
    for change in ("UPDATE record SET line = replace(line, 'file:read', 'file:lead')", "DELETE FROM record WHERE seq = 2"):
        copy = tmp_path / "copy.db"
        with sqlite3.connect(tmp_path / "audit.db") as whole, sqlite3.connect(copy) as changed:
            whole.backup(changed)
            changed.execute(change)
        with pytest.raises(ChainError, match="the audit chain is broken"):
            SqliteSink(copy)


def test_records_of_another_chain_are_refused(opened: Opened, tmp_path: Path) -> None:
    with opened() as sink:
        first = desk(sink)
        ask(first, 3)
        sink.drain(first, now=START)
        head = sink.head
        # An engine that was not told where the chain is begins one of its own, whose numbers are taken here.
        other = desk()
        ask(other, 9, "file:write")
        with pytest.raises(ChainError):
            sink.drain(other, now=START)
        ahead = desk(audit_head={"count": 99, "head": "1" * 64})
        ask(ahead, 1)
        with pytest.raises(ChainError, match="does not follow"):
            sink.drain(ahead, now=START)
        with pytest.raises(ChainError, match="no record"):
            sink.append(["{}"])
        assert sink.head == head and len(written(sink, tmp_path)) == head["count"]
        assert len(other.drain_audit(now=START)["lines"]) > 9, "nothing was confirmed"


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    with FileSink(tmp_path / "audit"):
        with pytest.raises(BlockingIOError, match="somebody else writes"):
            FileSink(tmp_path / "audit")
    with FileSink(tmp_path / "audit") as sink:
        sink.close()
        engine = desk()
        with pytest.raises(ValueError, match="closed"):
            sink.drain(engine, now=START)
    with SqliteSink(tmp_path / "audit.db") as one, SqliteSink(tmp_path / "audit.db") as two:
        one.drain(desk(), now=START)
        with pytest.raises(ChainError, match="another writer"):
            two.drain(desk(), now=START)


def test_files_are_of_a_bounded_size_and_for_their_owner(tmp_path: Path) -> None:
    with FileSink(tmp_path / "audit", file_bytes_max=1) as sink:
        engine = desk(sink)
        for _ in range(3):
            ask(engine, 2)
            sink.drain(engine, now=START)
        written(sink, tmp_path)
    files = sorted((tmp_path / "audit").glob("*.jsonl"))
    assert len(files) == 3 and files[0].name == "audit-00000000000000000001.jsonl"
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in (tmp_path / "audit").iterdir())


def test_a_thread_of_the_host_runs_a_sink_until_it_is_stopped(opened: Opened, tmp_path: Path) -> None:
    with opened() as sink:
        engine, stop = desk(sink), threading.Event()
        thread = threading.Thread(target=sink.run, args=(engine, stop), kwargs={"every": 0.001})
        thread.start()
        asked = [decision.id for _ in range(40) for decision in ask(engine, 10)]
        stop.set()
        thread.join(timeout=30)
        assert not thread.is_alive()
        assert decisions(written(sink, tmp_path)) == asked


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks on this system")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_does_not_write_the_chain_of_its_parent(tmp_path: Path) -> None:
    with FileSink(tmp_path / "audit") as sink:
        engine = desk(sink)
        child = os.fork()
        if child == 0:
            try:
                sink.drain(engine, now=START)
            except RuntimeError:
                os._exit(7)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        assert sink.drain(engine, now=START) > 0


def test_a_demanded_record_without_room_denies_and_what_is_missing_is_counted(tmp_path: Path) -> None:
    engine = desk(limits={"audit_entries_max": 5})
    kept = [decision.reason for decision in ask(engine, 10, "file:write")]
    assert set(kept) == {"allowed_by_rule", "audit_unavailable"} and kept == sorted(kept)
    with FileSink(tmp_path / "audit") as sink:
        sink.drain(engine, now=START)
        assert ask(engine, 1, "file:write")[0].allowed, "what was written makes room"
        sink.drain(engine, now=START)
        records = written(sink, tmp_path)
    missing = sum(record["body"][of] for record in records if record["kind"] == "gap" for of in ("denies", "allows"))
    assert len(decisions(records)) + missing == 11


def test_a_head_and_a_key_are_whole_or_refused() -> None:
    one = "1" * 64
    for head in ({}, {"count": 1}, {"count": 0, "head": one}, {"count": 1, "head": "0" * 64}, {"count": -1, "head": one}):
        with pytest.raises(ValueError, match="`audit_head`"):
            fallgate.Engine(audit_head=head)
    with pytest.raises(TypeError):
        fallgate.Engine(audit_head=5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="`audit_key`"):
        fallgate.Engine(audit_key=b"short")


def test_every_limit_of_the_core_can_be_set() -> None:
    source = (ROOT / "core" / "src" / "limits.rs").read_text()
    names = re.findall(r"^    pub (\w+_max): ", source, flags=re.M)
    assert len(names) > 40 and set(fallgate.Limits.__annotations__) == set(names)
    for name in names:
        fallgate.Engine(limits={name: 7})  # type: ignore[arg-type]
    for limits in ({"nonsense": 1}, {"rules_max": -1}, {"rules_max": 1.5}, {"rules_max": "1"}, {5: 1}):
        with pytest.raises(TypeError):
            fallgate.Engine(limits=limits)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="`steps_max` is too large"):
        fallgate.Engine(limits={"steps_max": 2**40})


def test_events_say_who_has_to_know() -> None:
    engine = fallgate.Engine.open({**DESK, "signals": {"idp": {"ttl": "10s"}}}, now=START)
    engine.enter_posture("shut", now=START)
    events = list(engine.events())
    assert [event.id for event in events] == list(itertools.islice(itertools.count(1), len(events)))
    for event in events:
        told = event.to_dict()
        assert (told["id"], told["severity"], told["count"]) == (event.id, event.severity, event.count)
        assert told.get("runbook") == event.runbook
        assert event.severity in {"info", "ticket", "page"}


def test_labels_and_reports_are_measured() -> None:
    engine = desk()
    (decision,) = ask(engine, 1)
    engine.enter_posture("shut", now=START)
    engine.label_decision(decision.id, "legitimate", now=START)
    with pytest.raises(fallgate.OperationError) as refused:
        engine.label_decision("no such decision", "malicious", now=START)
    assert refused.value.code != "malformed_operation" or "decision" in str(refused.value)
    with pytest.raises(fallgate.OperationError):
        engine.label_decision(decision.id, "fine", now=START)  # type: ignore[arg-type]
    engine.report_attempts(3, now=START)
    engine.report_mitigation(True, now=START)
    engine.record_latency("allow", 1_500, now=START)
    measured = engine.metrics(now=START)
    assert measured["openmetrics"].endswith("# EOF\n") and measured["metrics"]
    assert engine.slis(now=START)
    head = engine.checkpoint(now=START)
    records = [json.loads(line) for line in engine.drain_audit(now=START)["lines"]]
    assert records[-1]["kind"] == "checkpoint" and records[-1]["body"] == head
