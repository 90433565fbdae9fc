"""The `fallgate` command, which the wheel brings along."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence

from ._fallgate import _run_command

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line and gives its exit code: 0 fine or allow, 1 deny or findings, 2 usage, 3 bad input."""
    if arguments is None:
        arguments = sys.argv[1:]
        # The command runs outside the interpreter, which would only note an interrupt and not act on it.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.stdout.flush()
    sys.stderr.flush()
    return _run_command(["fallgate", *arguments])


if __name__ == "__main__":
    sys.exit(main())
