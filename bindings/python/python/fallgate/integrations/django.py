"""Django middleware: every view is decided before it runs.

In the settings, `FALLGATE_ENGINE` is an engine, or the dotted path of one or of a function that opens it, and
`FALLGATE_PARTS` a function, or its dotted path, that makes of a request and the view that is about to run (`request`,
`view`, `args`, `kwargs`) the parts of a request to the engine: `subject`, `action`, `resource` and, where there is one,
`context`. `FALLGATE_OBLIGATIONS`, where there is one, maps types of obligations to their handlers, or is the dotted path
of such a mapping.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse
from django.utils.module_loading import import_string

from .._fallgate import Decision, Obligation
from ..engine import Engine
from ..errors import Denied
from . import problem

__all__ = ["FallgateMiddleware"]

_log = logging.getLogger("fallgate")


class FallgateMiddleware:
    """Decides on each view; the request keeps the decision as `fallgate_decision`.

    A deny, a failure of `FALLGATE_PARTS` or of the engine, and `fallgate.Denied` raised by a view are answered with 403.
    Settings that are missing stop the server from starting.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)
        self.engine = _engine()
        self.parts: Callable[..., Mapping[str, Any]] = _setting("FALLGATE_PARTS")
        if not callable(self.parts):
            raise ImproperlyConfigured("FALLGATE_PARTS must be a function, or the dotted path of one")
        self.obligations: Mapping[str, Callable[[Obligation], object]] | None = _setting("FALLGATE_OBLIGATIONS", None)

    def __call__(self, request: HttpRequest) -> Any:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> HttpResponse | None:
        """Decides, once Django knows the view; an answer of its own keeps the view from running."""
        try:
            parts = self.parts(request, view, args, kwargs)
            request.fallgate_decision = self.engine.enforce(**parts, obligations=self.obligations)
        except Denied as denied:
            return _answer(denied.decision)
        except Exception:
            _log.exception("a request could not be decided, and is denied")
            return _answer(None)
        return None

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Answers a `Denied` that a view lets through."""
        return _answer(exception.decision) if isinstance(exception, Denied) else None


_REQUIRED = object()


def _setting(name: str, default: Any = _REQUIRED) -> Any:
    value = getattr(settings, name, default)
    if value is _REQUIRED:
        raise ImproperlyConfigured(f"{name} is missing from the settings; see fallgate.integrations.django")
    return import_string(value) if isinstance(value, str) else value


def _engine() -> Engine:
    engine = _setting("FALLGATE_ENGINE")
    if not isinstance(engine, Engine) and callable(engine):
        engine = engine()
    if not isinstance(engine, Engine):
        raise ImproperlyConfigured("FALLGATE_ENGINE must be a fallgate.Engine, or a function that opens one")
    return engine


def _answer(decision: Decision | None) -> HttpResponse:
    response = HttpResponse(problem.body(decision), status=problem.STATUS, content_type=problem.MEDIA_TYPE)
    response["cache-control"] = "no-store"
    return response
