"""The types: the stubs say what the module is, and the package and its examples pass the strictest check."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import fallgate

HERE = Path(__file__).resolve().parents[1]
PACKAGE = Path(fallgate.__file__).parent


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *map(str, arguments)], capture_output=True, text=True, cwd=HERE, env={"PATH": "/usr/bin:/bin"}
    )


def test_the_stubs_say_what_the_module_is() -> None:
    done = run("-m", "mypy.stubtest", "fallgate._fallgate", "--mypy-config-file", "pyproject.toml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_stub_that_differs_is_found(tmp_path: Path) -> None:
    stub = (PACKAGE / "_fallgate.pyi").read_text()
    wrong = stub.replace("def next_deadline(self) -> int | None:", "def next_deadline(self, soon: bool) -> int | None:")
    assert wrong != stub
    copied = tmp_path / "fallgate"
    copied.mkdir()
    for file in PACKAGE.glob("*.py*"):
        (copied / file.name).write_text(wrong if file.name == "_fallgate.pyi" else file.read_text())
    (tmp_path / "mypy.ini").write_text(f"[mypy]\nmypy_path = {tmp_path}\n")
    done = run("-m", "mypy.stubtest", "fallgate._fallgate", "--mypy-config-file", tmp_path / "mypy.ini")
    assert done.returncode == 1 and "next_deadline is inconsistent" in done.stdout, done.stdout + done.stderr


def test_the_package_and_its_examples_pass_mypy() -> None:
    done = run("-m", "mypy", "--config-file", "pyproject.toml", "-p", "fallgate", "--no-incremental")
    assert done.returncode == 0, done.stdout + done.stderr
    done = run("-m", "mypy", "--config-file", "pyproject.toml", "examples", "--no-incremental")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_types_tell_mistakes(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import fallgate\n"
        "engine = fallgate.Engine.open(5)\n"
        'engine.observe("idp", "fine")\n'
        'allowed: int = engine.decide(subject={}, action="a", resource={}).reason\n'
        'engine.enter_posture("shut", scop="tenant:acme")\n'
        'engine.quarantine({"user": "ann"})\n'
        'quarry: fallgate.Quarry = engine.quarantine({"subject": {"type": "user"}}, for_="5m")\n'
    )
    done = run("-m", "mypy", "--strict", program, "--no-incremental")
    assert done.returncode == 1
    assert [line.split(":")[1] for line in done.stdout.splitlines() if ": error:" in line] == ["2", "3", "4", "5", "6"], done.stdout
