"""A policy decision point inside your process, made for the hour when something is broken.

    engine = fallgate.Engine.open("policies/payment-gateway")
    engine.observe("idp", "ok")
    if engine.decide(subject=user, action="payment:refund", resource=payment):
        ...

Knowing less never grants more: whatever is lost, late or wrong is a deny with its reason, and never an exception on the
way to an allow.
"""

from __future__ import annotations

import os as _os

from ._fallgate import (
    Answer,
    Bundle,
    Counters,
    Decision,
    Diagnostic,
    DrillReport,
    Event,
    Now,
    Obligation,
    StepReport,
    __version__,
    _after_fork,
    _before_fork,
    authzen_metadata,
)
from .engine import Engine
from .entity import Entity
from .errors import ActivateError, BundleError, Denied, DrillError, Error, OperationError, TrustError
from .limits import Limits
from .operations import Applied, Approved, AuditBatch, Head, JournalBatch, Metrics, Named, PendingAnswer, Quarry, Restored

__all__ = [
    "ActivateError",
    "Answer",
    "Applied",
    "Approved",
    "AuditBatch",
    "Bundle",
    "BundleError",
    "Counters",
    "Decision",
    "Denied",
    "Diagnostic",
    "DrillError",
    "DrillReport",
    "Engine",
    "Entity",
    "Error",
    "Event",
    "Head",
    "JournalBatch",
    "Limits",
    "Metrics",
    "Named",
    "Now",
    "Obligation",
    "OperationError",
    "PendingAnswer",
    "Quarry",
    "Restored",
    "StepReport",
    "TrustError",
    "__version__",
    "authzen_metadata",
]

# A child has no other threads: a fork waits for those that are deciding, so that none holds a lock for ever.
if hasattr(_os, "register_at_fork"):
    _os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)
