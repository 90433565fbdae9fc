"""Enforcing and guarding: nothing runs that was not allowed, and no obligation is passed over."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

import pytest
from conftest import START, agent, buyer, order

import fallgate

REFUND: dict[str, Any] = {"subject": agent(), "action": "order:refund", "resource": order(amount=120)}


@pytest.fixture
def engine(engine: fallgate.Engine) -> fallgate.Engine:
    engine.observe("idp", "ok", now=START)
    return engine


@pytest.fixture
def live(pack: dict[str, Any]) -> fallgate.Engine:
    """An engine on the clocks of this machine, as guards have it."""
    engine = fallgate.Engine.open(pack)
    engine.observe("idp", "ok")
    return engine


def test_an_allow_without_obligations_is_given_back(engine: fallgate.Engine) -> None:
    decision = engine.enforce(subject=buyer(), action="order:read", resource=order(), now=START)
    assert decision.rule == "buyers-read"


def test_a_deny_is_raised_with_its_decision(engine: fallgate.Engine) -> None:
    with pytest.raises(fallgate.Denied) as caught:
        engine.enforce(subject=buyer(), action="order:refund", resource=order(), now=START)
    denied = caught.value
    assert isinstance(denied, fallgate.Error)
    assert (denied.code, denied.decision.reason, denied.obligation) == ("denied", "no_matching_rule", None)
    assert str(denied) == "denied: no_matching_rule"


def test_obligations_are_fulfilled_in_order(engine: fallgate.Engine) -> None:
    done: list[tuple[str, str, Any]] = []

    def handler(obligation: fallgate.Obligation) -> None:
        done.append((obligation.id, obligation.type, obligation.properties))

    decision = engine.enforce(**REFUND, obligations={"notify": handler, "log": handler, "other": handler}, now=START)
    assert decision.allowed
    assert done == [("tell-risk", "notify", {"to": "risk-desk"}), ("write-down", "log", {"level": 2})]


def test_an_obligation_without_a_handler_denies_before_any_runs(engine: fallgate.Engine) -> None:
    done: list[str] = []
    for handlers in (None, {}, {"notify": lambda one: done.append(one.id)}):
        with pytest.raises(fallgate.Denied) as caught:
            engine.enforce(**REFUND, obligations=handlers, now=START)
        assert (caught.value.code, done) == ("denied", [])
        assert caught.value.decision.allowed and caught.value.obligation is not None
    assert caught.value.obligation.id == "write-down"


def test_a_handler_that_raises_denies(engine: fallgate.Engine) -> None:
    def fails(_: fallgate.Obligation) -> None:
        raise OSError("the desk is closed")

    with pytest.raises(fallgate.Denied) as caught:
        engine.enforce(**REFUND, obligations={"notify": fails, "log": lambda _: None}, now=START)
    assert str(caught.value) == "denied: the obligation tell-risk could not be fulfilled"
    assert isinstance(caught.value.__cause__, OSError)


def test_an_awaitable_that_nobody_awaits_fulfils_nothing(engine: fallgate.Engine) -> None:
    async def later(_: fallgate.Obligation) -> None: ...

    with pytest.raises(fallgate.Denied) as caught:
        engine.enforce(**REFUND, obligations={"notify": later, "log": later}, now=START)
    assert str(caught.value) == "denied: the obligation tell-risk could not be fulfilled"


def test_asynchronous_handlers_are_awaited(engine: fallgate.Engine) -> None:
    done: list[str] = []

    async def later(obligation: fallgate.Obligation) -> None:
        await asyncio.sleep(0)
        done.append(obligation.id)

    async def fails(_: fallgate.Obligation) -> None:
        await asyncio.sleep(0)
        raise OSError("the desk is closed")

    async def run() -> None:
        decision = await engine.enforce_async(**REFUND, obligations={"notify": later, "log": lambda _: None}, now=START)
        assert decision.allowed and done == ["tell-risk"]
        with pytest.raises(fallgate.Denied, match="could not be fulfilled"):
            await engine.enforce_async(**REFUND, obligations={"notify": later, "log": fails}, now=START)

    asyncio.run(run())


def test_a_cancelled_handler_allows_nothing(engine: fallgate.Engine) -> None:
    async def waits(_: fallgate.Obligation) -> None:
        await asyncio.sleep(60)

    async def run() -> None:
        task = asyncio.ensure_future(engine.enforce_async(**REFUND, obligations={"notify": waits, "log": waits}, now=START))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())


def test_a_guard_runs_what_is_allowed(live: fallgate.Engine) -> None:
    ran: list[str] = []

    @live.guard("order:read", subject="user", resource="item")
    def show(item: Any, *, user: Any, more: str = "-") -> str:
        """Shows."""
        ran.append(item["id"])
        return f"{item['id']}{more}"

    assert show(order(), user=buyer()) == "o-1-"
    assert show(item=order(), user=buyer(), more="!") == "o-1!"
    with pytest.raises(fallgate.Denied):
        show(order(), user=buyer(roles=["guest"]))
    assert ran == ["o-1", "o-1"]
    assert (show.__name__, show.__doc__) == ("show", "Shows.")
    with pytest.raises(TypeError):
        show(order())  # type: ignore[call-arg]


def test_a_guard_takes_callables_and_what_is_fixed(live: fallgate.Engine) -> None:
    def who(item_id: str, roles: list[str]) -> dict[str, Any]:
        return buyer(roles=roles)

    @live.guard("order:read", subject=who, resource=lambda item_id, roles: {"type": "order", "id": item_id}, context={})
    def show(item_id: str, roles: list[str]) -> str:
        return item_id

    @live.guard(lambda: "order:read", subject=fallgate.Entity("user", "ann", {"roles": ["buyer"]}), resource=order())
    def all_the_same() -> int:
        return 5

    assert show("o-2", ["buyer"]) == "o-2"
    assert all_the_same() == 5
    with pytest.raises(fallgate.Denied):
        show("o-2", ["guest"])


def test_a_guard_covers_methods_and_generators(live: fallgate.Engine) -> None:
    class Desk:
        type, id = "user", "ann"

        def __init__(self, roles: list[str]) -> None:
            self.properties = {"roles": roles}

        @live.guard("order:read", subject="self", resource="item")
        def show(self, item: Any) -> str:
            return str(item["id"])

        @live.guard("order:read", subject="self", resource="item")
        def each(self, item: Any) -> Any:
            yield item["id"]

    assert Desk(["buyer"]).show(order()) == "o-1"
    assert list(Desk(["buyer"]).each(order())) == ["o-1"]
    with pytest.raises(fallgate.Denied):
        Desk(["guest"]).show(order())
    with pytest.raises(fallgate.Denied):
        # At the call, not at the first item.
        Desk(["guest"]).each(order())


def test_a_guard_of_a_coroutine_function_is_one(live: fallgate.Engine) -> None:
    ran: list[str] = []

    async def tell(_: fallgate.Obligation) -> None:
        await asyncio.sleep(0)
        ran.append("told")

    @live.guard("order:refund", subject="user", resource="item", obligations={"notify": tell, "log": lambda _: None})
    async def refund(user: Any, item: Any) -> str:
        ran.append("refunded")
        return str(item["id"])

    assert inspect.iscoroutinefunction(refund)
    assert asyncio.run(refund(agent(), order(amount=1))) == "o-1"
    assert ran == ["told", "refunded"]
    with pytest.raises(fallgate.Denied):
        asyncio.run(refund(agent(), order(amount=501)))
    assert ran == ["told", "refunded"]


def test_a_guard_whose_handler_fails_does_not_run(live: fallgate.Engine) -> None:
    ran: list[str] = []

    def fails(_: fallgate.Obligation) -> None:
        raise OSError

    @live.guard("order:refund", subject=agent(), resource=order(amount=1), obligations={"notify": fails, "log": fails})
    def refund() -> None:
        ran.append("refunded")

    with pytest.raises(fallgate.Denied, match="could not be fulfilled"):
        refund()
    assert ran == []


def test_a_guard_of_no_parameter_is_found_at_once(live: fallgate.Engine) -> None:
    def show(item: Any) -> None: ...

    wrong: list[Callable[[], Any]] = [
        lambda: live.guard("order:read", subject="user", resource="item")(show),
        lambda: live.guard("order:read", subject=buyer(), resource="order")(show),
        lambda: live.guard("order:read", subject=buyer(), resource="item", context="ctx")(show),
    ]
    for decorate in wrong:
        with pytest.raises(TypeError, match="which the function does not have"):
            decorate()


def test_what_a_selector_raises_goes_on(live: fallgate.Engine) -> None:
    ran: list[int] = []

    def nobody() -> Any:
        raise LookupError("no session")

    @live.guard("order:read", subject=nobody, resource=order())
    def show() -> None:
        ran.append(1)

    with pytest.raises(LookupError):
        show()
    assert ran == []
