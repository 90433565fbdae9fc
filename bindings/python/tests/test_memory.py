"""A million random calls leak nothing: the memory of the process stays where it was."""

from __future__ import annotations

import gc
import json
import random
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import START, agent, buyer, order

import fallgate

CALLS = 1_000_000
pytestmark = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="this system has no /proc to read it from")


def resident_kib() -> int:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4


class Raises(dict[str, Any]):
    def get(self, key: Any, default: Any = None) -> Any:
        raise ValueError(key)
