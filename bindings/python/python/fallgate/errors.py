"""The exceptions of the package. All derive from `Error`, and each has a stable `code`.

`Engine.decide` raises none of them: whatever is wrong with a request is a deny with its reason.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._fallgate import Decision, Diagnostic, Obligation

__all__ = ["ActivateError", "BundleError", "Denied", "DrillError", "Error", "OperationError", "TrustError"]


class Error(Exception):
    """What everything raised by Fallgate derives from."""

    #: The stable code of what went wrong.
    code: str = "error"


class _Mistaken(Error):
    """A document with mistakes in it."""

    #: The mistakes, in the order of the document: at least one.
    diagnostics: tuple[Diagnostic, ...]

    def __init__(self, diagnostics: tuple[Diagnostic, ...]) -> None:
        super().__init__(diagnostics)
        self.diagnostics = diagnostics
        self.code = diagnostics[0].code

    def __str__(self) -> str:
        return "\n".join(str(diagnostic) for diagnostic in self.diagnostics)


class BundleError(_Mistaken):
    """A pack or a bundle that cannot be loaded. Each diagnostic has its file, line and column where it has a file."""


class DrillError(_Mistaken):
    """A drill that cannot be read."""


class TrustError(_Mistaken):
    """A trust root that cannot be read, or that is not taken: the held one stays."""


class _Refused(Error):
    """What the engine was asked to do, and did not."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
        self.code = code

    def __str__(self) -> str:
        return str(self.args[1])


class ActivateError(_Refused):
    """A bundle that was loaded, but not activated: the active one stays."""


class OperationError(_Refused):
    """An operation that was not done: `code` says why. Nothing has changed, or a state that does not verify was met by the
    strictest posture."""


class Denied(Error):
    """What `enforce` and `guard` raise. Nothing was done that the decision would have had to allow.

    `obligation` is the one that the host could not fulfil, where the engine itself allowed; else the decision's reason
    says why. The message names no attribute and no rule.
    """

    #: The decision as the engine made it. Do not act on it: this exception is the answer.
    decision: Decision
    #: The obligation that could not be fulfilled, if the engine itself allowed.
    obligation: Obligation | None

    code = "denied"

    def __init__(self, decision: Decision, obligation: Obligation | None = None) -> None:
        super().__init__(decision, obligation)
        self.decision = decision
        self.obligation = obligation

    def __str__(self) -> str:
        if self.obligation is None:
            return f"denied: {self.decision.reason}"
        return f"denied: the obligation {self.obligation.id} could not be fulfilled"
