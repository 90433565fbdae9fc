"""Sinks for audit records: what takes them over from an engine, and keeps them where they outlive the process.

    with FileSink("/var/lib/app/audit") as sink:
        engine = fallgate.Engine.open("policies/payment-gateway", audit_head=sink.head)
        ...
        sink.drain(engine)

A sink confirms records to the engine only when they are on disk. What it did not confirm comes again, and what it has
already it does not write twice: a crash between the two loses nothing and doubles nothing. It never writes behind a chain
that its records do not follow. `fallgate audit verify` reads what it wrote.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import re
import sqlite3
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, NamedTuple

from .errors import Error
from .operations import Head, Operated

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

if TYPE_CHECKING:
    from typing_extensions import Self

    from ._fallgate import Now

__all__ = ["ChainError", "FileSink", "SqliteSink"]

_log = logging.getLogger("fallgate")
#: How many records a sink asks for at a time.
_BATCH = 1_000
_ZERO = "0" * 64


class ChainError(Error):
    """Records that do not follow those that are there, or a chain that was tampered with or whose last write was cut off.

    Nothing was written. Keep what is there, look at it with `fallgate audit verify`, and begin a chain elsewhere.
    """

    code = "chain_broken"


class _Record(NamedTuple):
    """What links a record to the others."""

    seq: int
    prev: str
    hash: str


#: A record's line is canonical JSON: behind the body, which may hold anything, nothing but these members can stand.
_RECORD = re.compile(
    rb'(\{"at":"[^"\\]*","body":.*,"fallgate":"audit/1"),"hash":"([0-9a-f]{64})"'
    rb'(,"kind":"[a-z_]+","monotonic_ms":[0-9]+,"prev":"([0-9a-f]{64})","seq":([1-9][0-9]{0,15})\})',
    re.DOTALL,
)


def _read(line: bytes) -> _Record:
    """Reads the record in a line without its end, and checks its hash."""
    match = _RECORD.fullmatch(line)
    if match is None:
        raise ChainError("this is no record of an audit chain")
    before, digest, behind, prev, seq = match.groups()
    found = hashlib.sha256(bytes.fromhex(prev.decode()) + before + behind).hexdigest()
    if found != digest.decode():
        raise ChainError(f"record {int(seq)} was changed: its hash is another one")
    return _Record(int(seq), prev.decode(), found)


def _follow(head: Head, record: _Record) -> Head:
    """The head behind a record that follows."""
    if record.seq != head["count"] + 1 or record.prev != head["head"]:
        raise ChainError(f"record {record.seq} does not follow record {head['count']}")
    return {"count": record.seq, "head": record.hash}


class _Sink:
    """What all sinks do: they are told where their records go, and keep one of each."""

    def __init__(self, head: Head) -> None:
        self._head = head
        self._process = os.getpid()
        # Records are drained by one thread at a time, whoever asks.
        self._draining = threading.Lock()

    @property
    def head(self) -> Head:
        """Where the chain on disk has come to: the `audit_head` of the engine that goes on with it."""
        return {"count": self._head["count"], "head": self._head["head"]}

    def append(self, lines: Sequence[str]) -> Head:
        """Writes records, and gives where the chain has come to once they are on disk.

        Records that are there already are not written again. Raises `ChainError` for records that do not follow, and
        `OSError` or `sqlite3.Error` where they cannot be written; then none of them is there.
        """
        with self._draining:
            return self._append(lines)

    def drain(self, engine: Operated, *, now: Now | tuple[int, int] | None = None) -> int:
        """Takes over the records that the engine has, and confirms each batch once it is on disk; gives their number."""
        number = 0
        with self._draining:
            while True:
                batch = engine.drain_audit(_BATCH, now=now)
                if not batch["lines"]:
                    return number
                self._append(batch["lines"])
                engine.acknowledge_audit(batch["last_seq"], now=now)
                number += len(batch["lines"])
                # What comes in meanwhile is for the next call: this one ends, however busy the engine is.
                if len(batch["lines"]) < _BATCH:
                    return number

    def run(self, engine: Operated, stop: threading.Event, *, every: float = 0.05) -> None:
        """Drains again and again, `every` so many seconds, until `stop` is set, and once more then: for a thread of the host's.

        Where the disk does not take records they stay in the engine, the failure is logged as an error of the logger
        `fallgate`, and the next round tries again. A chain that does not fit ends it with `ChainError`.
        """
        failing = False
        while not stop.wait(every):
            try:
                self.drain(engine)
                failing = False
            except (OSError, sqlite3.Error):
                # Once for each time that it begins: a full disk has no use for more lines.
                if not failing:
                    _log.exception("audit records cannot be written; they wait in the engine")
                failing = True
        self.drain(engine)

    def _append(self, lines: Sequence[str]) -> Head:
        if os.getpid() != self._process:
            raise RuntimeError("a sink belongs to the process that opened it; open one in each, on a place of its own")
        head = self._head
        new: list[tuple[_Record, bytes]] = []
        for line in lines:
            text = line.encode()
            record = _read(text)
            if not new and record.seq <= head["count"]:
                if self._hash_of(record.seq) != record.hash:
                    raise ChainError(f"record {record.seq} is another one than that which is there")
                continue
            head = _follow(head, record)
            new.append((record, text))
        if new:
            self._write(new)
            self._head = head
        return self.head

    def _hash_of(self, seq: int) -> str | None:
        """The hash of a record that is on disk already; nothing where that is not known."""
        raise NotImplementedError

    def _write(self, records: list[tuple[_Record, bytes]]) -> None:
        """Writes records so that all of them are on disk, or none."""
        raise NotImplementedError

    def close(self) -> None:
        """Lets go of what is open. Closing twice is fine; a closed sink writes no more."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class FileSink(_Sink):
    """A folder of files that only grow, as `fallgate serve --audit` writes it too: JSON Lines, for their owner's eyes alone.

    A file is named after its first record (`audit-00000000000000000001.jsonl`); at `file_bytes_max` the next one is begun,
    and the chain goes on through it. The last two files are read back: what they hold must be whole and linked, else
    `ChainError` is raised. `BlockingIOError` is raised where another process, or another sink, writes the folder.
    """

    def __init__(self, folder: str | os.PathLike[str], *, file_bytes_max: int = 64 << 20) -> None:
        self._folder = Path(folder)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._file_bytes_max = file_bytes_max
        self._file: IO[bytes] | None = None
        #: The bytes of the open file that are on disk, record by record.
        self._length = 0
        self._lock: IO[bytes] | None = _locked(self._folder / "lock")
        #: The hashes of the last records, by number: of as many as an engine may hand out again.
        self._hashes: dict[int, str] = {}
        try:
            files = sorted(self._folder.glob("*.jsonl"))
            super().__init__(self._tail(files[-2:]))
            if files:
                self._file = _appending(files[-1], os.O_APPEND)
                self._length = self._file.seek(0, os.SEEK_END)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        for file in (self._file, self._lock):
            if file is not None:
                file.close()
        self._file = self._lock = None

    def _tail(self, files: Sequence[Path]) -> Head:
        """Where the chain of these files has come to."""
        head: Head | None = None
        for path in files:
            begins = True
            with path.open("rb") as file:
                for number, line in enumerate(file, start=1):
                    try:
                        if not line.endswith(b"\n"):
                            raise ChainError("the line has no end: a write was cut off")
                        record = _read(line[:-1])
                        if begins and path.name != _name(record.seq):
                            raise ChainError("the file is not named after its first record")
                        head = _follow(head or {"count": record.seq - 1, "head": record.prev}, record)
                    except ChainError as error:
                        raise ChainError(f"the audit chain is broken at {path}:{number}: {error}") from None
                    begins = False
                    self._remember(record)
            if begins:
                raise ChainError(f"the audit chain is broken: {path} is empty")
        return head or {"count": 0, "head": _ZERO}

    def _remember(self, record: _Record) -> None:
        self._hashes[record.seq] = record.hash
        self._hashes.pop(record.seq - _REMEMBERED, None)

    def _hash_of(self, seq: int) -> str | None:
        return self._hashes.get(seq)

    def _write(self, records: list[tuple[_Record, bytes]]) -> None:
        if self._lock is None:
            raise ValueError("the sink is closed")
        if self._file is None or self._length >= self._file_bytes_max:
            self._begin_file(records[0][0].seq)
        file = self._file
        assert file is not None
        text = b"".join(text + b"\n" for _, text in records)
        try:
            # What is left of a write that failed, where it could not be taken back then.
            file.truncate(self._length)
            _write_all(file, text)
            os.fsync(file.fileno())
        except BaseException:
            # Half a record at the end would make a broken chain of a full disk.
            file.truncate(self._length)
            os.fsync(file.fileno())
            raise
        self._length += len(text)
        for record, _ in records:
            self._remember(record)

    def _begin_file(self, first: int) -> None:
        # A file of that name has records that this chain knows nothing of.
        file = _appending(self._folder / _name(first), os.O_APPEND | os.O_CREAT | os.O_EXCL)
        if self._file is not None:
            self._file.close()
        self._file, self._length = file, 0
        # The name is on disk before the first record is.
        if sys.platform != "win32":
            folder = os.open(self._folder, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)


#: How many records an engine hands out at the most before it is told that they are written, and as many again.
_REMEMBERED = 20_000


def _name(first: int) -> str:
    """A file's name: the number of its first record, with so many digits that names are in the order of records."""
    return f"audit-{first:020}.jsonl"


def _appending(path: Path, flags: int) -> IO[bytes]:
    """A file that is only written at its end, and only by its owner."""
    return os.fdopen(os.open(path, os.O_RDWR | flags | getattr(os, "O_BINARY", 0), 0o600), "r+b", buffering=0)


def _write_all(file: IO[bytes], text: bytes) -> None:
    rest = memoryview(text)
    while rest:
        rest = rest[file.write(rest) :]


def _locked(path: Path) -> IO[bytes]:
    """What keeps a second writer out, as long as it is open: the same as that of `fallgate serve`."""
    lock = _appending(path, os.O_CREAT)
    try:
        if sys.platform == "win32":
            msvcrt.locking(lock.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        message = "somebody else writes the audit records of this folder; give each process a folder of its own"
        raise BlockingIOError(error.errno, message, str(path.parent)) from None
    return lock


class SqliteSink(_Sink):
    """A table of records in a SQLite database: `record(seq, hash, line)`, for their owner's eyes alone.

    The last records are read back and must be whole and linked, else `ChainError` is raised; so it is where another writer
    has added records meanwhile. `lines` gives the records for `fallgate audit verify`.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        _appending(Path(path), os.O_CREAT).close()
        # One thread at a time writes, whichever it is.
        self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            self._database.execute("PRAGMA journal_mode = WAL")
            # A record that is confirmed is on disk, also where the machine loses its power.
            self._database.execute("PRAGMA synchronous = FULL")
            self._database.execute(
                "CREATE TABLE IF NOT EXISTS record "
                "(seq INTEGER PRIMARY KEY, hash TEXT NOT NULL, line TEXT NOT NULL)"
            )
            super().__init__(self._tail())
        except BaseException:
            self._database.close()
            raise

    def close(self) -> None:
        self._database.close()

    def lines(self, after: int = 0) -> Iterator[str]:
        """The records behind that number, in order: each a line of canonical JSON, without its end."""
        for (line,) in self._database.execute("SELECT line FROM record WHERE seq > ? ORDER BY seq", (after,)):
            yield line

    def _tail(self) -> Head:
        rows = self._database.execute("SELECT seq, line FROM record ORDER BY seq DESC LIMIT 1000").fetchall()
        head: Head | None = None
        for seq, line in reversed(rows):
            try:
                record = _read(line.encode())
                if record.seq != seq:
                    raise ChainError(f"record {record.seq} stands where {seq} should")
                head = _follow(head or {"count": record.seq - 1, "head": record.prev}, record)
            except ChainError as error:
                raise ChainError(f"the audit chain is broken at row {seq}: {error}") from None
        return head or {"count": 0, "head": _ZERO}

    def _hash_of(self, seq: int) -> str | None:
        row = self._database.execute("SELECT hash FROM record WHERE seq = ?", (seq,)).fetchone()
        return None if row is None else str(row[0])

    def _write(self, records: list[tuple[_Record, bytes]]) -> None:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            (last,) = self._database.execute("SELECT coalesce(max(seq), 0) FROM record").fetchone()
            if last != self._head["count"]:
                raise ChainError(f"another writer has added records up to {last}; give each process a database of its own")
            rows = [(record.seq, record.hash, text.decode()) for record, text in records]
            self._database.executemany("INSERT INTO record VALUES (?, ?, ?)", rows)
            self._database.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                self._database.execute("ROLLBACK")
            raise
