"""ASGI middleware: every request and every WebSocket of an application is decided before the application sees it."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from .. import guarding
from .._fallgate import Obligation
from ..engine import Engine
from ..errors import Denied
from . import problem

__all__ = ["FallgateMiddleware"]

_Scope = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
_Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
_App = Callable[[_Scope, _Receive, _Send], Awaitable[None]]

_log = logging.getLogger("fallgate")


class FallgateMiddleware:
    """Decides each HTTP request and each WebSocket, and passes on what is allowed.

    `parts` makes of a scope the parts of a request: `subject`, `action`, `resource` and, where there is one, `context`. It
    may be asynchronous. If it raises, or the engine does, the answer is a deny, and the logger `fallgate` has the
    exception. The application finds the decision in its scope, under `fallgate.decision`. A WebSocket that is denied is
    closed before it is accepted. The `lifespan` of the application is passed on; a scope of any other type is refused.
    """

    def __init__(
        self,
        app: _App,
        engine: Engine,
        parts: Callable[[_Scope], Mapping[str, Any] | Awaitable[Mapping[str, Any]]],
        obligations: Mapping[str, Callable[[Obligation], object]] | None = None,
    ) -> None:
        self.app = app
        self.engine = engine
        self.parts = parts
        self.obligations = obligations

    async def __call__(self, scope: _Scope, receive: _Receive, send: _Send) -> None:
        kind = scope["type"]
        if kind == "lifespan":
            await self.app(scope, receive, send)
            return
        if kind not in ("http", "websocket"):
            raise RuntimeError(f"a scope of the type {kind!r} is not known here, and so not passed on")
        try:
            parts = self.parts(scope)
            if inspect.isawaitable(parts):
                parts = await parts
            decision = self.engine.decide(**parts)
            await guarding.fulfil_async(decision, self.obligations)
        except Denied as denied:
            await _refuse(kind, problem.body(denied.decision), receive, send)
            return
        except Exception:
            _log.exception("a request could not be decided, and is denied")
            await _refuse(kind, problem.body(None), receive, send)
            return
        await self.app({**scope, "fallgate.decision": decision}, receive, send)


async def _refuse(kind: str, body: bytes, receive: _Receive, send: _Send) -> None:
    if kind == "websocket":
        # A server answers a handshake that is closed before it is accepted with 403.
        if (await receive())["type"] == "websocket.connect":
            await send({"type": "websocket.close", "code": 1008, "reason": ""})
        return
    headers = [
        (b"content-type", problem.MEDIA_TYPE.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": problem.STATUS, "headers": headers})
    await send({"type": "http.response.body", "body": body})
