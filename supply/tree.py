"""A copy of the repository's tracked files, as they are now, for what is built away from it."""

import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def copied(to: Path, backwards: bool = False) -> Path:
    """Copies the files, in the order of their names or against it, so that a folder lists them in another order."""
    shutil.rmtree(to, ignore_errors=True)
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True).stdout
    names = sorted(os.fsdecode(name) for name in listed.split(b"\0") if name)
    for name in reversed(names) if backwards else names:
        if (ROOT / name).exists():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, to / name)
            shutil.copymode(ROOT / name, to / name)
    return to


def epoch() -> str:
    """The time that artifacts say they were made at: what is asked for, or that of the last commit."""
    said = os.environ.get("SOURCE_DATE_EPOCH")
    return said or subprocess.check_output(["git", "log", "-1", "--format=%ct"], cwd=ROOT, text=True).strip()
