"""The FastAPI example, started by uvicorn and called over TCP, while what writes its audit records stalls and returns."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from processes import Answer, Service, Source, eventually

from fallgate.command import main as fallgate_command


@pytest.fixture
def sources() -> Iterator[dict[str, Source]]:
    found = {"IDP": Source(), "CONSENT": Source()}
    for source in found.values():
        source.answers["/healthz"] = "ok"
    yield found
    for source in found.values():
        source.close()


class Records:
    def __init__(self, folder: Path, sources: dict[str, Source]) -> None:
        self.database = folder / "audit.db"
        environment = {name: f"{source.url}/healthz" for name, source in sources.items()}
        self.service = Service("records_service:service", folder / "log", {"AUDIT": str(self.database), **environment})

    def opens(self, user: str = "ida", record: str = "r-100") -> str:
        return self.came_to(self.service.ask("GET", f"/records/{record}", {"x-user": user}))

    def views(self, user: str = "cle") -> str:
        return self.came_to(self.service.ask("GET", "/wards/w-3/calendar", {"x-user": user}))

    def exports(self, user: str = "pia", cases: int = 12) -> str:
        return self.came_to(self.service.ask("POST", f"/exports/e-7?cases={cases}", {"x-user": user}))

    def came_to(self, answer: Answer) -> str:
        """The rule that allowed it, or the reason that it was denied for, which only the log has."""
        if answer.status == 200:
            rule: str = answer.body["rule"]
            return rule
        assert answer.status == 403
        assert sorted(answer.body) == ["decision_id", "status", "title", "type"]

        def look() -> str | None:
            found = re.search(rf"deny: (\w+) \({answer.body['decision_id']}\)", self.service.log())
            return None if found is None else found[1]

        return eventually(look, f"a line about {answer.body}")


@pytest.fixture
def records(tmp_path: Path, sources: dict[str, Source]) -> Iterator[Records]:
    records = Records(tmp_path, sources)
    try:
        eventually(lambda: records.opens() == OPENED or None, "an opened record")
        eventually(lambda: records.exports() == EXPORTED or None, "an export")
        yield records
    finally:
        records.service.stop()


OPENED = "clinicians-open-records-of-their-wards"
EXPORTED = "privacy-officers-export-few"
VIEWED = "staff-see-their-wards-calendar"


def test_without_its_record_nothing_is_opened(records: Records) -> None:
    assert (records.views(), records.views("pia")) == (VIEWED, "no_matching_rule")

    holder = sqlite3.connect(records.database, isolation_level=None, timeout=60)
    holder.execute("BEGIN IMMEDIATE")
    # An export waits for its record, and not for ever.
    assert records.exports() == "audit_pending"
    # The others go on for as long as there is room to remember them.
    eventually(lambda: records.opens() == "audit_unavailable" or None, "an end of the room")
    assert (records.opens(), records.exports(), records.views()) == ("audit_unavailable", "audit_unavailable", VIEWED)
    holder.execute("ROLLBACK")
    holder.close()

    eventually(lambda: records.opens() == OPENED or None, "an opened record")
    eventually(lambda: records.exports() == EXPORTED or None, "an export")
    records.service.stop()
    # The chain is whole, and says itself what it does not have.
    assert fallgate_command(["audit", "verify", f"sqlite:{records.database}"]) == 0
    with sqlite3.connect(records.database) as database:
        kinds = {kind for (kind,) in database.execute("SELECT line ->> '$.kind' FROM record")}
    assert {"decision", "pending", "gap"} <= kinds


def test_a_source_that_fails_closes_what_needs_it(records: Records, sources: dict[str, Source]) -> None:
    sources["CONSENT"].status = 503
    eventually(lambda: records.exports() == "signal_unavailable" or None, "a denied export")
    assert records.opens() == OPENED
    sources["IDP"].status = 503
    eventually(lambda: records.opens() == "signal_unavailable" or None, "a denied record")
    assert records.views() == "signal_unavailable"
    sources["CONSENT"].status = sources["IDP"].status = 200
    eventually(lambda: records.opens() == OPENED or None, "an opened record")
    eventually(lambda: records.exports() == EXPORTED or None, "an export")


def test_nonsense_is_denied_and_the_next_request_is_not(records: Records) -> None:
    assert [records.opens(user) for user in ("", "nobody", "ida%00")] == ["invalid_request"] * 3
    assert records.opens("x" * 5000) == "limit_exceeded"
    assert records.opens(record="r-666") == "denied_by_rule"
    assert records.exports(cases=2**63 - 1) == "no_matching_rule"
    assert records.service.ask("POST", "/exports/e-7?cases=all", {"x-user": "pia"}).status == 422
    assert (records.opens(), records.exports()) == (OPENED, EXPORTED)


def test_behind_a_chain_that_was_changed_there_is_no_service(
    records: Records, sources: dict[str, Source], tmp_path: Path
) -> None:
    records.service.stop()
    with sqlite3.connect(records.database) as database:
        ((last, line),) = database.execute("SELECT seq, line FROM record ORDER BY seq DESC LIMIT 1")
        database.execute("UPDATE record SET line = replace(line, '\"at\":\"20', '\"at\":\"19') WHERE seq = ?", (last,))
    changed = Records(tmp_path, sources)
    assert changed.service.process.wait(120) != 0
    assert f"record {last} was changed" in changed.service.log()

    with sqlite3.connect(records.database) as database:
        database.execute("UPDATE record SET line = ? WHERE seq = ?", (line, last))
    again = Records(tmp_path, sources)
    eventually(lambda: again.opens() == OPENED or None, "an opened record")
    again.service.stop()
