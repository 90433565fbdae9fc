"""What stands between a decision and the code that it is about: obligations fulfilled, or `Denied`."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

from ._fallgate import Decision, Obligation
from .errors import Denied

if TYPE_CHECKING:
    from .engine import Engine

__all__: list[str] = []

_F = TypeVar("_F", bound=Callable[..., Any])
_Handler = Callable[[Obligation], object]


def fulfil(decision: Decision, handlers: Mapping[str, _Handler] | None) -> None:
    """Fulfils every obligation of an allow, or raises `Denied`."""
    for obligation, handler in _handled(decision, handlers):
        try:
            result = handler(obligation)
        except Exception as error:
            raise Denied(decision, obligation) from error
        if inspect.isawaitable(result):
            # Closed, so that nobody is told of a coroutine that was never awaited: the deny tells it.
            if inspect.iscoroutine(result):
                result.close()
            raise Denied(decision, obligation)


async def fulfil_async(decision: Decision, handlers: Mapping[str, _Handler] | None) -> None:
    """The same, for handlers that may be asynchronous."""
    for obligation, handler in _handled(decision, handlers):
        try:
            result = handler(obligation)
            if inspect.isawaitable(result):
                await result
        except Exception as error:
            raise Denied(decision, obligation) from error


def _handled(decision: Decision, handlers: Mapping[str, _Handler] | None) -> list[tuple[Obligation, _Handler]]:
    """Each obligation with its handler. All are found before the first is called."""
    if not decision.allowed:
        raise Denied(decision)
    handled = []
    for obligation in decision.obligations:
        handler = None if handlers is None else handlers.get(obligation.type)
        if handler is None:
            raise Denied(decision, obligation)
        handled.append((obligation, handler))
    return handled


class Parts:
    """Where the parts of a request come from, for calls of one function."""

    __slots__ = ("_parts", "_signature")

    def __init__(self, function: Callable[..., Any], **parts: Any) -> None:
        self._signature = inspect.signature(function)
        self._parts = parts
        for name, part in parts.items():
            if isinstance(part, str) and name != "action" and part not in self._signature.parameters:
                raise TypeError(f"`{name}` names the parameter `{part}`, which the function does not have")

    def of(self, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> dict[str, Any]:
        """The parts for a call with these arguments."""
        bound: inspect.BoundArguments | None = None
        found: dict[str, Any] = {}
        for name, part in self._parts.items():
            if isinstance(part, str) and name != "action":
                if bound is None:
                    bound = self._signature.bind(*arguments, **keywords)
                    bound.apply_defaults()
                found[name] = bound.arguments[part]
            elif callable(part):
                found[name] = part(*arguments, **keywords)
            else:
                found[name] = part
        return found


def wrapped(engine: Engine, function: _F, parts: Parts, handlers: Mapping[str, _Handler] | None) -> _F:
    """The function, run only where it is allowed."""
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def guarded_async(*arguments: Any, **keywords: Any) -> Any:
            await engine.enforce_async(**parts.of(arguments, keywords), obligations=handlers)
            return await function(*arguments, **keywords)

        return cast(_F, guarded_async)

    @functools.wraps(function)
    def guarded(*arguments: Any, **keywords: Any) -> Any:
        engine.enforce(**parts.of(arguments, keywords), obligations=handlers)
        return function(*arguments, **keywords)

    return cast(_F, guarded)
