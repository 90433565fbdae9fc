"""An ASGI application behind the middleware, without a framework: run it with any ASGI server.

    uvicorn asgi_service:app
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import fallgate
from fallgate.integrations.asgi import FallgateMiddleware

PACK = {
    "fallgate": 1,
    "name": "greeter",
    "revision": 1,
    "actions": {"page:get": {}},
    "rules": [
        {"id": "anyone-is-greeted", "effect": "allow", "resource": {"type": "page"}, "when": "resource.id == '/hello'"},
    ],
}


async def greet(
    scope: MutableMapping[str, Any],
    receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
    send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
) -> None:
    headers = [(b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": f"allowed by {scope['fallgate.decision'].rule}\n".encode()})


def parts(scope: MutableMapping[str, Any]) -> dict[str, Any]:
    return {
        "subject": {"type": "anonymous", "id": "somebody"},
        "action": f"page:{scope['method'].lower()}",
        "resource": {"type": "page", "id": scope["path"]},
    }


app = FallgateMiddleware(greet, fallgate.Engine.open(PACK), parts)
