"""Spans for decisions: what was decided and why, and nothing of who asked for what."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from opentelemetry import trace
from opentelemetry.util.types import AttributeValue

from .. import __version__
from ..engine import Engine

if TYPE_CHECKING:
    from .._fallgate import Decision, Now

__all__ = ["TracedEngine"]

_T = TypeVar("_T")
_log = logging.getLogger("fallgate")
_tracer = trace.get_tracer("fallgate", __version__)


class TracedEngine(Engine):
    """An engine that records a span for each call that decides: `fallgate.decide` or `fallgate.decide_many`.

    The attributes begin with `fallgate.`: `allowed`, `reason`, `rule`, `bundle`, `revision`, `cached`, `degraded` and
    `decision_id`; of a batch, `decisions` and `denied`, their numbers. No attribute of a request is recorded. Spans that
    cannot be recorded are logged and change no decision.
    """

    __slots__ = ()

    def decide(
        self, *, subject: object, action: object, resource: object, context: object = None, now: Now | tuple[int, int] | None = None
    ) -> Decision:
        return _traced(
            "fallgate.decide",
            lambda: super(TracedEngine, self).decide(
                subject=subject, action=action, resource=resource, context=context, now=now
            ),
            _of_one,
        )

    def decide_json(self, request: bytes | bytearray | str, *, now: Now | tuple[int, int] | None = None) -> Decision:
        return _traced("fallgate.decide", lambda: super(TracedEngine, self).decide_json(request, now=now), _of_one)

    def decide_many(
        self, requests: Iterable[object], *, now: Now | tuple[int, int] | None = None
    ) -> list[Decision]:
        return _traced("fallgate.decide_many", lambda: super(TracedEngine, self).decide_many(requests, now=now), _of_many)


def _of_one(decision: Decision) -> dict[str, AttributeValue]:
    attributes: dict[str, AttributeValue] = {
        "fallgate.allowed": decision.allowed,
        "fallgate.reason": decision.reason,
        "fallgate.bundle": decision.bundle,
        "fallgate.revision": decision.revision,
        "fallgate.cached": decision.cached,
        "fallgate.decision_id": decision.id,
    }
    if decision.rule is not None:
        attributes["fallgate.rule"] = decision.rule
    if decision.degraded:
        attributes["fallgate.degraded"] = decision.degraded
    return attributes


def _of_many(decisions: list[Decision]) -> dict[str, AttributeValue]:
    denied = sum(not decision.allowed for decision in decisions)
    return {"fallgate.decisions": len(decisions), "fallgate.denied": denied}


def _traced(name: str, decide: Callable[[], _T], describe: Callable[[_T], dict[str, Any]]) -> _T:
    span: trace.Span | None = None
    try:
        span = _tracer.start_span(name, kind=trace.SpanKind.INTERNAL)
    except Exception:
        _log.exception("a span could not be started")
    try:
        decided = decide()
    except BaseException as error:
        _ended(span, lambda span: span.record_exception(error))
        raise
    _ended(span, lambda span: span.set_attributes(describe(decided)))
    return decided


def _ended(span: trace.Span | None, record: Callable[[trace.Span], object]) -> None:
    if span is None:
        return
    try:
        record(span)
        span.end()
    except Exception:
        _log.exception("a span could not be recorded")
