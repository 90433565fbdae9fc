"""The FastAPI dependency in a real application, through its real client."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI, Header
from fastapi.testclient import TestClient

import fallgate
from fallgate.integrations.fastapi import install, requires

ran: list[str] = []


def user(x_role: Annotated[str, Header()] = "guest") -> fallgate.Entity:
    return fallgate.Entity("user", "ann", {"roles": [x_role], "limit": 500})


async def item(order_id: int, amount: int = 1) -> fallgate.Entity:
    return fallgate.Entity("order", str(order_id), {"amount": amount})


async def tell(obligation: fallgate.Obligation) -> None:
    ran.append(obligation.id)


def application(engine: fallgate.Engine) -> FastAPI:
    app = FastAPI()
    reads = requires(engine, "order:read", subject=user, resource=item)
    refunds = requires(engine, "order:refund", subject=user, resource=item, obligations={"notify": tell, "log": tell})
    unfulfilled = requires(engine, "order:refund", subject=user, resource=item, obligations={"notify": tell})
    fixed = requires(engine, "order:read", subject=fallgate.Entity("user", "b", {"roles": ["buyer"]}), resource={"type": "order", "id": "1"})

    @app.get("/orders/{order_id}")
    def show(order_id: int, decision: fallgate.Decision = Depends(reads)) -> dict[str, Any]:
        ran.append(f"show {order_id}")
        return {"rule": decision.rule}

    @app.post("/orders/{order_id}/refund", dependencies=[Depends(refunds)])
    async def refund(order_id: int) -> str:
        ran.append(f"refund {order_id}")
        return "done"

    @app.post("/orders/{order_id}/unfulfilled", dependencies=[Depends(unfulfilled)])
    async def never(order_id: int) -> str:
        ran.append("never")
        return "done"

    @app.get("/inside")
    def inside() -> str:
        engine.enforce(subject=user(), action="order:read", resource={"type": "order", "id": "1"})
        return "done"

    @app.get("/fixed", dependencies=[Depends(fixed)])
    def always() -> str:
        return "done"

    return app


@pytest.fixture
def engine(pack: dict[str, Any]) -> fallgate.Engine:
    ran.clear()
    engine = fallgate.Engine.open(pack)
    engine.observe("idp", "ok")
    return engine


@pytest.fixture
def client(engine: fallgate.Engine) -> Iterator[TestClient]:
    app = application(engine)
    install(app)
    with TestClient(app) as client:
        yield client


def test_what_is_allowed_runs_with_its_decision(client: TestClient) -> None:
    answer = client.get("/orders/7", headers={"x-role": "buyer"})
    assert (answer.status_code, answer.json()) == (200, {"rule": "buyers-read"})
    assert client.get("/fixed").status_code == 200
    assert ran == ["show 7"]


def test_what_is_denied_is_a_problem_and_does_not_run(client: TestClient) -> None:
    for answer in (client.get("/orders/7"), client.get("/inside")):
        assert (answer.status_code, answer.headers["content-type"]) == (403, "application/problem+json")
        assert sorted(answer.json()) == ["decision_id", "status", "title", "type"]
    assert ran == []


def test_without_install_a_deny_is_still_one(engine: fallgate.Engine) -> None:
    with TestClient(application(engine)) as client:
        answer = client.get("/orders/7")
        assert (answer.status_code, answer.json()) == (403, {"detail": "Forbidden"})
    assert ran == []


def test_obligations_come_before_the_operation(client: TestClient) -> None:
    agent = {"x-role": "agent"}
    assert client.post("/orders/7/refund", headers=agent).status_code == 200
    assert ran == ["tell-risk", "write-down", "refund 7"]
    assert client.post("/orders/7/refund?amount=501", headers=agent).status_code == 403
    assert client.post("/orders/7/unfulfilled", headers=agent).status_code == 403
    assert ran == ["tell-risk", "write-down", "refund 7"]


def test_what_fastapi_refuses_stays_refused(client: TestClient) -> None:
    assert client.get("/orders/seven", headers={"x-role": "buyer"}).status_code == 422
    assert ran == []
