"""A Flask extension: denies become answers, and views or whole applications are guarded."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from flask import Flask, Response, g

from .._fallgate import Obligation
from ..engine import Engine
from ..errors import Denied
from . import problem

__all__ = ["Fallgate"]

_V = TypeVar("_V", bound=Callable[..., Any])
_log = logging.getLogger("fallgate")


class Fallgate:
    """Guards a Flask application.

    With `parts`, every request of the application is decided before its view runs: it gives the parts of a request, and
    if it raises, or the engine does, the answer is a deny. Without, `guard` guards the views one by one. The decision on a
    whole request stands in `flask.g.fallgate_decision`.
    """

    def __init__(
        self,
        engine: Engine,
        app: Flask | None = None,
        *,
        parts: Callable[[], Mapping[str, Any]] | None = None,
        obligations: Mapping[str, Callable[[Obligation], object]] | None = None,
    ) -> None:
        self.engine = engine
        self.parts = parts
        self.obligations = obligations
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Installs the extension."""
        app.extensions["fallgate"] = self
        app.register_error_handler(Denied, _answer)
        if self.parts is not None:
            app.before_request(self._decide)

    def guard(
        self, action: object, *, subject: object, resource: object, context: object = None
    ) -> Callable[[_V], _V]:
        """A decorator for views: `Engine.guard`, with the obligations of the extension."""
        return self.engine.guard(
            action, subject=subject, resource=resource, context=context, obligations=self.obligations
        )

    def _decide(self) -> Response | None:
        try:
            if self.parts is None:
                return _problem(None)
            g.fallgate_decision = self.engine.enforce(**self.parts(), obligations=self.obligations)
        except Denied as denied:
            return _answer(denied)
        except Exception:
            _log.exception("a request could not be decided, and is denied")
            return _problem(None)
        return None


def _answer(denied: Denied) -> Response:
    return _problem(problem.body(denied.decision))


def _problem(body: bytes | None) -> Response:
    body = problem.body(None) if body is None else body
    return Response(body, problem.STATUS, {"cache-control": "no-store"}, content_type=problem.MEDIA_TYPE)
