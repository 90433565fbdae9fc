"""The ASGI middleware around a real Starlette application, through its real client."""

from __future__ import annotations

import logging
from collections.abc import Iterator, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

import fallgate
from fallgate.integrations.asgi import FallgateMiddleware

ran: list[str] = []


async def show(request: Request) -> JSONResponse:
    ran.append(request.path_params["id"])
    return JSONResponse({"rule": request.scope["fallgate.decision"].rule})


async def chat(websocket: WebSocket) -> None:
    ran.append("chat")
    await websocket.accept()
    await websocket.send_text("hello")
    await websocket.close()


@asynccontextmanager
async def lifespan(_: Starlette) -> Any:
    ran.append("started")
    yield
    ran.append("stopped")


def roles(scope: MutableMapping[str, Any]) -> list[str]:
    return [value.decode() for name, value in scope["headers"] if name == b"x-role"]


def parts(scope: MutableMapping[str, Any]) -> dict[str, Any]:
    if scope["path"] == "/orders/broken":
        raise LookupError("the session store says: hunter2")
    action = "order:refund" if b"refund" in scope.get("query_string", b"") else "order:read"
    return {
        "subject": {"type": "user", "id": "ann", "properties": {"roles": roles(scope), "limit": 500}},
        "action": action,
        "resource": {"type": "order", "id": scope["path"].rpartition("/")[2], "properties": {"amount": 1}},
    }


async def parts_later(scope: MutableMapping[str, Any]) -> dict[str, Any]:
    return parts(scope)


@pytest.fixture(params=[parts, parts_later], ids=["sync", "async"])
def client(request: Any, pack: dict[str, Any]) -> Iterator[TestClient]:
    ran.clear()
    engine = fallgate.Engine.open(pack)
    engine.observe("idp", "ok")
    app = Starlette(routes=[Route("/orders/{id}", show), WebSocketRoute("/chat", chat)], lifespan=lifespan)
    app.add_middleware(
        FallgateMiddleware, engine=engine, parts=request.param, obligations={"notify": lambda one: ran.append(one.id)}
    )
    with TestClient(app) as client:
        yield client


def test_what_is_allowed_is_passed_on(client: TestClient) -> None:
    answer = client.get("/orders/7", headers={"x-role": "buyer"})
    assert (answer.status_code, answer.json()) == (200, {"rule": "buyers-read"})
    assert ran == ["started", "7"]


def test_what_is_denied_is_a_problem_and_does_not_run(client: TestClient) -> None:
    answer = client.get("/orders/7", headers={"x-role": "guest"})
    assert answer.status_code == 403
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    problem = answer.json()
    assert problem.pop("decision_id")
    assert problem == {"type": "about:blank", "title": "Forbidden", "status": 403}
    assert ran == ["started"]


def test_an_obligation_that_cannot_be_fulfilled_denies(client: TestClient) -> None:
    # There is a handler for `notify`, and none for `log`.
    assert client.get("/orders/7?refund", headers={"x-role": "agent"}).status_code == 403
    assert ran == ["started"]


def test_a_failure_is_a_deny_and_tells_nothing(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "fallgate"):
        answer = client.get("/orders/broken", headers={"x-role": "buyer"})
    assert answer.status_code == 403
    assert "hunter2" not in answer.text
    assert "hunter2" in caplog.text
    assert ran == ["started"]


def test_a_websocket_is_decided_before_it_is_accepted(client: TestClient) -> None:
    with client.websocket_connect("/chat", headers={"x-role": "buyer"}) as websocket:
        assert websocket.receive_text() == "hello"
    assert ran == ["started", "chat"]
    with pytest.raises(WebSocketDisconnect) as caught:
        with client.websocket_connect("/chat", headers={"x-role": "guest"}):
            pass
    assert caught.value.code == 1008
    assert ran == ["started", "chat"]


def test_a_scope_that_is_not_known_is_not_passed_on(pack: dict[str, Any]) -> None:
    import asyncio

    async def app(*_: Any) -> None:
        ran.append("ran")

    ran.clear()
    middleware = FallgateMiddleware(app, fallgate.Engine.open(pack), parts)
    with pytest.raises(RuntimeError, match="'quic'"):
        asyncio.run(middleware({"type": "quic"}, app, app))
    assert ran == []
