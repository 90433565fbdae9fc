"""The programs in Python that the book shows: all blocks of a page are one program, run where the page's files are."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

BOOK = ROOT / "docs" / "book"
BLOCK = re.compile(r"^```(.+?)\n(.*?)^```$", flags=re.M | re.S)
PAGES = sorted(str(page.relative_to(BOOK)) for page in BOOK.rglob("*.md") if "```python\n" in page.read_text())


def test_there_are_pages() -> None:
    assert PAGES


@pytest.mark.parametrize("page", PAGES)
def test_the_program_of_a_page_runs(page: str, tmp_path: Path) -> None:
    for folder in ("docs", "policies"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    program = ""
    for info, text in BLOCK.findall((BOOK / page).read_text()):
        file = re.search(r" file=(\S+)", info)
        if file:
            path = tmp_path / file[1]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        elif info == "python":
            program += text + "\n"
    ran = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path, capture_output=True, text=True, timeout=120, env={**os.environ, "PYTHONSAFEPATH": "1"},
    )
    assert ran.returncode == 0, ran.stderr
