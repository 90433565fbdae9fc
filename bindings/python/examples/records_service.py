"""A FastAPI service for patients' records: who opened one stands on the disk, or nobody opens it.

    pip install fallgate fastapi uvicorn
    AUDIT=audit.db IDP=http://127.0.0.1:8080/healthz CONSENT=http://127.0.0.1:8081/healthz \\
        uvicorn --factory records_service:service
    curl -i -H 'x-user: ida' http://127.0.0.1:8000/records/r-100
    curl -i -H 'x-user: pia' -X POST http://127.0.0.1:8000/exports/e-7
    fallgate audit show sqlite:audit.db

To try: hold the database with `sqlite3 audit.db 'BEGIN IMMEDIATE' '.shell read'` and ask for an export, which waits for its
record and is denied; ask for the record a few hundred times, until there is no room for what was not written; then for the
calendar of a ward, which names no patient and goes on. Let go, and all is as it was, with a gap that says what is missing.

The header stands for what a real service has authenticated, the tables below for a directory and a database.
"""

import asyncio
import contextlib
import http.client
import logging
import os
import threading
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Header, Response
from fastapi.responses import JSONResponse

import fallgate
from fallgate.audit import SqliteSink
from fallgate.integrations.fastapi import install, requires
from fallgate.integrations.logging import LoggedEngine

# Why something was denied is for whoever reads the log; the client is told the decision's identifier.
logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
log = logging.getLogger("records")

PACK = Path(__file__).resolve().parents[3] / "policies" / "compliance-records"
#: How many records wait in memory at the most. Small, so that it can be seen to run out; left out it is 100,000.
ROOM = 200
#: How often a source is asked, how long it has to answer, and how long an export waits for its record.
ASKED_EVERY_S = 0.2
ANSWERS_WITHIN_S = 2.0
WRITTEN_WITHIN_S = 1.0

PEOPLE: dict[str, dict[str, Any]] = {
    "ida": {"roles": ["clinician"], "wards": ["w-3"]},
    "cle": {"roles": ["clerk"], "wards": ["w-3"]},
    "pia": {"roles": ["privacy-officer"], "wards": []},
}


def user(x_user: Annotated[str, Header()] = "") -> fallgate.Entity:
    """Whoever asks. A stranger has no attributes, and without those that the policy demands there is no request."""
    known = PEOPLE.get(x_user)
    properties = {} if known is None else {**known, "email": f"{x_user}@clinic.example", "suspended": False}
    return fallgate.Entity("user", x_user or "nobody", properties)


def record(record_id: str) -> fallgate.Entity:
    return fallgate.Entity("record", record_id, {"ward": "w-3", "sealed": record_id == "r-666"})


def calendar(ward: str) -> fallgate.Entity:
    return fallgate.Entity("calendar", ward, {"ward": ward})


def service() -> FastAPI:
    """The application: what it needs is in the environment."""
    sources = {name: os.environ[name.upper()] for name in ("idp", "consent") if name.upper() in os.environ}
    # Refuses to go on behind a chain that does not verify: then there is no service.
    sink = SqliteSink(os.environ["AUDIT"])
    engine = LoggedEngine.open(PACK, audit_head=sink.head, limits={"audit_entries_max": ROOM})

    @contextlib.asynccontextmanager
    async def running(_: FastAPI) -> AsyncIterator[None]:
        stop = threading.Event()
        writer = threading.Thread(target=sink.run, args=(engine, stop), name="audit", daemon=True)
        writer.start()
        watches = [asyncio.create_task(watch(engine, name, url)) for name, url in sources.items()]
        yield
        for task in watches:
            task.cancel()
        stop.set()
        await asyncio.to_thread(writer.join)
        sink.close()

    app = FastAPI(lifespan=running)
    install(app)
    opens = requires(engine, "record:open", subject=user, resource=record)
    views = requires(engine, "calendar:view", subject=user, resource=calendar)

    @app.get("/records/{record_id}")
    def open_record(record_id: str, decision: Annotated[fallgate.Decision, Depends(opens)]) -> dict[str, Any]:
        return {"record": record_id, "rule": decision.rule, "decision": decision.id}

    @app.get("/wards/{ward}/calendar")
    def view_calendar(ward: str, decision: Annotated[fallgate.Decision, Depends(views)]) -> dict[str, Any]:
        return {"ward": ward, "rule": decision.rule}

    @app.post("/exports/{export_id}", response_model=None)
    async def export(
        export_id: str, subject: Annotated[fallgate.Entity, Depends(user)], cases: int = 12
    ) -> dict[str, Any] | Response:
        request = {
            "subject": {"type": subject.type, "id": subject.id, "properties": dict(subject.properties)},
            "action": {"name": "record:export"},
            "resource": {"type": "export", "id": export_id, "properties": {"cases": cases}},
        }
        answer = await written(engine, request)
        about = answer["decision"]["context"]
        if not answer:
            log.info("deny: %s (%s)", about["reason"], about["id"])
            body = {"type": "about:blank", "title": "Forbidden", "status": 403, "decision_id": about["id"]}
            return JSONResponse(body, 403, {"cache-control": "no-store"}, "application/problem+json")
        return {"export": export_id, "rule": about["rule"], "decision": about["id"]}

    return app


async def written(engine: fallgate.Engine, request: dict[str, Any]) -> fallgate.operations.PendingAnswer:
    """Decides, and waits until the record of an allow is on the disk, but not for long. Until then it is a deny."""
    answer = engine.decide_pending(request)
    pending, until = answer.get("pending"), asyncio.get_running_loop().time() + WRITTEN_WITHIN_S
    while pending is not None and not answer and asyncio.get_running_loop().time() < until:
        await asyncio.sleep(0.02)
        answer = engine.confirm_decision(pending)
    return answer


async def watch(engine: fallgate.Engine, signal: str, url: str) -> None:
    """Reports what a source answers, for as long as the service runs. If this task died, its signal would end by itself."""
    while True:
        engine.observe(signal, "ok" if await asyncio.to_thread(healthy, url) else "failed")
        await asyncio.sleep(ASKED_EVERY_S)


def healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=ANSWERS_WITHIN_S) as answer:
            return bool(answer.status == 200)
    except (OSError, http.client.HTTPException):
        return False
