"""A FastAPI dependency that enforces a decision before the path operation runs."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from fastapi import Depends, FastAPI, HTTPException
from starlette.requests import Request
from starlette.responses import Response

from .._fallgate import Decision, Obligation
from ..engine import Engine
from ..errors import Denied
from . import problem

__all__ = ["Forbidden", "install", "requires"]


class Forbidden(HTTPException):
    """The answer to a request that is denied: status 403, and a problem body where `install` was called."""

    def __init__(self, denied: Denied) -> None:
        super().__init__(status_code=problem.STATUS, detail="Forbidden")
        self.denied = denied


def requires(
    engine: Engine,
    action: object,
    *,
    subject: object,
    resource: object,
    context: object = None,
    obligations: Mapping[str, Callable[[Obligation], object]] | None = None,
) -> Callable[..., Any]:
    """What to give to `Depends`, or to `dependencies=[…]` of a route, a router or an application.

    `subject`, `resource`, `context` and `action` are each a dependency of its own, as in `Depends(subject)`, or an entity
    that is always the same. The dependency gives the decision; where it is not an allow, `Forbidden` is raised and the
    path operation does not run.
    """
    parts = {"subject": subject, "action": action, "resource": resource, "context": context}
    injected = {name: part for name, part in parts.items() if callable(part)}
    fixed: dict[str, Any] = {name: part for name, part in parts.items() if name not in injected}

    async def decided(**found: Any) -> Decision:
        try:
            return await engine.enforce_async(**fixed, **found, obligations=obligations)
        except Denied as denied:
            raise Forbidden(denied) from None

    # FastAPI finds the dependencies of a dependency in its signature.
    decided.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=Depends(part))
            for name, part in injected.items()
        ]
    )
    return decided


def install(app: FastAPI) -> None:
    """Gives denies a problem body, those of `fallgate.Denied` that a path operation itself lets through included."""

    async def answer(_: Request, error: Exception) -> Response:
        denied = error.denied if isinstance(error, Forbidden) else error
        decision = denied.decision if isinstance(denied, Denied) else None
        headers = {"cache-control": "no-store"}
        return Response(problem.body(decision), problem.STATUS, headers, problem.MEDIA_TYPE)

    app.add_exception_handler(Forbidden, answer)
    app.add_exception_handler(Denied, answer)
