"""What a client is told of a deny: a problem body (RFC 9457), without a reason, a rule or an attribute in it."""

from __future__ import annotations

import json

from .._fallgate import Decision

__all__ = ["MEDIA_TYPE", "STATUS", "body"]

#: The media type of the body.
MEDIA_TYPE = "application/problem+json"
#: The status of the answer.
STATUS = 403


def body(decision: Decision | None) -> bytes:
    """The body. Whoever may read the host's records finds the reason there, under the decision's identifier."""
    members: dict[str, object] = {"type": "about:blank", "title": "Forbidden", "status": STATUS}
    if decision is not None:
        members["decision_id"] = decision.id
    return json.dumps(members).encode()
