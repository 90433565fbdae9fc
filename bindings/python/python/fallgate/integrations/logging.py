"""Decisions and events in the logs of the host: the logger `fallgate`, with what was decided as fields of the record."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..engine import Engine

if TYPE_CHECKING:
    from .._fallgate import Decision, Now

__all__ = ["LoggedEngine", "level", "log_events"]

_log = logging.getLogger("fallgate")
#: How much an event matters to whoever reads logs.
_SEVERITIES = {"info": logging.INFO, "ticket": logging.WARNING, "page": logging.ERROR}


class LoggedEngine(Engine):
    """An engine that logs each decision at its `level`, with `fallgate_reason`, `fallgate_rule`, `fallgate_bundle`,
    `fallgate_revision` and `fallgate_decision_id` as fields of the record.

    No attribute of a request is logged. A record that cannot be written changes no decision.
    """

    __slots__ = ()

    def decide(
        self, *, subject: object, action: object, resource: object, context: object = None, now: Now | tuple[int, int] | None = None
    ) -> Decision:
        return _logged(super().decide(subject=subject, action=action, resource=resource, context=context, now=now))

    def decide_json(self, request: bytes | bytearray | str, *, now: Now | tuple[int, int] | None = None) -> Decision:
        return _logged(super().decide_json(request, now=now))

    def decide_many(self, requests: Iterable[object], *, now: Now | tuple[int, int] | None = None) -> list[Decision]:
        return [_logged(decision) for decision in super().decide_many(requests, now=now)]


def level(decision: Decision) -> int:
    """How much a decision matters to whoever reads logs.

    An error where the engine itself failed; a warning where a signal was not ok or an allow is not by the rules alone;
    information for any other deny, and what is only of use in debugging for any other allow.
    """
    if decision.reason == "internal_error":
        return logging.ERROR
    if decision.degraded or decision.information_loss or (decision.allowed and decision.reason != "allowed_by_rule"):
        return logging.WARNING
    return logging.DEBUG if decision.allowed else logging.INFO


def log_events(engine: Engine) -> int:
    """Logs the events that were not polled yet; gives their number. A host calls it now and then.

    One that somebody has to know of now (`page`) is an error, one for working hours (`ticket`) a warning, any other
    information. The fields of the record are `fallgate_event`, `fallgate_severity` and `fallgate_runbook`.
    """
    number = 0
    for event in engine.events():
        number += 1
        fields = {
            "fallgate_event": event.to_dict(),
            "fallgate_severity": event.severity,
            "fallgate_runbook": event.runbook,
        }
        _log.log(_SEVERITIES[event.severity], "%s", event.kind, extra=fields)
    return number


def _logged(decision: Decision) -> Decision:
    # A filter of the host may raise, where a handler's errors are caught.
    with contextlib.suppress(Exception):
        at = level(decision)
        if _log.isEnabledFor(at):
            fields = {
                "fallgate_reason": decision.reason,
                "fallgate_rule": decision.rule,
                "fallgate_bundle": decision.bundle,
                "fallgate_revision": decision.revision,
                "fallgate_decision_id": decision.id,
            }
            effect = "allow" if decision.allowed else "deny"
            _log.log(at, "%s: %s (%s)", effect, decision.reason, decision.id, extra=fields)
    return decision
