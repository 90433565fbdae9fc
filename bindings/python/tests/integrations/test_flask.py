"""The Flask extension in a real application, through its real client."""

from __future__ import annotations

from typing import Any

import flask
import pytest

import fallgate
from fallgate.integrations.flask import Fallgate

ran: list[str] = []


def user() -> dict[str, Any]:
    roles = flask.request.headers.getlist("x-role")
    return {"type": "user", "id": "ann", "properties": {"roles": roles, "limit": 500}}


def parts() -> dict[str, Any]:
    if flask.request.path == "/orders/broken":
        raise LookupError("the session store says: hunter2")
    order_id = (flask.request.view_args or {}).get("order_id", "-")
    return {"subject": user(), "action": "order:read", "resource": {"type": "order", "id": order_id}}


@pytest.fixture
def engine(pack: dict[str, Any]) -> fallgate.Engine:
    ran.clear()
    engine = fallgate.Engine.open(pack)
    engine.observe("idp", "ok")
    return engine


def denied(answer: Any) -> bool:
    if answer.status_code == 200:
        return False
    assert (answer.status_code, answer.content_type) == (403, "application/problem+json")
    assert answer.headers["cache-control"] == "no-store"
    assert b"hunter2" not in answer.data
    return True


def test_a_whole_application_is_guarded(engine: fallgate.Engine) -> None:
    app = flask.Flask(__name__)
    extension = Fallgate(engine, app, parts=parts)
    assert app.extensions["fallgate"] is extension

    @app.get("/orders/<order_id>")
    def show(order_id: str) -> str:
        ran.append(order_id)
        return str(flask.g.fallgate_decision.rule)

    client = app.test_client()
    assert client.get("/orders/7", headers={"x-role": "buyer"}).text == "buyers-read"
    assert denied(client.get("/orders/7"))
    assert denied(client.get("/orders/broken", headers={"x-role": "buyer"}))
    # What no view serves is decided too: whoever may not look is not told what is there.
    assert denied(client.get("/nothing"))
    assert ran == ["7"]


def test_views_are_guarded_one_by_one(engine: fallgate.Engine) -> None:
    app = flask.Flask(__name__)
    extension = Fallgate(engine, obligations={"notify": lambda one: ran.append(one.id), "log": lambda one: None})
    extension.init_app(app)

    @app.post("/orders/<order_id>/refund/<int:amount>")
    @extension.guard(
        "order:refund",
        subject=lambda **_: user(),
        resource=lambda order_id, amount: {"type": "order", "id": order_id, "properties": {"amount": amount}},
    )
    def refund(order_id: str, amount: int) -> str:
        ran.append(order_id)
        return "done"

    @app.get("/inside")
    def inside() -> str:
        engine.enforce(**parts())
        return "done"

    client = app.test_client()
    agent = {"x-role": "agent"}
    assert client.post("/orders/7/refund/500", headers=agent).text == "done"
    assert ran == ["tell-risk", "7"]
    assert denied(client.post("/orders/7/refund/501", headers=agent))
    assert denied(client.get("/inside"))
    assert not denied(client.get("/inside", headers={"x-role": "buyer"}))
    assert ran == ["tell-risk", "7"]


def test_a_failure_is_a_deny_in_debugging_too(engine: fallgate.Engine) -> None:
    app = flask.Flask(__name__)
    app.testing = True
    Fallgate(engine, app, parts=parts)
    app.add_url_rule("/orders/<order_id>", view_func=lambda order_id: ran.append(order_id) or "done")
    assert denied(app.test_client().get("/orders/broken", headers={"x-role": "buyer"}))
    assert ran == []
