"""What operators and automations do to an engine, one method for each: every one is an operation of the core."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, TypedDict, cast

from ._fallgate import Engine as _Engine
from ._fallgate import Now

if TYPE_CHECKING:
    from typing_extensions import NotRequired

__all__ = ["Applied", "Approved", "AuditBatch", "Head", "JournalBatch", "Metrics", "Named", "Operated", "PendingAnswer", "Quarry", "Restored"]


class Named(TypedDict):
    """A type of subjects or resources, and which one of it; without an id, every one."""

    type: str
    id: NotRequired[str]


class _Subject(TypedDict):
    subject: Named


class _Resource(TypedDict):
    resource: Named


class _Scope(TypedDict):
    scope: str


class _When(TypedDict):
    when: str


#: What is quarantined: `{"subject": …}`, `{"resource": …}`, `{"scope": "tenant:acme"}`, `{"when": "a CEL condition"}` or
#: `"everything"`.
Quarry = _Subject | _Resource | _Scope | _When | Literal["everything"]

class Approved(TypedDict):
    """How far a proposal is. `waits_for` is `None` once it was carried out; else the code of what it waits for."""

    approvals: int
    need: int
    waits_for: str | None


class Restored(TypedDict):
    """What was restored. `elapsed_ms` is how much time has passed since at the most; `None` where the clocks cannot tell."""

    sequence: int
    epoch: int
    instance: str
    elapsed_ms: int | None


class AuditBatch(TypedDict):
    """Audit records to be written, oldest first, each a line of canonical JSON without its end; and the `seq` of the last,
    to be acknowledged once all are written: zero where there is none."""

    lines: list[str]
    last_seq: int


class JournalBatch(TypedDict):
    """Entries of the journal of inputs to be written, oldest first, each a line of JSON without its end; and the `n` of the
    last, to be acknowledged once all are written: zero where there is none."""

    lines: list[str]
    last_n: int


class Head(TypedDict):
    """Where an audit chain has come to: how many records there are, and the hash of the last in hexadecimal."""

    count: int
    head: str


class Applied(TypedDict):
    """What a control message came to. `applied` is `done`, `heard` for a heartbeat, `again` for one that was taken before, or
    `not_done`; with `outcome`, what its operation came to, or `because`, the code of why that was not done."""

    applied: str
    outcome: NotRequired[dict[str, Any]]
    because: NotRequired[str]


class PendingAnswer(dict[str, Any]):
    """A decision that may have to wait for its record: `decision`, as an AuthZEN response, and where an allow waits, what to
    ask for in `pending` and the number of its record in `seq`. It is false unless it allows."""

    def __bool__(self) -> bool:
        decision = self.get("decision")
        return isinstance(decision, dict) and decision.get("decision") is True


class Metrics(TypedDict):
    """What was measured so far: each value by its name with its labels, and the same as OpenMetrics text."""

    metrics: dict[str, float]
    openmetrics: str


_Clocks = Now | tuple[int, int] | None


class Operated(_Engine):
    """The operations as methods. Each raises `OperationError` where it was not done: its `code` says why."""

    __slots__ = ()

    def enter_posture(self, posture: str, scope: str | None = None, *, now: _Clocks = None) -> None:
        """Enters a posture, everywhere or in a scope such as `tenant:acme`. One that is entered already stays so."""
        self.operate({"enter_posture": _given(posture=posture, scope=scope)}, now=now)

    def leave_posture(self, posture: str, scope: str | None = None, *, now: _Clocks = None) -> None:
        """Leaves a posture, where all that its pack demands for that holds."""
        self.operate({"leave_posture": _given(posture=posture, scope=scope)}, now=now)

    def acknowledge_posture(self, posture: str, scope: str | None = None, *, now: _Clocks = None) -> None:
        """Acknowledges a posture: it escalates no more until it is entered again."""
        self.operate({"acknowledge_posture": _given(posture=posture, scope=scope)}, now=now)

    def quarantine(
        self,
        what: Quarry,
        *,
        reason: str | None = None,
        for_: timedelta | str | None = None,
        absolute: bool | None = None,
        now: _Clocks = None,
    ) -> Quarry:
        """Denies whatever is selected, whatever the rules say, `for_` a time, or until it is lifted.

        `absolute` says that no override may ever get past it. Gives what is quarantined then: `"everything"`, where there
        was no room for one more.
        """
        begun = self.operate({"quarantine": _given(what=what, reason=reason, for_=for_, absolute=absolute)}, now=now)
        quarry: Quarry = begun["quarantined"]
        return quarry

    def lift_quarantine(self, what: Quarry, *, now: _Clocks = None) -> None:
        """Lifts a quarantine before its end."""
        self.operate({"lift_quarantine": what}, now=now)

    def revoke(self, type: str, id: str, *, before: Now | int | None = None, now: _Clocks = None) -> None:
        """Voids what was decided for a subject until `before`, inclusive: a time of the monotonic clock; left out, now.

        After a password that was stolen, a role that was taken away: the next request is evaluated anew.
        """
        nanos = before.monotonic_ns if isinstance(before, Now) else before
        until = None if nanos is None else f"{-(-nanos // 1_000_000)}ms"
        self.operate({"revoke": _given(type=type, id=id, before=until)}, now=now)

    def propose(
        self,
        proposal: Mapping[str, Any],
        *,
        signature: str | bytes | None = None,
        code: str | None = None,
        now: _Clocks = None,
    ) -> str:
        """Proposes what takes approvals, and gives the proposal's id. It waits until it expires.

        The proof is a one-time `code`, or the proposer's Ed25519 `signature` over DSSE's encoding of the canonical proposal
        (RFC 8785) with the payload type `application/vnd.fallgate.proposal+json`; approvals and withdrawals have `approval`
        and `withdrawal` in its place.
        """
        members = _given(proposal=proposal, signature=_text(signature), code=code)
        proposed: str = self.operate({"propose": members}, now=now)["proposed"]
        return proposed

    def approve(
        self, proposal: str, by: str, *, signature: str | bytes | None = None, code: str | None = None, now: _Clocks = None
    ) -> Approved:
        """Approves a proposal, by its id. With the last approval that it takes, what was proposed is done."""
        members = _given(proposal=proposal, by=by, signature=_text(signature), code=code)
        approved: Approved = self.operate({"approve": members}, now=now)["approved"]
        return approved

    def withdraw(
        self, proposal: str, by: str, *, signature: str | bytes | None = None, code: str | None = None, now: _Clocks = None
    ) -> None:
        """Withdraws a proposal that waits: any approver may."""
        self.operate({"withdraw": _given(proposal=proposal, by=by, signature=_text(signature), code=code)}, now=now)

    def revoke_override(self, override: str, *, now: _Clocks = None) -> None:
        """Ends an override before its time, by the id of the proposal that granted it."""
        self.operate({"revoke_override": _given(override=override)}, now=now)

    def set_flag(self, flag: str, *, for_: timedelta | str | None = None, now: _Clocks = None) -> None:
        """Sets a flag: its posture is entered, and stays until the flag is cleared. After `for_` it is reported."""
        self.operate({"set_flag": _given(flag=flag, for_=for_)}, now=now)

    def clear_flag(self, flag: str, *, now: _Clocks = None) -> None:
        """Clears a flag. Its posture stays until somebody leaves it."""
        self.operate({"clear_flag": _given(flag=flag)}, now=now)

    def export_state(self, *, now: _Clocks = None) -> str:
        """Exports what has to outlive the engine, sealed with its `state_key`: keep it to the byte."""
        state: str = self.operate({"export_state": {}}, now=now)["state"]
        return state

    def restore_state(self, state: str | bytes, *, least_sequence: int | None = None, now: _Clocks = None) -> Restored:
        """Restores what was exported. What does not verify raises, and puts the strictest posture in force.

        `state` is empty where there is none. `least_sequence` is the lowest that is taken, for a host that remembers it.
        """
        # What is no text is no state either, and the core has to see it to put the strictest posture in force.
        raw = state if isinstance(state, bytes) else state.encode(errors="replace")
        text = raw.decode(errors="replace")
        members = _given(state=text, least_sequence=least_sequence)
        restored: Restored = self.operate({"restore_state": members}, now=now)["restored"]
        return restored

    def take_over(self, *, now: _Clocks = None) -> int:
        """Makes this engine the active one, and gives the epoch that it claims, to be published to the others."""
        epoch: int = self.operate({"take_over": {}}, now=now)["epoch"]
        return epoch

    def witness_epoch(self, epoch: int, instance: str, *, now: _Clocks = None) -> None:
        """Takes in that an engine claims to be the active one. Two that do are found out, and are both the stricter for it."""
        self.operate({"witness_epoch": _given(epoch=epoch, instance=instance)}, now=now)

    def resign(self, *, now: _Clocks = None) -> None:
        """Gives up being the active one. The posture stays what it is."""
        self.operate({"resign": {}}, now=now)

    def acquire(self, signal: str, *, key: str | None = None, now: _Clocks = None) -> int:
        """Asks a guard, by the name of its signal, whether a call may be made, and gives the permit to report.

        `key` is what a limiter tells calls apart by. Raises `OperationError` where the call is not to be made: its `code`
        says why, as `open`, `full` or `used_up`.
        """
        permit: int = self.operate({"acquire": _given(signal=signal, key=key)}, now=now)["permit"]
        return permit

    def report(
        self,
        signal: str,
        permit: int,
        outcome: Literal["success", "failure", "ignored"],
        *,
        took: timedelta | str | None = None,
        now: _Clocks = None,
    ) -> str:
        """Tells a guard what a call came to: `taken`; `ignored`, where the permit is none of its own any more."""
        members = _given(signal=signal, permit=permit, outcome=outcome, took=took)
        taken: str = self.operate({"report": members}, now=now)["report"]
        return taken

    def retry(self, signal: str, permit: int, outcome: str, *, now: _Clocks = None) -> timedelta:
        """Asks for how long to wait before a call is tried again; `outcome` is the host's word for what it came to.

        Raises `OperationError` where it must not be tried again.
        """
        members = _given(signal=signal, permit=permit, outcome=outcome)
        return timedelta(milliseconds=self.operate({"retry": members}, now=now)["retry_in_ms"])

    def first_seen(self, signal: str, key: str, made_at: datetime | str, *, now: _Clocks = None) -> None:
        """Takes something once, by its key and when it was made. Raises `OperationError` for a repeat, and beyond the window."""
        self.operate({"first_seen": _given(signal=signal, key=key, made_at=made_at)}, now=now)

    def force_open(self, signal: str, *, now: _Clocks = None) -> None:
        """Keeps every call away from the dependency of a breaker, until it is released."""
        self.operate({"force_open": _given(signal=signal)}, now=now)

    def release(self, signal: str, *, now: _Clocks = None) -> None:
        """Lets go of a breaker that was forced open: it is half-open then."""
        self.operate({"release": _given(signal=signal)}, now=now)

    def drain_audit(self, max: int | None = None, *, now: _Clocks = None) -> AuditBatch:
        """Hands out audit records, at most `max` (1,000 where it is left out, 10,000 at the most), oldest first.

        They stay until `acknowledge_audit` confirms them, and come again until then. The sinks of `fallgate.audit` do both.
        """
        return cast(AuditBatch, self.operate({"drain_audit": _given(max=max)}, now=now))

    def acknowledge_audit(self, seq: int, *, now: _Clocks = None) -> None:
        """Confirms that every audit record up to `seq` is written: the engine forgets them."""
        self.operate({"acknowledge_audit": _given(seq=seq)}, now=now)

    def checkpoint(self, *, now: _Clocks = None) -> Head:
        """Adds an audit record of where the chain has come to, and gives that: to be signed, and kept elsewhere."""
        return cast(Head, self.operate({"checkpoint": {}}, now=now))

    def drain_journal(self, max: int | None = None, *, now: _Clocks = None) -> JournalBatch:
        """Hands out entries of the journal of inputs, at most `max` (1,000 where it is left out, 10,000 at the most).

        They stay until `acknowledge_journal` confirms them. There are none unless the limits `journal_entries_max` and
        `journal_bytes_max` give it room. Requests stand in them in the clear.
        """
        return cast(JournalBatch, self.operate({"drain_journal": _given(max=max)}, now=now))

    def acknowledge_journal(self, n: int, *, now: _Clocks = None) -> None:
        """Confirms that every entry of the journal up to `n` is written: the engine forgets them."""
        self.operate({"acknowledge_journal": _given(n=n)}, now=now)

    def decide_pending(self, request: Mapping[str, Any], *, now: _Clocks = None) -> PendingAnswer:
        """Decides on an action with `audit: confirmed`: the first of two calls. An allow waits, and is denied until then, while
        its record is drained, written and acknowledged; then `confirm_decision` gives it. On any other action it decides."""
        return PendingAnswer(self.operate({"decide_pending": {"request": request}}, now=now))

    def confirm_decision(self, pending: str, *, now: _Clocks = None) -> PendingAnswer:
        """Gives what waited under `pending`, where its record is acknowledged and what is true by now allows the same."""
        return PendingAnswer(self.operate({"confirm_decision": {"pending": pending}}, now=now))

    def stage(self, bundle: str | bytes, *, now: _Clocks = None) -> None:
        """Stages a bundle, or the envelope that it is signed in, beside the active one, whose `rollout` governs what follows."""
        text = bundle.decode() if isinstance(bundle, bytes) else bundle
        self.operate({"stage": {"bundle": text}}, now=now)

    def promote(self, *, now: _Clocks = None) -> None:
        """Moves the rollout on to its next step without waiting for the time. All else it still waits for."""
        self.operate({"promote": {}}, now=now)

    def roll_back(self, to: str | None = None, *, now: _Clocks = None) -> None:
        """Abandons the candidate; or goes back to a bundle that was active here before, by its digest."""
        self.operate({"roll_back": _given(to=to)}, now=now)

    def apply(self, message: str | bytes, *, now: _Clocks = None) -> Applied:
        """Takes a message of a control feed: the envelope that it is signed in, to the byte."""
        text = message.decode() if isinstance(message, bytes) else message
        return cast(Applied, self.operate({"apply": {"message": text}}, now=now))

    def label_decision(self, decision: str, label: Literal["legitimate", "malicious"], *, now: _Clocks = None) -> None:
        """Says what the request of a decision turned out to be, by the decision's `id`, for the indicators."""
        self.operate({"label_decision": _given(decision=decision, label=label)}, now=now)

    def label_trigger(self, trigger: int, label: Literal["valid", "false"], *, now: _Clocks = None) -> None:
        """Says whether there was a reason to enter a posture, by the `id` of the event `posture_entered`."""
        self.operate({"label_trigger": _given(trigger=trigger, label=label)}, now=now)

    def report_attempts(self, count: int, *, now: _Clocks = None) -> None:
        """Reports how often the host was asked to do something since the last report, at its own count."""
        self.operate({"report_attempts": _given(count=count)}, now=now)

    def report_mitigation(self, done: bool, *, now: _Clocks = None) -> None:
        """Reports whether an obligation was fulfilled."""
        self.operate({"report_mitigation": _given(done=done)}, now=now)

    def record_latency(self, effect: Literal["allow", "deny"], nanos: int, *, now: _Clocks = None) -> None:
        """Reports how long a decision took, at the host's own clock, in nanoseconds."""
        self.operate({"record_latency": _given(effect=effect, nanos=nanos)}, now=now)

    def metrics(self, *, now: _Clocks = None) -> Metrics:
        """What was measured so far, and the same as OpenMetrics text for a scrape."""
        return cast(Metrics, self.operate({"metrics": {}}, now=now))

    def slis(self, *, now: _Clocks = None) -> dict[str, Any]:
        """The service-level indicators, from what the engine saw and from labels: each by its name."""
        return self.operate({"slis": {}}, now=now)


def _given(**members: Any) -> dict[str, Any]:
    """The members that were given, by the names of the core: a word that Python keeps for itself has a `_` behind it."""
    return {name.rstrip("_"): _span(value) for name, value in members.items() if value is not None}


def _text(signature: str | bytes | None) -> str | None:
    return signature.hex() if isinstance(signature, bytes) else signature


def _span(value: Any) -> Any:
    """A span as the core reads it: in whole milliseconds, rounded up."""
    if isinstance(value, timedelta):
        return f"{-(-value // timedelta(milliseconds=1))}ms"
    return value
