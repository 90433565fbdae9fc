"""The Django middleware in a real project, through its real clients, synchronous and asynchronous."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import django
import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client, override_settings
from django.urls import path

import fallgate

ran: list[str] = []
MIDDLEWARE = "fallgate.integrations.django.FallgateMiddleware"

if not settings.configured:
    settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="of the tests", MIDDLEWARE=[MIDDLEWARE])
    django.setup()


def show(request: HttpRequest, order_id: str) -> HttpResponse:
    ran.append(order_id)
    return HttpResponse(request.fallgate_decision.rule)


async def show_later(request: HttpRequest, order_id: str) -> HttpResponse:
    return show(request, order_id)


def inside(request: HttpRequest) -> HttpResponse:
    settings.FALLGATE_ENGINE.enforce(
        subject=fallgate.Entity("user", "ann", {"roles": []}), action="order:read", resource=fallgate.Entity("order", "1")
    )
    return HttpResponse("never")


urlpatterns = [
    path("orders/<order_id>", show),
    path("later/<order_id>", show_later),
    path("inside", inside),
]


def parts(request: HttpRequest, view: Any, args: Any, kwargs: dict[str, Any]) -> dict[str, Any]:
    order_id = kwargs.get("order_id", "-")
    if order_id == "broken":
        raise LookupError("the session store says: hunter2")
    subject = {"type": "user", "id": "ann", "properties": {"roles": request.headers.get("x-role", "").split(), "limit": 5}}
    action = "order:refund" if "refund" in request.GET else "order:read"
    return {"subject": subject, "action": action, "resource": {"type": "order", "id": order_id, "properties": {"amount": 1}}}


@pytest.fixture(autouse=True)
def project(pack: dict[str, Any]) -> Iterator[None]:
    ran.clear()
    engine = fallgate.Engine.open(pack)
    engine.observe("idp", "ok")
    with override_settings(FALLGATE_ENGINE=engine, FALLGATE_PARTS=f"{__name__}.parts"):
        yield


def get(kind: str, url: str, role: str = "guest") -> Any:
    if kind == "sync":
        return Client().get(url, headers={"x-role": role})

    async def run() -> Any:
        return await AsyncClient().get(url, headers={"x-role": role})

    return asyncio.run(run())


def denied(answer: Any) -> bool:
    if answer.status_code == 200:
        return False
    assert (answer.status_code, answer["content-type"]) == (403, "application/problem+json")
    assert answer["cache-control"] == "no-store"
    assert b"hunter2" not in answer.content
    return True


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize("view", ["orders", "later"])
def test_views_are_decided_before_they_run(kind: str, view: str) -> None:
    answer = get(kind, f"/{view}/7", "buyer")
    assert (answer.status_code, answer.content) == (200, b"buyers-read")
    assert denied(get(kind, f"/{view}/7"))
    assert denied(get(kind, f"/{view}/broken", "buyer"))
    # The refund asks for obligations that nobody here fulfils.
    assert denied(get(kind, f"/{view}/7?refund", "agent"))
    assert ran == ["7"]


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_obligations_are_fulfilled_before_the_view(kind: str) -> None:
    handlers = {"notify": lambda one: ran.append(one.id), "log": lambda one: ran.append(one.id)}
    with override_settings(FALLGATE_OBLIGATIONS=handlers):
        assert not denied(get(kind, "/orders/7?refund", "agent"))
    assert ran == ["tell-risk", "write-down", "7"]


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_deny_that_a_view_lets_through_is_an_answer(kind: str) -> None:
    assert denied(get(kind, "/inside", "buyer"))


def test_settings_that_are_missing_stop_the_start() -> None:
    from django.core.handlers.wsgi import WSGIHandler

    for wrong in ({"FALLGATE_ENGINE": 5}, {"FALLGATE_ENGINE": lambda: None}, {"FALLGATE_PARTS": 5}):
        with override_settings(**wrong), pytest.raises(ImproperlyConfigured):
            WSGIHandler()
    with override_settings():
        del settings.FALLGATE_PARTS
        with pytest.raises(ImproperlyConfigured, match="FALLGATE_PARTS is missing"):
            WSGIHandler()


def test_an_engine_may_be_opened_by_a_function(pack: dict[str, Any]) -> None:
    with override_settings(FALLGATE_ENGINE=lambda: fallgate.Engine.open(pack)):
        assert not denied(get("sync", "/orders/7", "buyer"))
