"""The engine: the native one with its operations, and what Python adds to it: opening, enforcing and guarding."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from os import PathLike
from typing import TYPE_CHECKING, Any, TypeVar

from . import guarding
from ._fallgate import Decision, Event, Now, Obligation
from .limits import Limits
from .operations import Operated

__all__ = ["Engine"]

if TYPE_CHECKING:
    from typing_extensions import Self

_F = TypeVar("_F", bound=Callable[..., Any])


class Engine(Operated):
    """A policy decision point inside this process. Safe to share between threads, tasks and forked processes.

    An engine without a bundle denies everything. `key` are 16 secret bytes that hosts which take requests from strangers
    supply, so that nobody can aim at one place of the cache; `clock_skew_max` is how far the two clocks may part before
    whatever wall time bounds counts as ended. `state_key` are 32 secret bytes that seal exported state, shared by the engines
    that restore each other's, and `instance` is the name that these know this one by. `audit_key` are 32 secret bytes that key what audit records say
    in place of redacted values, `audit_head` is where the chain goes on, as a sink of `fallgate.audit` says. `trust` is the
    trust root whose keys must sign bundles: a file, its bytes or a dict; with it nothing unsigned is taken. Left out, bundles
    without a signature are taken, which is for development, and signed ones are refused; `"unsigned"` takes both. `limits`
    bound all that comes in. Every method that depends on time takes `now`: a `Now`, or a pair
    `(monotonic_ns, wall_ns)`; left out, the clocks of this machine are read.
    """

    __slots__ = ()

    @classmethod
    def open(
        cls,
        source: str | PathLike[str] | bytes | bytearray | Mapping[str, Any],
        *,
        key: bytes | None = None,
        clock_skew_max: timedelta | None = None,
        state_key: bytes | None = None,
        instance: str | None = None,
        audit_key: bytes | None = None,
        audit_head: Mapping[str, Any] | None = None,
        trust: str | PathLike[str] | bytes | bytearray | Mapping[str, Any] | None = None,
        limits: Limits | None = None,
        now: Now | tuple[int, int] | None = None,
    ) -> Self:
        """An engine with this bundle active: a pack's folder, a bundle's file, its bytes, or a pack as a dict.

        Raises `BundleError` for a source with mistakes, `ActivateError` for one that may not decide now, `TrustError` for a
        trust root with mistakes.
        """
        engine = cls(
            key=key,
            clock_skew_max=clock_skew_max,
            state_key=state_key,
            instance=instance,
            audit_key=audit_key,
            audit_head=audit_head,
            trust=trust,
            limits=limits,
        )
        engine.activate(source, now=now)
        return engine

    def enforce(
        self,
        *,
        subject: object,
        action: object,
        resource: object,
        context: object = None,
        obligations: Mapping[str, Callable[[Obligation], object]] | None = None,
        now: Now | tuple[int, int] | None = None,
    ) -> Decision:
        """Decides, fulfils the obligations, and gives the decision; raises `Denied` where it is not an allow.

        `obligations` has a handler for each type of obligation. An obligation without one denies before any handler
        runs; a handler that raises denies too, and so does one that gives an awaitable, which nobody here would await.
        """
        decision = self.decide(subject=subject, action=action, resource=resource, context=context, now=now)
        guarding.fulfil(decision, obligations)
        return decision

    async def enforce_async(
        self,
        *,
        subject: object,
        action: object,
        resource: object,
        context: object = None,
        obligations: Mapping[str, Callable[[Obligation], object]] | None = None,
        now: Now | tuple[int, int] | None = None,
    ) -> Decision:
        """As `enforce`, with handlers that may be asynchronous: what they give is awaited."""
        decision = self.decide(subject=subject, action=action, resource=resource, context=context, now=now)
        await guarding.fulfil_async(decision, obligations)
        return decision

    def guard(
        self,
        action: object,
        *,
        subject: object,
        resource: object,
        context: object = None,
        obligations: Mapping[str, Callable[[Obligation], object]] | None = None,
    ) -> Callable[[_F], _F]:
        """A decorator that enforces before each call of a function, asynchronous or not.

        `action`, `subject`, `resource` and `context` are each a callable that is given the arguments of the call, an
        entity that is always the same, or, but for `action`, the name of a parameter of the function. A name that is none
        is a `TypeError` when the function is decorated. The function does not run unless it is allowed; `Denied` is raised
        instead, and what a callable raises goes on to the caller.
        """

        def decorate(function: _F) -> _F:
            parts = guarding.Parts(function, action=action, subject=subject, resource=resource, context=context)
            return guarding.wrapped(self, function, parts, obligations)

        return decorate

    def events(self) -> Iterator[Event]:
        """The events that were not polled yet, each taken as it is given."""
        return iter(self.poll_event, None)
