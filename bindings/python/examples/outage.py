"""An identity provider goes silent: what a service still does, told by a test that owns the clock."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import ClassVar

import fallgate


@dataclass(frozen=True)
class User:
    type: ClassVar[str] = "user"
    id: str
    roles: tuple[str, ...]


PACK = {
    "fallgate": 1,
    "name": "wiki",
    "revision": 1,
    "schema": {"subject": {"user": {"roles": ["string"]}}},
    "signals": {"idp": {"ttl": "10s"}},
    "actions": {
        "page:read": {"requires": ["idp"], "on_failure": {"serve_cached": {"max_stale": "5m"}}, "cache": {"allow": "30s"}},
        "page:write": {"requires": ["idp"], "protected": True},
    },
    "rules": [{"id": "editors", "effect": "allow", "subject": {"type": "user", "roles": "editor"}}],
}


def main() -> int:
    start = fallgate.Now.read()
    engine = fallgate.Engine.open(PACK, now=start)
    engine.observe("idp", "ok", now=start)
    ann = User("ann", ("editor",))
    page = fallgate.Entity("page", "home")
    seen = []
    for seconds in (0, 5, 11, 400):
        now = (start.monotonic_ns + seconds * 10**9, start.wall_ns + seconds * 10**9)
        for action in ("page:read", "page:write"):
            decision = engine.decide(subject=ann, action=action, resource=page, now=now)
            print(f"{seconds:>3} s  {action:<10}  {'allow' if decision else 'deny':<5}  {decision.reason}")
            seen.append(decision.reason)
    # The provider was last heard of at 0 s. Reading goes on for a while, from what was decided before; writing does not.
    expected = ["allowed_by_rule"] * 4 + ["allowed_stale", "signal_unavailable", "signal_unavailable", "signal_unavailable"]
    return 0 if seen == expected else 1


if __name__ == "__main__":
    sys.exit(main())
