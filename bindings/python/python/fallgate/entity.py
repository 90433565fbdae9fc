"""A subject or a resource, for whoever has no class of their own for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Entity"]


@dataclass(frozen=True, slots=True)
class Entity:
    """A type, an identifier within the type, and what is known of it."""

    type: str
    id: str
    properties: Mapping[str, Any] = field(default_factory=dict)
