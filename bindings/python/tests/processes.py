"""What the tests of the examples share: a process that serves HTTP, sources that can fail, and waiting with an end."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from conftest import ROOT

EXAMPLES = ROOT / "bindings" / "python" / "examples"
#: How long anything may take before a test gives up; nothing that passes takes as long.
PATIENCE_S = 120.0

_T = TypeVar("_T")


def eventually(look: Callable[[], _T | None], what: str) -> _T:
    """What `look` finds, as soon as it finds something."""
    until = time.monotonic() + PATIENCE_S
    while (found := look()) is None:
        if time.monotonic() > until:
            raise AssertionError(f"{what} did not come about")
        time.sleep(0.02)
    return found


class Answer(NamedTuple):
    status: int
    body: Any
    text: str


class Source:
    """A dependency of an example, which answers each path with JSON of the test's own, or with a failure."""

    def __init__(self) -> None:
        self.answers: dict[str, object] = {}
        self.status = 200
        #: Cleared, it takes requests and does not answer them.
        self.answering = threading.Event()
        self.answering.set()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.answering.wait(PATIENCE_S)
                known = self.path in outer.answers
                body = outer.answers.get(self.path, "")
                text = body if isinstance(body, bytes) else json.dumps(body).encode()
                with contextlib.suppress(OSError):  # whoever asked may have given up
                    self.answer(known, text)

            def answer(self, known: bool, text: bytes) -> None:
                self.send_response(outer.status if known or outer.status != 200 else 404)
                self.send_header("content-length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.answering.set()
        self._server.shutdown()
        self._server.server_close()


class Service:
    """uvicorn with an example, as its comment says to start it, on a port that the system chooses."""

    def __init__(
        self, app: str, log: Path, environment: Mapping[str, str], arguments: Sequence[str] = (), folder: Path = EXAMPLES
    ) -> None:
        self._log = log
        self.ssl: ssl.SSLContext | None = None
        command = [sys.executable, "-m", "uvicorn", "--factory", app, "--host", "127.0.0.1", "--port", "0", *arguments]
        with log.open("wb") as file:
            self.process = subprocess.Popen(
                command, cwd=folder, env={**os.environ, **environment}, stdout=file, stderr=file
            )

    def log(self) -> str:
        return self._log.read_text()

    def port(self) -> int:
        def look() -> int | None:
            assert self.process.poll() is None, self.log()
            found = re.search(r"running on https?://127\.0\.0\.1:(\d+)", self.log())
            return None if found is None else int(found[1])

        return eventually(look, "a port")

    def ask(self, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes | None = None) -> Answer:
        if self.ssl is None:
            connection = http.client.HTTPConnection("127.0.0.1", self.port(), timeout=PATIENCE_S)
        else:
            connection = http.client.HTTPSConnection("127.0.0.1", self.port(), timeout=PATIENCE_S, context=self.ssl)
        try:
            connection.request(method, path, body, dict(headers or {}))
            response = connection.getresponse()
            text = response.read().decode()
            found = json.loads(text) if "json" in response.headers.get("content-type", "") else None
            return Answer(response.status, found, text)
        finally:
            connection.close()

    def stop(self) -> None:
        """Ends it as an operator does: what it has taken on it still finishes."""
        self.process.terminate()
        try:
            self.process.wait(PATIENCE_S)
        finally:
            self.process.kill()
