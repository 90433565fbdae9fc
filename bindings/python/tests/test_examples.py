"""What the README and the examples show, run as it stands."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT
from starlette.testclient import TestClient

HERE = Path(__file__).resolve().parents[1]


def test_the_readme_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```$", (HERE / "README.md").read_text(), flags=re.M | re.S)
    assert len(blocks) == 12
    monkeypatch.chdir(ROOT)
    program = "\n".join(blocks)
    exec(compile(program, "README.md", "exec", dont_inherit=True), {"__name__": "__main__"})
    printed = capsys.readouterr().out.splitlines()
    # What a probe said lives for 15 s, and the machine's own clock has gone on since.
    rule, expires_in = printed[0].split()
    assert rule == "people-open-the-apps-of-their-groups"
    assert "0:00:00" < expires_in <= "0:00:15"
    assert printed[1].startswith("signal_unavailable ")
    assert printed[2] == "mia opens crm"
    assert printed[3] == "200 ('invalid_request',)"
    assert printed[4:6] == ["under_signed 7", "2 no_policy"]
    assert "signal_changed" in printed[6]
    assert printed[7:9] == ["emergency", "not_stable"]
    assert printed[9:11] == ["posture", "allowed_by_override"]
    assert printed[11:14] == ["eu-1 shut", "2 failed", "state_not_authentic"]
    assert printed[14:] == ["open failed", "True True"]


def test_the_readme_names_what_there_is() -> None:
    import fallgate

    text = (HERE / "README.md").read_text()
    for name in fallgate.__all__:
        assert name.startswith("__") or name in text or name in {"Answer", "Bundle", "Counters", "Diagnostic", "Event", "StepReport", "DrillReport", "Named", "Quarry", "Approved", "Restored", "AuditBatch", "JournalBatch", "Applied", "PendingAnswer", "Head", "Limits", "Metrics"}
    for module in re.findall(r"`fallgate\.integrations\.(\w+)`", text):
        assert (Path(fallgate.__file__).parent / "integrations" / f"{module}.py").is_file(), module


def test_the_example_of_an_outage_runs() -> None:
    done = subprocess.run([sys.executable, HERE / "examples" / "outage.py"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(done.stdout.splitlines()) == 8


def test_the_example_of_a_service_runs() -> None:
    app = runpy.run_path(str(HERE / "examples" / "asgi_service.py"))["app"]
    client = TestClient(app)
    assert client.get("/hello").text == "allowed by anyone-is-greeted\n"
    assert client.get("/secret").status_code == 403
    assert client.post("/hello").status_code == 403
