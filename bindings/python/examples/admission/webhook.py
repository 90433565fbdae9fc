"""A validating admission webhook of Kubernetes, for the pack `policies/k8s-admission`. README.md beside it says how it is
put into a cluster, and why with `failurePolicy: Fail`.

    pip install fallgate uvicorn
    API=http://127.0.0.1:8001 SCANNER=http://127.0.0.1:8080 uvicorn --factory webhook:webhook
    jq .context.review ../../../../policies/k8s-admission/requests/pod.json | curl -d @- http://127.0.0.1:8000/validate

`API` is the API server, here as `kubectl proxy` shows it; `SCANNER` answers `GET /findings?image=…` with
`{"critical": 0}`, 404 for an image that it has not looked at, and `GET /healthz`. To try: stop the scanner. A deployment
waits then, whoever sends it; a node agent of `kube-system` starts, and the answer says what is to be scanned later.
"""

import asyncio
import json
import logging
import os
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fallgate
from fallgate.integrations.logging import LoggedEngine

PACK = Path(__file__).resolve().parents[4] / "policies" / "k8s-admission"
#: The API server waits for five seconds, as the configuration says; what is asked on the way has to answer before.
ANSWERS_WITHIN_S = 2.0
ASKED_EVERY_S = 1.0
#: More than the API server takes for an object.
REVIEW_BYTES_MAX = 8 << 20

logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
log = logging.getLogger("webhook")


class Unanswered(Exception):
    """A source did not answer, or with nonsense."""


class Webhook:
    """The ASGI application. Whatever goes wrong in it is no review with `allowed: true`."""

    def __init__(self, engine: fallgate.Engine, api: str, scanner: str) -> None:
        self.engine = engine
        self.api = api
        self.scanner = scanner

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            return await self.lifespan(receive, send)
        try:
            if (scope["method"], scope["path"]) != ("POST", "/validate"):
                raise ValueError("this is no `POST /validate`")
            review = json.loads(await body(receive))
            answer = await self.reviewed(review)
        except Exception as error:
            # No answer to the question: the API server does what `failurePolicy` says.
            log.warning("no review: %s: %s", type(error).__name__, error)
            return await respond(send, 400, {"error": "this is no AdmissionReview of admission.k8s.io/v1"})
        await respond(send, 200, answer)

    async def reviewed(self, review: Any) -> dict[str, Any]:
        """The answer to a review. It is about the review's own uid, or there is none."""
        uid = review["request"]["uid"]
        if review["apiVersion"] != "admission.k8s.io/v1" or review["kind"] != "AdmissionReview" or type(uid) is not str:
            raise ValueError("not this version of a review")
        try:
            response = await self.decided(review)
        except Exception as error:
            log.exception("review %s could not be decided", uid)
            response = refusal(500, f"the review could not be decided ({type(error).__name__})")
        return {"apiVersion": review["apiVersion"], "kind": review["kind"], "response": {"uid": uid, **response}}

    async def decided(self, review: dict[str, Any]) -> dict[str, Any]:
        labels, findings = None, None
        scanned: list[str] = []
        if review["request"]["operation"] != "DELETE":
            scanned = sorted(set(images(review["request"]["object"])))
            labels, findings = await asyncio.gather(self.labels(review["request"]["namespace"]), self.findings(scanned))
        later: list[str] = []
        # The API server keeps what is annotated in its own audit log: what is to be scanned later stands there.
        handlers = {"task": lambda _: later.extend(scanned)}
        try:
            decision = self.engine.enforce(**asked(review, labels, findings), obligations=handlers)
        except fallgate.Denied as denied:
            return refusal(403, told(denied.decision), annotations(denied.decision, []))
        return {"allowed": True, "auditAnnotations": annotations(decision, later)}

    async def labels(self, namespace: str) -> dict[str, str] | None:
        """The labels of a namespace, as the API server has them now."""
        path = f"/api/v1/namespaces/{urllib.parse.quote(namespace, safe='')}"
        found = await self.heard("namespaces", self.api + path)
        return None if found is None else found["metadata"].get("labels", {})

    async def findings(self, scanned: list[str]) -> int | None:
        """The critical findings of all images together; nothing where one of them is not known."""
        urls = [f"{self.scanner}/findings?{urllib.parse.urlencode({'image': image})}" for image in scanned]
        found = await asyncio.gather(*(self.heard("scanner", url) for url in urls))
        return None if None in found else sum(int(one["critical"]) for one in found)

    async def heard(self, signal: str, url: str) -> Any:
        """What a source answers, and nothing for 404. One that does not answer is reported at once."""
        try:
            return await answered(url)
        except Unanswered as error:
            log.warning("%s: %s", signal, error)
            self.engine.observe(signal, "failed")
            return None

    async def lifespan(self, receive: Any, send: Any) -> None:
        await receive()
        health = {"namespaces": f"{self.api}/readyz", "scanner": f"{self.scanner}/healthz"}
        watches = [asyncio.create_task(self.watch(signal, url)) for signal, url in health.items()]
        await send({"type": "lifespan.startup.complete"})
        await receive()
        for task in watches:
            task.cancel()
        await send({"type": "lifespan.shutdown.complete"})

    async def watch(self, signal: str, url: str) -> None:
        """Reports what a source answers, as long as the process runs. If this task died, its signal would end by itself."""
        while True:
            try:
                healthy = await answered(url, bytes) is not None
            except Unanswered:
                healthy = False
            self.engine.observe(signal, "ok" if healthy else "failed")
            await asyncio.sleep(ASKED_EVERY_S)


def asked(review: dict[str, Any], labels: dict[str, str] | None, findings: int | None) -> dict[str, Any]:
    """The request, in the words of the pack: the review whole, and beside it what is known, without what is not."""
    request = review["request"]
    user, metadata = request["userInfo"], (request["object"] or {}).get("metadata", {})
    name = request["name"] or metadata.get("name") or metadata.get("generateName") or ""
    context = {"review": review, "namespace_labels": labels, "critical_findings": findings}
    account = user["username"].startswith("system:serviceaccount:")
    return {
        "subject": {
            "type": "serviceaccount" if account else "user",
            "id": user["username"],
            "properties": {"groups": user["groups"]},
        },
        "action": {"name": f"admission:{request['operation'].lower()}"},
        "resource": {
            "type": request["kind"]["kind"],
            "id": f"{request['namespace']}/{name}",
            "properties": {"namespace": request["namespace"]},
        },
        "context": {name: value for name, value in context.items() if value is not None},
    }


def images(workload: dict[str, Any]) -> Iterator[str]:
    """The images of a pod, or of the pod that a workload would make. What is no workload raises."""
    spec = workload["spec"]
    if workload["kind"] == "CronJob":
        spec = spec["jobTemplate"]["spec"]
    pod = spec if workload["kind"] == "Pod" else spec["template"]["spec"]
    for containers in ("initContainers", "containers", "ephemeralContainers"):
        for container in pod.get(containers) or []:
            yield container["image"]


def refusal(code: int, message: str, noted: dict[str, str] | None = None) -> dict[str, Any]:
    status = {"code": code, "reason": "Forbidden" if code == 403 else "InternalError", "message": message}
    return {"allowed": False, "status": status, **({} if noted is None else {"auditAnnotations": noted})}


def told(decision: fallgate.Decision) -> str:
    """What whoever applied the object reads: which check it breaks, or what is missing."""
    rule = f" ({decision.rule})" if decision.rule else ""
    missing = f", while without {', '.join(decision.degraded)}" if decision.degraded else ""
    return f"fallgate: {decision.reason}{rule}{missing}; decision {decision.id}"


def annotations(decision: fallgate.Decision, later: list[str]) -> dict[str, str]:
    noted = {
        "decision": decision.id,
        "reason": decision.reason,
        "rule": decision.rule,
        "degraded": ",".join(decision.degraded),
        "rescan-later": ",".join(later),
    }
    return {name: value for name, value in noted.items() if value}


async def answered(url: str, read: Any = json.loads) -> Any:
    """What a source answers in time; nothing for 404."""
    try:
        # A source that sends a byte a second is always about to answer, and never does.
        return await asyncio.wait_for(asyncio.to_thread(fetched, url, read), ANSWERS_WITHIN_S)
    except asyncio.TimeoutError:
        raise Unanswered(f"{url} takes too long") from None


def fetched(url: str, read: Any) -> Any:
    try:
        with urllib.request.urlopen(url, timeout=ANSWERS_WITHIN_S) as answer:
            return read(answer.read(REVIEW_BYTES_MAX))
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return None
        raise Unanswered(f"{url} answers {error.code}") from None
    except Exception as error:
        raise Unanswered(f"{url}: {type(error).__name__}") from error


async def body(receive: Any) -> bytes:
    found = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise ValueError("whoever asked has gone")
        found += message.get("body", b"")
        if len(found) > REVIEW_BYTES_MAX:
            raise ValueError("the review is too long")
        if not message.get("more_body", False):
            return bytes(found)


async def respond(send: Any, status: int, content: dict[str, Any]) -> None:
    headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(content).encode()})


def webhook() -> Webhook:
    """The application: where its sources are stands in the environment."""
    return Webhook(LoggedEngine.open(PACK), os.environ["API"], os.environ["SCANNER"])
