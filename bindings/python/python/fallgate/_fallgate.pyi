"""The native half of the package `fallgate`."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from os import PathLike
from typing import Any, Literal, final

from typing_extensions import Self, disjoint_base

from .limits import Limits

__all__ = [
    "__version__",
    "Engine",
    "Counters",
    "Bundle",
    "Decision",
    "Obligation",
    "Diagnostic",
    "Event",
    "DrillReport",
    "StepReport",
    "Now",
    "Answer",
    "authzen_metadata",
    "_run_command",
    "_before_fork",
    "_after_fork",
]

__version__: str

_Now = Now | tuple[int, int] | None
_Source = str | PathLike[str] | bytes | bytearray | Mapping[str, Any]
_Envelope = str | PathLike[str] | bytes | bytearray
_Status = Literal["ok", "degraded", "failed", "unknown"]

@disjoint_base
class Engine:
    """A policy decision point: what `fallgate.Engine` derives from."""

    def __new__(
        cls,
        *,
        key: bytes | None = None,
        clock_skew_max: timedelta | None = None,
        state_key: bytes | None = None,
        instance: str | None = None,
        audit_key: bytes | None = None,
        audit_head: Mapping[str, Any] | None = None,
        trust: _Source | None = None,
        limits: Limits | None = None,
    ) -> Self: ...
    @property
    def bundle(self) -> Bundle | None:
        """The active bundle."""

    def activate(self, source: _Source, *, now: _Now = None) -> None:
        """Makes a bundle the active one. Decisions that are under way finish with the old one.

        Raises `BundleError` for a source with mistakes, `ActivateError` for one that may not take over; in either case
        everything stays as it was.
        """

    def activate_signed(self, source: _Envelope, *, now: _Now = None) -> None:
        """Makes a signed bundle the active one: a file, or its bytes, that enough keys of the trust root have signed.

        Raises as `activate` does; `BundleError` with the code `untrusted` where the engine was made without a trust root.
        """

    def rotate_trust(self, source: _Envelope, *, now: _Now = None) -> int:
        """Takes a new trust root, which as many keys of the held one have signed as that asks for; gives its version.

        Where it revokes the active bundle or too many of its signers, everything is denied until another is activated.
        Raises `TrustError` for a root that is not taken: the held one stays.
        """

    @property
    def trust_version(self) -> int | None:
        """The version of the trust root that is held; `None` where the engine was made without one."""

    def observe(self, signal: str, status: _Status, observed_at: Now | int | None = None, *, now: _Now = None) -> str:
        """Reports what was seen of a signal, and says what became of the report.

        `taken`, or why not: `older`, `future`, `unknown_signal`, `not_observable`. `observed_at` is on the monotonic
        clock: a `Now`, or its nanoseconds. A status that is none is a `ValueError`.
        """

    def decide(
        self, *, subject: object, action: object, resource: object, context: object = None, now: _Now = None
    ) -> Decision:
        """Decides. Whatever goes wrong is a deny with its reason.

        An entity is an AuthZEN dict or other mapping with `type`, `id` and `properties`, an object with these, or a
        dataclass whose fields are the properties; an action is its name, or an object with `name` and `properties`. Only
        what the policy reads is asked for. A value that cannot be read, or whose own code raises, is a deny with the
        reason `invalid_request`; `KeyboardInterrupt` and its like go on to the caller.
        """

    def decide_json(self, request: bytes | bytearray | str, *, now: _Now = None) -> Decision:
        """Decides on the JSON of an AuthZEN evaluation request."""

    def decide_many(self, requests: Iterable[object], *, now: _Now = None) -> list[Decision]:
        """Decides each request, all at one time: AuthZEN objects, or their JSON. Other threads run meanwhile."""

    def authzen(self, path: str, body: bytes, *, now: _Now = None) -> Answer:
        """Answers a request of the AuthZEN Authorization API 1.0: for a host that serves it to others.

        `path` is one of `/access/v1/evaluation`, `/access/v1/evaluations` and `/access/v1/search/` with `subject`,
        `resource` or `action`; any other is a `ValueError`. Whatever is wrong with the body is a status, or a deny. Other
        threads run meanwhile.
        """

    def explain(
        self, *, subject: object, action: object, resource: object, context: object = None, now: _Now = None
    ) -> dict[str, Any]:
        """Explains what `decide` would say, without an effect on anything: the rules considered and what each came to."""

    def operate(self, operation: Mapping[str, Any] | str | bytes | bytearray, *, now: _Now = None) -> dict[str, Any]:
        """Does an operation: a mapping with one member, named after what is done, or its JSON. Says what it came to.

        `{"enter_posture": {"posture": "read-only"}}` and its like; the repository has them all in
        `docs/formats/operation.schema.json`. What it came to is a dict, empty where it was just done. It is what the
        methods named after operations call. Raises `OperationError` where it was not done, with the code that says why:
        `malformed_operation` for what is no operation.
        """

    def posture(self, scope: str | None = None) -> str | None:
        """The posture that is in force, everywhere or in a scope such as `tenant:acme`; `None` without a bundle.

        It is that of the last call that told the engine the time.
        """

    def overview(self, *, now: _Now = None) -> dict[str, Any]:
        """How things stand, for people who have to act.

        `posture`, that of the whole system; `scopes`, those with one of their own; the `proposals` that wait, the
        `overrides` in force and the `flags` that are set, each with the milliseconds after which it ends; and how it stands
        with each of the `guards`. What is due is done first.
        """

    def advance(self, *, now: _Now = None) -> None:
        """Lets time alone do what is due, so that events come even when nobody asks anything."""

    def anchor_clocks(self, *, now: _Now = None) -> None:
        """Takes the two clocks as they stand for right: the way out after they have parted."""

    def next_deadline(self) -> int | None:
        """When `advance` is due at the latest, in nanoseconds on the monotonic clock."""

    def poll_event(self) -> Event | None:
        """The oldest event that was not polled yet."""

    def counters(self) -> Counters:
        """What was counted so far."""

    def signal(self, name: str) -> _Status | None:
        """The status of a signal; `None` where the bundle declares none of that name."""

    def drill(self, source: _Source) -> DrillReport:
        """Rehearses a drill on a fresh engine with the active bundle: a drill's file, its JSON, or a dict.

        Raises `DrillError` for a drill with mistakes, `ValueError` where no bundle is active.
        """

    def __reduce__(self) -> Any: ...

@final
class Decision:
    """The answer to a request: frozen, and false unless it allows."""

    @property
    def allowed(self) -> bool:
        """Whether the request is granted."""

    @property
    def reason(self) -> str:
        """Why: a stable code."""

    @property
    def rule(self) -> str | None:
        """The rule that decided."""

    @property
    def bundle(self) -> str:
        """The name of the bundle that decided; empty if there was none."""

    @property
    def revision(self) -> int:
        """The revision of that bundle; zero if there was none."""

    @property
    def posture(self) -> str:
        """The posture that the request was under; empty if there was no bundle."""

    @property
    def override(self) -> str | None:
        """The override that allowed it, by the id of its proposal."""

    @property
    def obligations(self) -> tuple[Obligation, ...]:
        """What the host has to do along with it."""

    @property
    def degraded(self) -> tuple[str, ...]:
        """The required signals that were not ok."""

    @property
    def messages(self) -> tuple[str, ...]:
        """What the rule that denied says against the request: the members of a Rego deny set."""

    @property
    def expires_in(self) -> timedelta:
        """For how long the host may keep it; zero where it may not."""

    @property
    def cached(self) -> bool:
        """Whether an earlier evaluation was used again."""

    @property
    def information_loss(self) -> bool:
        """Whether the rule that decided declares that it may grant more when it knows less."""

    @property
    def id(self) -> str:
        """The identifier."""

    @property
    def detail(self) -> str | None:
        """What exactly was wrong with the request, for a reason that concerns it."""

    def to_dict(self) -> dict[str, Any]:
        """The decision as an AuthZEN evaluation response."""

    def to_json(self) -> str:
        """The same as JSON: compact, its members in byte order."""

    def __bool__(self) -> bool: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __reduce__(self) -> Any: ...
    @staticmethod
    def _restore(text: str) -> Decision: ...

@final
class Obligation:
    """What a host must do along with a decision."""

    @property
    def id(self) -> str:
        """Which obligation of the pack it is."""

    @property
    def type(self) -> str:
        """What kind of thing is to be done: what handlers are found by."""

    @property
    def properties(self) -> Any:
        """The particulars, a new dict at each reading."""

@final
class Diagnostic:
    """One mistake in a pack, a bundle or a drill."""

    def __new__(
        cls,
        code: str,
        message: str,
        help: str | None = None,
        pointer: str | None = None,
        file: str | None = None,
        line: int | None = None,
        column: int | None = None,
    ) -> Self: ...
    @property
    def code(self) -> str:
        """Which rule of the format it breaks: a stable code."""

    @property
    def message(self) -> str:
        """What is wrong."""

    @property
    def help(self) -> str | None:
        """How to repair it."""

    @property
    def pointer(self) -> str | None:
        """Where in the document: a JSON Pointer."""

    @property
    def file(self) -> str | None:
        """The file, where there is one."""

    @property
    def line(self) -> int | None:
        """The line, from 1."""

    @property
    def column(self) -> int | None:
        """The column in characters, from 1."""

    def __eq__(self, other: object, /) -> bool: ...
    def __getnewargs__(self) -> tuple[Any, ...]: ...

@final
class Event:
    """Something that happened to an engine."""

    @property
    def kind(self) -> str:
        """Its stable name, such as `signal_changed`."""

    @property
    def at(self) -> Now:
        """When it happened."""

    @property
    def id(self) -> int:
        """Which event of this engine it is, from 1: what `label_trigger` names it by."""

    @property
    def severity(self) -> Literal["info", "ticket", "page"]:
        """Who has to know: nobody, somebody in working hours, somebody now. One cause wakes nobody twice."""

    @property
    def count(self) -> int:
        """How many events its cause has had so far, this one among them."""

    @property
    def runbook(self) -> str | None:
        """Where it is written what to do, where the pack says so."""

    def to_dict(self) -> dict[str, Any]:
        """All of it: `event`, `id`, `at`, `monotonic_ms`, `severity`, `count`, `runbook` where there is one, and the particulars of its kind."""

    def to_json(self) -> str:
        """The same as JSON."""

    def __eq__(self, other: object, /) -> bool: ...

@final
class Now:
    """One reading of both clocks."""

    def __new__(cls, monotonic_ns: int, wall_ns: int) -> Self: ...
    @property
    def monotonic_ns(self) -> int:
        """Nanoseconds on the clock that every time to live is measured with; it goes on while the machine sleeps."""

    @property
    def wall_ns(self) -> int:
        """Nanoseconds since 1970-01-01T00:00:00Z."""

    @staticmethod
    def read() -> Now:
        """Reads both clocks."""

    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __getnewargs__(self) -> tuple[int, int]: ...

@final
class Answer:
    """The answer to a request of the AuthZEN Authorization API."""

    @property
    def status(self) -> int:
        """The HTTP status: 200; 400 or 413 for a request that is none; 500 where the engine itself failed."""

    @property
    def body(self) -> str:
        """The body: JSON. Under another status than 200 it is a text that says what is wrong."""

    @property
    def reasons(self) -> tuple[str, ...]:
        """The reasons of the decisions in the answer, in their order; none for a search."""

@final
class Counters:
    """What an engine has counted since it was made."""

    @property
    def clock_went_back(self) -> int:
        """Readings of the monotonic clock that were earlier than one before, by a millisecond or more."""

    @property
    def events_dropped(self) -> int:
        """Events dropped because nobody polled."""

    @property
    def cached_decisions(self) -> int:
        """Cached decisions now held."""

    def __eq__(self, other: object, /) -> bool: ...

@final
class Bundle:
    """The active bundle."""

    @property
    def name(self) -> str:
        """The pack's name."""

    @property
    def revision(self) -> int:
        """The pack's revision."""

    @property
    def id(self) -> str:
        """The SHA-256 of its canonical bytes, in hexadecimal."""

    @property
    def warnings(self) -> tuple[Diagnostic, ...]:
        """What is allowed, but should be looked at."""

@final
class DrillReport:
    """What a drill came to: true where every step is as expected."""

    @property
    def drill(self) -> str:
        """What the drill shows."""

    @property
    def passed(self) -> bool:
        """Whether every step is as expected."""

    @property
    def steps(self) -> tuple[StepReport, ...]:
        """What each step came to, repetitions one by one."""

    @property
    def decisions_hash(self) -> str:
        """The SHA-256 of all decisions as JSON lines, in hexadecimal: equal in every language."""

    def __bool__(self) -> bool: ...

@final
class StepReport:
    """What one step of a drill came to."""

    @property
    def step(self) -> int:
        """Which step of the drill it is, from zero."""

    @property
    def now(self) -> Now:
        """When it was."""

    @property
    def note(self) -> str | None:
        """What the step is for."""

    @property
    def told(self) -> tuple[str, ...]:
        """What the engine was told, as text."""

    @property
    def asked(self) -> str | None:
        """Who asked to do what to what, as text."""

    @property
    def decision(self) -> Decision | None:
        """What was decided."""

    @property
    def events(self) -> tuple[Event, ...]:
        """What happened since the step before."""

    @property
    def failures(self) -> tuple[str, ...]:
        """In what the step is not as expected; empty if it passes."""

def authzen_metadata(address: str) -> str:
    """The metadata of the decision point at this address, as JSON.

    They are served at `/.well-known/authzen-configuration`. The address is the host's to say, never a request's; one that
    identifies no decision point is a `ValueError`.
    """

def _run_command(arguments: Sequence[str]) -> int: ...
def _before_fork() -> None: ...
def _after_fork() -> None: ...
