"""Requests as Python has them: every form that is taken, and every value that is not."""

from __future__ import annotations

import collections
import enum
import ipaddress
import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import InitVar, dataclass, field
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

import pytest
from conftest import START, buyer, order

import fallgate

Ship = Callable[..., fallgate.Decision]


class Name(str):
    """A text that lies about itself wherever it can."""

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return hash(str.__str__(self))

    def __str__(self) -> str:
        return "buyer"

    def encode(self, *_: Any) -> bytes:
        return b"buyer"


class Number(int):
    """A number that lies about itself wherever it can."""

    def __index__(self) -> int:
        return 3

    def __int__(self) -> int:
        return 3

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = int.__hash__


@dataclass
class Buyer:
    id: str
    roles: list[str]
    token: InitVar[str] = ""
    type: ClassVar[str] = "user"


@dataclass(frozen=True, slots=True)
class Order:
    id: str
    type: str = "order"
    properties: Mapping[str, Any] = field(default_factory=dict)


class Record:
    """An object of the host's own, with what an entity has."""

    def __init__(self, type: str, id: str, properties: Any) -> None:
        self.type, self.id, self.properties = type, id, properties


def read(engine: fallgate.Engine, subject: Any, resource: Any = None, action: Any = "order:read") -> fallgate.Decision:
    return engine.decide(subject=subject, action=action, resource=order() if resource is None else resource, now=START)


@pytest.mark.parametrize(
    "subject",
    [
        buyer(),
        types.MappingProxyType(buyer()),
        collections.OrderedDict(buyer()),
        collections.ChainMap({}, buyer()),
        fallgate.Entity("user", "ann", {"roles": ["buyer"]}),
        fallgate.Entity("user", "ann", types.MappingProxyType({"roles": ("buyer",)})),
        Record("user", "ann", {"roles": ["buyer"]}),
        Record("user", "ann", Buyer("ann", ["buyer"])),
        Buyer("ann", ["buyer"]),
        types.SimpleNamespace(type="user", id="ann", properties={"roles": ["buyer"]}),
    ],
    ids=lambda subject: type(subject).__name__,
)
def test_an_entity_takes_the_form_that_the_host_has(engine: fallgate.Engine, subject: Any) -> None:
    assert read(engine, subject).rule == "buyers-read"
    (decision,) = engine.decide_many([{"subject": subject, "action": {"name": "order:read"}, "resource": order()}], now=START)
    assert decision.rule == "buyers-read"
    assert read(engine, buyer(), Order("o-1")).rule == "buyers-read"


def test_an_action_is_a_name_or_an_object(engine: fallgate.Engine) -> None:
    class Action(str, enum.Enum):
        CLOSE = "order:close"

    forced = {"forced": True}
    for action in (
        {"name": "order:close", "properties": forced},
        types.SimpleNamespace(name=Action.CLOSE, properties=forced),
        types.MappingProxyType({"name": "order:close", "properties": forced}),
    ):
        assert read(engine, buyer(), action=action).rule == "forced"
    assert read(engine, buyer(), action=Action.CLOSE).reason == "indeterminate"
    assert read(engine, buyer(), action={"name": "order:burn"}).reason == "unknown_action"


@pytest.mark.parametrize("value", [True, False])
def test_a_boolean_is_no_number_and_a_number_no_boolean(ship: Ship, value: bool) -> None:
    assert ship({"staff": value}).allowed is value
    assert ship({"staff": int(value)}).reason == "invalid_request"
    assert ship({"risk": value}).reason == "invalid_request"
    assert ship({"tags": {"level": value}}).reason == "indeterminate"


def test_numbers_keep_their_value(ship: Ship) -> None:
    assert ship({"risk": 0.25}).rule == "calm"
    assert ship({"risk": 0}).rule == "calm"
    assert ship({"risk": type("Ratio", (float,), {"__float__": lambda _: 0.0})(0.75)}).reason != "allowed_by_rule"
    assert ship({"tags": {"level": 3}}).rule == "tagged"
    assert ship({"tags": {"level": enum.IntEnum("Level", {"THREE": 3})(3)}}).rule == "tagged"
    assert not ship({"tags": {"level": Number(4)}})
    assert ship({"tags": {"level": Number(3)}}).rule == "tagged"


def test_texts_keep_their_value(engine: fallgate.Engine) -> None:
    assert not read(engine, buyer(roles=[Name("guest")]))
    assert read(engine, buyer(roles=[Name("buyer")])).rule == "buyers-read"
    assert read(engine, {"type": Name("robot"), "id": "ann", "properties": {"roles": ["buyer"]}}).reason == "invalid_request"
    key = {Name("roles"): ["buyer"]}
    assert read(engine, {"type": "user", "id": "ann", "properties": key}).rule == "buyers-read"


def test_times_and_addresses_are_their_texts(ship: Ship) -> None:
    old = datetime(2019, 12, 31, 23, 59, tzinfo=timezone.utc)
    assert ship({"since": old}).rule == "old-hands"
    assert not ship({"since": datetime(2020, 1, 1, tzinfo=timezone.utc)})
    # 2020-01-01T00:30 in Paris is still 2019 in UTC.
    assert ship({"since": datetime(2020, 1, 1, 0, 30, tzinfo=timezone(timedelta(hours=1)))}).rule == "old-hands"
    assert ship(context={"waited": timedelta(seconds=90)}).rule == "patient"
    assert not ship(context={"waited": timedelta(seconds=89, microseconds=999_999)})
    assert not ship(context={"waited": timedelta(seconds=-90)})
    assert ship(context={"waited": timedelta(days=400, microseconds=1)}).rule == "patient"
    assert ship(context={"ip": ipaddress.ip_address("10.1.2.3")}).rule == "from-home"
    assert not ship(context={"ip": ipaddress.ip_address("2001:db8::1")})
    assert ship(context={"net": ipaddress.ip_network("192.0.2.0/24")}).rule == "whole-net"
    assert not ship(context={"net": ipaddress.ip_network("2001:db8::/32")})
    # An interface is an address that also knows its network: it counts as the address.
    assert ship(context={"ip": ipaddress.ip_interface("10.1.2.3/24")}).rule == "from-home"


def test_what_is_absent_is_not_made_up(engine: fallgate.Engine) -> None:
    lists: collections.defaultdict[str, Any] = collections.defaultdict(lambda: ["buyer"])
    decision = read(engine, {"type": "user", "id": "ann", "properties": lists})
    assert (decision.reason, decision.detail) == ("invalid_request", "`subject.roles` is missing")
    assert not lists, "reading must not add anything"


def test_none_is_null_and_not_absent(ship: Ship) -> None:
    assert ship({"risk": None}).reason == "invalid_request"
    assert ship(context=None).reason == "indeterminate"


class Raising:
    """Raises in whatever is asked of it."""

    def __init__(self, error: BaseException) -> None:
        self.__dict__["error"] = error

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("__") and name != "__len__":
            return object.__getattribute__(self, name)
        raise object.__getattribute__(self, "__dict__")["error"]


class Hostile(Mapping[str, Any]):
    """A mapping that raises where it is told to."""

    def __init__(self, content: dict[str, Any], raises: str, error: BaseException) -> None:
        self.content, self.raises, self.error = content, raises, error

    def _do(self, name: str) -> None:
        if self.raises == name:
            raise self.error

    def __getitem__(self, key: str) -> Any:
        self._do("getitem")
        return self.content[key]

    def __len__(self) -> int:
        self._do("len")
        return len(self.content)

    def __iter__(self) -> Iterator[str]:
        self._do("iter")
        return iter(self.content)


class Key(str):
    """A key whose hash or comparison raises, once it is in a dict."""

    armed = False
    part = ""

    def __hash__(self) -> int:
        if self.armed and self.part == "hash":
            raise ValueError("secret")
        return str.__hash__(self)

    def __eq__(self, other: object) -> bool:
        if self.armed and self.part == "eq":
            raise ValueError("secret")
        return str.__eq__(self, other)


@pytest.mark.parametrize("raises", ["getitem", "len"])
@pytest.mark.parametrize("error", [ValueError("secret"), RecursionError("secret"), MemoryError("secret"), TypeError("secret")])
def test_a_mapping_that_raises_denies(engine: fallgate.Engine, raises: str, error: Exception) -> None:
    good = {"roles": ["buyer"]}
    asked: list[Any] = [
        Hostile(buyer(), raises, error) if raises == "getitem" else {**buyer(), "properties": Hostile(good, raises, error)},
        {"type": "user", "id": "ann", "properties": Hostile(good, raises, error)},
        fallgate.Entity("user", "ann", Hostile(good, raises, error)),
    ]
    for subject in asked:
        decision = read(engine, subject)
        assert (decision.allowed, decision.reason) == (False, "invalid_request")
        assert decision.detail is not None
        assert f"raised `{type(error).__name__}` when it was read" in decision.detail
        assert "secret" not in decision.to_json()
        (many,) = engine.decide_many([{"subject": subject, "action": {"name": "order:read"}, "resource": order()}])
        assert many.reason == "invalid_request"


@pytest.mark.parametrize("part", ["hash", "eq"])
def test_a_key_that_raises_denies(engine: fallgate.Engine, part: str) -> None:
    key = Key("roles")
    subject = {"type": "user", "id": "ann", "properties": {key: ["buyer"]}}
    assert read(engine, subject).allowed
    key.part, key.armed = part, True
    decision = read(engine, subject)
    # A dict keeps the hash of its keys and compares by it first: only what is really asked can raise.
    if part == "eq":
        assert decision.reason == "invalid_request"
        assert decision.detail == "the request's `subject.properties.roles` raised `ValueError` when it was read"
    else:
        assert decision.allowed


def test_an_object_that_raises_denies(engine: fallgate.Engine) -> None:
    raising = Raising(ValueError("secret"))
    for asked in (
        {"subject": raising},
        {"subject": {"type": "user", "id": "ann", "properties": raising}},
        {"subject": {"type": raising, "id": "ann"}},
        {"subject": buyer(roles=raising)},
        {"subject": buyer(roles=[raising])},
        {"action": raising},
        {"resource": raising},
        {"context": raising},
        {"context": {"ip": raising}},
    ):
        request = {"subject": buyer(), "action": "order:read", "resource": order(), **asked}
        decision = engine.decide(**request, now=START)
        assert (decision.allowed, decision.reason) == (False, "invalid_request"), asked
        assert "secret" not in decision.to_json()


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3), GeneratorExit()])
def test_an_interrupt_goes_on_to_the_caller(engine: fallgate.Engine, error: BaseException) -> None:
    subject = {"type": "user", "id": "ann", "properties": Hostile({}, "getitem", error)}
    with pytest.raises(type(error)):
        read(engine, subject)
    with pytest.raises(type(error)):
        engine.decide_many([{"subject": subject, "action": {"name": "order:read"}, "resource": order()}])


def test_cycles_end(engine: fallgate.Engine, ship: Ship) -> None:
    around: dict[str, Any] = {}
    around["again"] = around
    inside: list[Any] = []
    inside.append(inside)
    for hostile in (around, inside, {"a": inside}, [around]):
        assert ship({"note": hostile}).reason == "limit_exceeded"
    assert ship({"note": 1, **around}).reason == "indeterminate", "what the policy does not read is not looked at"
    self_made: Any = {"type": "user", "id": "ann"}
    self_made["properties"] = self_made
    assert read(engine, self_made).reason == "invalid_request"


def nested(levels: int) -> Any:
    value: Any = 1
    for level in range(levels):
        value = [value] if level % 2 else {"a": value}
    return value


def test_depth_is_bounded_as_in_json(ship: Ship, engine: fallgate.Engine) -> None:
    # 32 levels in all: the request, the subject and its properties are the first three.
    assert ship({"note": nested(29)}).reason == "indeterminate"
    decision = ship({"note": nested(30)})
    assert (decision.reason, decision.detail) == ("limit_exceeded", "the request exceeds the limit of 32 levels")
    assert ship({"note": nested(100_000)}).reason == "limit_exceeded"


def test_size_is_bounded(ship: Ship) -> None:
    assert ship({"note": [0] * 9_000}).reason == "indeterminate"
    for hostile in (
        {"note": [0] * 10_001},
        {"note": [[0] * 100] * 100},
        {"note": {str(number): 0 for number in range(1_000_000)}},
        {str(number): 0 for number in range(1_000_000)},
        {"note": "x" * (1 << 20)},
        {"note": ["x" * (1 << 10)] * 1_024},
    ):
        assert ship(hostile).reason == "limit_exceeded"


def test_a_mapping_without_an_end_ends(ship: Ship) -> None:
    class Endless(Mapping[str, Any]):
        def __getitem__(self, key: str) -> Any:
            return 0

        def __len__(self) -> int:
            return 1

        def __iter__(self) -> Iterator[str]:
            number = 0
            while True:
                yield str(number)
                number += 1

    class EndlessItems(Endless):
        def items(self) -> Any:
            return ((key, 0) for key in self)

    assert ship({"note": Endless()}).reason == "limit_exceeded"
    assert ship({"note": EndlessItems()}).reason == "limit_exceeded"


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (float("nan"), "is no finite number"),
        (float("inf"), "is no finite number"),
        (-float("inf"), "is no finite number"),
        (2**64, "is a whole number beyond 64 bits"),
        (-(2**63) - 1, "is a whole number beyond 64 bits"),
        ("\ud800", "holds a lone surrogate, which is no text"),
        ({"\udfff": 1}, "holds a lone surrogate, which is no text"),
        ({1: 1}, "has a key that is no text"),
        ({None: 1}, "has a key that is no text"),
        (datetime(2019, 1, 1), "is a datetime without a time zone"),
        (date(2019, 1, 1), "is a date"),
        (time(12), "is of the type `time`"),
        (Decimal("1.5"), "is of the type `Decimal`"),
        (1j, "is of the type `complex`"),
        (b"buyer", "is bytes"),
        ({"buyer"}, "is a set"),
        (frozenset({"buyer"}), "is a set"),
        (UUID(int=1), "is of the type `UUID`"),
        (enum.Enum("Role", {"BUYER": "buyer"})("buyer"), "is an Enum that is neither str nor int"),
        (object(), "is of the type `object`"),
        (iter([1]), "is of the type `list_iterator`"),
        (type, "is of the type `type`"),
        (print, "is of the type `builtin_function_or_method`"),
    ],
    ids=str,
)
def test_what_has_no_counterpart_is_refused_by_name(ship: Ship, value: Any, problem: str) -> None:
    for place, note in (("note", value), ("note[1]", [0, value]), ("note.deep.er", {"deep": {"er": value}})):
        decision = ship({"note": note})
        assert (decision.allowed, decision.reason) == (False, "invalid_request")
        assert decision.detail is not None
        assert decision.detail.startswith(f"the request's `subject.properties.{place}` {problem}"), decision.detail


def test_the_greatest_numbers_are_taken(ship: Ship) -> None:
    for number in (2**63 - 1, -(2**63), 2**63, 2**64 - 1):
        assert ship({"note": number}).reason == "indeterminate"


@pytest.mark.parametrize("entity", [None, 5, "ann", [], ["user", "ann"], {}, {"type": "user"}, {"id": "ann"}, object()])
def test_what_is_no_entity_is_refused(engine: fallgate.Engine, entity: Any) -> None:
    for asked in ({"subject": entity}, {"resource": entity}):
        decision = engine.decide(**{"subject": buyer(), "action": "order:read", "resource": order(), **asked}, now=START)
        assert decision.reason == "invalid_request"
        assert decision.detail is not None and next(iter(asked)) in decision.detail


@pytest.mark.parametrize("name", [5, "", "a\0b", "\ud800", "x" * 1_025, None, ["user"], b"user"])
def test_identifiers_are_texts_within_bounds(engine: fallgate.Engine, name: Any) -> None:
    for member in ("type", "id"):
        assert read(engine, {**buyer(), member: name}).reason in ("invalid_request", "limit_exceeded")
        assert read(engine, buyer(), {**order(), member: name}).reason in ("invalid_request", "limit_exceeded")
    assert read(engine, buyer(), action={"name": name}).reason in ("invalid_request", "limit_exceeded")


def test_two_keys_of_one_text_are_refused(ship: Ship) -> None:
    class Pairs(Mapping[str, Any]):
        def __getitem__(self, key: str) -> Any:
            return 0

        def __len__(self) -> int:
            return 2

        def __iter__(self) -> Iterator[str]:
            return iter(["level", "level"])

    class Odd(Pairs):
        def items(self) -> Any:
            return [("level",)]

    decision = ship({"tags": Pairs()})
    assert decision.detail == "the request's `subject.properties.tags` has two keys of one text"
    assert ship({"tags": Odd()}).reason == "invalid_request"


def test_a_value_that_changes_what_it_is_read_from(engine: fallgate.Engine, ship: Ship) -> None:
    class Clearing(Mapping[str, Any]):
        """Empties the list that it stands in while it is read."""

        def __init__(self, target: Any) -> None:
            self.target = target

        def __getitem__(self, key: str) -> Any:
            raise KeyError(key)

        def __len__(self) -> int:
            self.target.clear()
            return 0

        def __iter__(self) -> Iterator[str]:
            return iter(())

    items: list[Any] = []
    items.extend([Clearing(items), "buyer"])
    assert read(engine, buyer(roles=items)).reason == "invalid_request"
    members: dict[str, Any] = {}
    members.update(first=Clearing(members), second="x")
    assert ship({"note": members}).reason == "indeterminate"


def test_a_value_that_activates_another_bundle_is_read_for_it(pack: dict[str, Any]) -> None:
    engine = fallgate.Engine.open(pack, now=START)
    newer = {**pack, "revision": 5}
    newer["schema"]["context"]["banned"] = {"type": "bool", "default": True}
    newer["rules"] = [{"id": "welcome", "effect": "allow", "when": "!context.banned", "accepts_information_loss": "a test"}]

    class Meanwhile(Mapping[str, Any]):
        times = 0

        def __getitem__(self, key: str) -> Any:
            if key == "roles":
                self.times += 1
                if self.times == 1:
                    engine.activate(newer, now=START)
                return []
            raise KeyError(key)

        def __len__(self) -> int:
            return 1

        def __iter__(self) -> Iterator[str]:
            return iter(["roles"])

    subject = {"type": "user", "id": "ann", "properties": Meanwhile()}
    decision = engine.decide(subject=subject, action="order:ship", resource=order(), context={"banned": False}, now=START)
    assert (decision.rule, decision.revision) == ("welcome", 5)
    assert subject["properties"].times == 2  # type: ignore[union-attr]


@pytest.mark.parametrize("request_", [5, None, [], {}, {"subject": buyer()}, object(), {"subject": buyer(), "action": 5, "resource": order()}])
def test_an_item_that_is_no_request_is_denied_in_its_place(engine: fallgate.Engine, request_: Any) -> None:
    good = {"subject": buyer(), "action": {"name": "order:read"}, "resource": order()}
    decisions = engine.decide_many([good, request_, good], now=START)
    assert [decision.reason for decision in decisions] == ["allowed_by_rule", "invalid_request", "allowed_by_rule"]


def test_json_is_decided_as_what_it_says(engine: fallgate.Engine) -> None:
    text = (
        '{"subject":{"type":"user","id":"änn","properties":{"roles":["buyer"]}},'
        '"action":{"name":"order:read"},"resource":{"type":"order","id":"o-1"}}'
    )
    for request in (text, text.encode(), bytearray(text.encode())):
        assert engine.decide_json(request, now=START).rule == "buyers-read"
        assert engine.decide_many([request], now=START)[0].rule == "buyers-read"
    for broken in ("", "{", "\ud800", b"\xff", text + "x", "x" * (1 << 20) + "x"):
        decision = engine.decide_json(broken, now=START)
        assert not decision and decision.reason in ("invalid_request", "limit_exceeded")
        assert engine.decide_many([broken], now=START)[0].reason == decision.reason
    for no_text in (5, None, {}, memoryview(b"{}")):
        with pytest.raises(TypeError, match="bytes, bytearray or str"):
            engine.decide_json(no_text)  # type: ignore[arg-type]


def test_parts_are_named(engine: fallgate.Engine) -> None:
    with pytest.raises(TypeError):
        engine.decide(buyer(), "order:read", order())  # type: ignore[call-arg, misc]
    with pytest.raises(TypeError):
        engine.decide(subject=buyer(), action="order:read")  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        engine.decide(subject=buyer(), action="order:read", resource=order(), contxt={})  # type: ignore[call-arg]
