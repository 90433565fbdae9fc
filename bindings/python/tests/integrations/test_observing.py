"""Spans and log records: what they say, what they leave out, and that their failure changes nothing."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from conftest import START, agent, buyer, order
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import fallgate
from fallgate.integrations.logging import LoggedEngine, level, log_events
from fallgate.integrations.opentelemetry import TracedEngine

exporter = InMemorySpanExporter()


class Broken(SpanProcessor):
    broken = False

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        if self.broken:
            raise OSError("the collector is gone")

    def on_end(self, span: ReadableSpan) -> None:
        if self.broken:
            raise OSError("the collector is gone")


broken = Broken()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
provider.add_span_processor(broken)
trace.set_tracer_provider(provider)

REFUND: dict[str, Any] = {"subject": agent(), "action": "order:refund", "resource": order(amount=1)}
READ: dict[str, Any] = {"subject": buyer(), "action": {"name": "order:read"}, "resource": order()}


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    exporter.clear()
    broken.broken = False
    yield exporter
    broken.broken = False


def test_a_decision_is_a_span(pack: dict[str, Any], spans: InMemorySpanExporter) -> None:
    engine = TracedEngine.open(pack, now=START)
    assert isinstance(engine, TracedEngine)
    decision = engine.decide(**REFUND, now=START)
    (span,) = spans.get_finished_spans()
    assert span.name == "fallgate.decide"
    assert dict(span.attributes or {}) == {
        "fallgate.allowed": False,
        "fallgate.reason": "signal_unavailable",
        "fallgate.bundle": "shop",
        "fallgate.revision": 4,
        "fallgate.cached": False,
        "fallgate.degraded": ("idp",),
        "fallgate.decision_id": decision.id,
    }
    assert "abe" not in span.to_json()


def test_every_way_to_decide_is_traced(pack: dict[str, Any], spans: InMemorySpanExporter) -> None:
    engine = TracedEngine.open(pack, now=START)
    with provider.get_tracer("host").start_as_current_span("the host's"):
        assert engine.enforce(**READ, now=START).rule == "buyers-read"
    assert len(engine.decide_many([READ, REFUND], now=START)) == 2
    engine.decide_json(b"{}", now=START)
    named = {span.name: span for span in spans.get_finished_spans()}
    assert sorted(span.name for span in spans.get_finished_spans()) == [
        "fallgate.decide",
        "fallgate.decide",
        "fallgate.decide_many",
        "the host's",
    ]
    assert dict(named["fallgate.decide_many"].attributes or {}) == {"fallgate.decisions": 2, "fallgate.denied": 1}
    inner = spans.get_finished_spans()[0]
    assert inner.parent is not None and inner.parent.span_id == named["the host's"].context.span_id
    assert dict(inner.attributes or {})["fallgate.rule"] == "buyers-read"


def test_a_collector_that_is_gone_changes_nothing(
    pack: dict[str, Any], spans: InMemorySpanExporter, caplog: pytest.LogCaptureFixture
) -> None:
    engine = TracedEngine.open(pack, now=START)
    broken.broken = True
    assert engine.decide(**READ, now=START).allowed
    assert not engine.decide(**REFUND, now=START).allowed
    assert "the collector is gone" in caplog.text


def test_a_call_that_fails_ends_its_span(pack: dict[str, Any], spans: InMemorySpanExporter) -> None:
    engine = TracedEngine.open(pack)
    with pytest.raises(TypeError):
        engine.decide(**READ, now="soon")  # type: ignore[arg-type]
    (span,) = spans.get_finished_spans()
    assert [event.name for event in span.events] == ["exception"]


def test_decisions_are_logged_with_their_fields(pack: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    engine = LoggedEngine.open(pack, now=START)
    with caplog.at_level(logging.DEBUG, "fallgate"):
        decision = engine.decide(**READ, now=START)
        engine.decide(**REFUND, now=START)
        engine.decide_json(b"{}", now=START)
        engine.decide_many([READ], now=START)
    first = caplog.records[0]
    assert first.getMessage() == f"allow: allowed_by_rule ({decision.id})"
    assert (first.__dict__["fallgate_rule"], first.__dict__["fallgate_revision"]) == ("buyers-read", 4)
    assert [record.levelname for record in caplog.records] == ["DEBUG", "WARNING", "INFO", "DEBUG"]
    assert "ann" not in caplog.text and "abe" not in caplog.text


def test_an_engine_that_failed_is_an_error() -> None:
    failed = fallgate.Decision._restore('{"decision":false,"context":{"reason":"internal_error"}}')
    opened = fallgate.Decision._restore('{"decision":true,"context":{"reason":"allowed_fail_open"}}')
    assert (level(failed), level(opened)) == (logging.ERROR, logging.WARNING)


def test_a_filter_that_raises_changes_nothing(pack: dict[str, Any]) -> None:
    def raises(_: logging.LogRecord) -> bool:
        raise OSError("the log is full")

    engine = LoggedEngine.open(pack, now=START)
    log = logging.getLogger("fallgate")
    log.addFilter(raises)
    log.setLevel(logging.DEBUG)
    try:
        assert engine.decide(**READ, now=START).allowed
    finally:
        log.removeFilter(raises)
        log.setLevel(logging.NOTSET)


def test_events_are_logged(pack: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    engine = fallgate.Engine.open(pack, now=START)
    engine.observe("idp", "failed", now=START)
    with caplog.at_level(logging.INFO, "fallgate"):
        assert log_events(engine) == 3
    assert [record.getMessage() for record in caplog.records] == ["bundle_activated", "bundle_unsigned", "signal_changed"]
    assert [record.levelno for record in caplog.records] == [logging.INFO, logging.WARNING, logging.WARNING]
    assert caplog.records[2].__dict__["fallgate_event"]["to"] == "failed"
    assert caplog.records[2].__dict__["fallgate_severity"] == "ticket"
