"""The exceptions of the package. All derive from `Error`, and each has a stable `code`.

`Engine.decide` raises none of them: whatever is wrong with a request is a deny with its reason.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._fallgate import Decision, Diagnostic, Obligation

__all__ = ["ActivateError", "BundleError", "Denied", "DrillError", "Error"]


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


class ActivateError(Error):
    """A bundle that was loaded, but not activated: the active one stays."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
        self.code = code

    def __str__(self) -> str:
        return str(self.args[1])


class Denied(Error):
    """What `enforce` and `guard` raise. Nothing was done that the decision would have had to allow.

    `code` is the reason of the decision, or `obligation_unfulfilled` where the engine allowed and the host could not do
    what the decision obliges it to: then `obligation` is the one. The message names no attribute and no rule, so that it
    may be shown.
    """

    #: The decision as the engine made it. Do not act on it: this exception is the answer.
    decision: Decision
    #: The obligation that could not be fulfilled, if the engine itself allowed.
    obligation: Obligation | None

    def __init__(self, decision: Decision, obligation: Obligation | None = None) -> None:
        super().__init__(decision, obligation)
        self.decision = decision
        self.obligation = obligation
        self.code = decision.reason if obligation is None else "obligation_unfulfilled"

    def __str__(self) -> str:
        return f"denied: {self.code}"
