"""The admission webhook, started by uvicorn behind TLS and called as an API server calls it, with recorded reviews."""

from __future__ import annotations

import copy
import datetime
import ipaddress
import json
import re
import runpy
import ssl
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import POLICIES
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from processes import EXAMPLES, Answer, Service, Source, eventually

REQUESTS = POLICIES / "k8s-admission" / "requests"
FOLDER = EXAMPLES / "admission"

#: What becomes of each recorded review while all is well, and by which rule.
EXPECTED = {
    "cron-job": "allowed_by_rule workloads-in-namespaces-under-a-standard",
    "deployment": "allowed_by_rule workloads-in-namespaces-under-a-standard",
    "deployment-update": "allowed_by_rule workloads-in-namespaces-under-a-standard",
    "deployment-delete": "allowed_by_rule whoever-may-delete-deletes",
    "pod": "allowed_by_rule workloads-in-namespaces-under-a-standard",
    "node-agent": "allowed_by_rule node-agents-heal-the-cluster",
    "node-agent-untrusted-image": "denied_by_rule image-from-an-untrusted-registry",
    "denied/capabilities": "denied_by_rule container-with-extra-capabilities",
    "denied/critical-findings": "denied_by_rule images-with-critical-findings",
    "denied/ephemeral-container": "denied_by_rule container-privileged",
    "denied/escalation": "denied_by_rule container-may-escalate",
    "denied/host-network": "denied_by_rule pod-in-the-nodes-namespaces",
    "denied/host-path": "denied_by_rule pod-sees-the-nodes-files",
    "denied/labels": "denied_by_rule pod-without-labels",
    "denied/limits": "denied_by_rule container-without-limits",
    "denied/no-tag": "denied_by_rule image-without-a-fixed-version",
    "denied/privileged": "denied_by_rule container-privileged",
    "denied/registry": "denied_by_rule image-from-an-untrusted-registry",
    "denied/root": "denied_by_rule container-runs-as-root",
    "denied/tag-latest": "denied_by_rule image-without-a-fixed-version",
    "denied/unscanned": "indeterminate images-with-critical-findings",
    "denied/namespace-without-a-standard": "indeterminate workloads-in-namespaces-under-a-standard",
}


def recorded(name: str) -> Any:
    return json.loads((REQUESTS / f"{name}.json").read_text())


class Cluster:
    """An API server and a scanner, and the webhook that asks them."""

    def __init__(self, folder: Path) -> None:
        self.api, self.scanner = Source(), Source()
        self.api.answers["/readyz"] = "ok"
        self.scanner.answers["/healthz"] = "ok"
        environment = {"API": self.api.url, "SCANNER": self.scanner.url}
        authority = certificate(folder)
        tls = ["--ssl-keyfile", str(folder / "key.pem"), "--ssl-certfile", str(authority)]
        self.webhook = Service("webhook:webhook", folder / "log", environment, tls, FOLDER)
        self.webhook.ssl = ssl.create_default_context(cafile=str(authority))

    def close(self) -> None:
        self.webhook.stop()
        self.api.close()
        self.scanner.close()

    def knows(self, name: str) -> Any:
        """Lets the sources know what was known when the request was recorded, and gives its review."""
        context = recorded(name)["context"]
        review = context["review"]
        namespace = review["request"]["namespace"]
        self.api.answers.pop(f"/api/v1/namespaces/{namespace}", None)
        if "namespace_labels" in context:
            found = {"kind": "Namespace", "metadata": {"name": namespace, "labels": context["namespace_labels"]}}
            self.api.answers[f"/api/v1/namespaces/{namespace}"] = found
        self.scanner.answers = {"/healthz": "ok"}
        if "critical_findings" in context:
            left = context["critical_findings"]
            for image in sorted(set(re.findall(r'"image": ?"([^"]+)"', json.dumps(review["request"]["object"])))):
                path = f"/findings?{urllib.parse.urlencode({'image': image})}"
                self.scanner.answers[path], left = {"critical": left}, 0
        return review

    def asks(self, name: str) -> str:
        return self.came_to(self.knows(name))

    def came_to(self, review: Any) -> str:
        """The reason, and the rule where there is one."""
        response = self.response(review)
        noted = response["auditAnnotations"]
        assert response["allowed"] is noted["reason"].startswith("allowed_")
        if not response["allowed"]:
            assert (response["status"]["code"], response["status"]["reason"]) == (403, "Forbidden")
            assert noted["reason"] in response["status"]["message"] and noted["decision"] in response["status"]["message"]
        return f"{noted['reason']} {noted.get('rule', '')}".strip()

    def response(self, review: Any) -> Any:
        answer = self.post(json.dumps(review).encode())
        assert answer.status == 200, answer.text
        assert (answer.body["apiVersion"], answer.body["kind"]) == ("admission.k8s.io/v1", "AdmissionReview")
        assert answer.body["response"]["uid"] == review["request"]["uid"]
        return answer.body["response"]

    def post(self, body: bytes) -> Answer:
        return self.webhook.ask("POST", "/validate?timeout=5s", {"content-type": "application/json"}, body)

    def until(self, name: str, expected: str) -> None:
        eventually(lambda: self.asks(name) == expected or None, f"{expected} for {name}")


def certificate(folder: Path) -> Path:
    """A key and a certificate of its own authority, valid for longer than any clock here is wrong."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "fallgate.fallgate-system.svc")])
    builder = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(datetime.datetime(2020, 1, 1))
        .not_valid_after(datetime.datetime(2120, 1, 1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    )
    plain = serialization.NoEncryption()
    pem = serialization.Encoding.PEM
    (folder / "key.pem").write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    (folder / "certificate.pem").write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(pem))
    return folder / "certificate.pem"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path_factory.mktemp("cluster"))
    try:
        cluster.until("deployment", EXPECTED["deployment"])
        yield cluster
    finally:
        cluster.close()


@pytest.mark.parametrize("name", EXPECTED)
def test_what_was_recorded_is_decided_as_the_pack_says(cluster: Cluster, name: str) -> None:
    assert cluster.asks(name) == EXPECTED[name]


@pytest.mark.parametrize("name", EXPECTED)
def test_the_webhook_asks_what_the_pack_rehearses(name: str) -> None:
    webhook = runpy.run_path(str(FOLDER / "webhook.py"))
    expected = recorded(name)
    context = expected["context"]
    made = webhook["asked"](context["review"], context.get("namespace_labels"), context.get("critical_findings"))
    assert made == expected


def test_a_node_agent_is_scanned_later(cluster: Cluster) -> None:
    response = cluster.response(cluster.knows("node-agent"))
    assert response["auditAnnotations"]["rescan-later"].startswith("registry.example.org/mirror/cilium/cilium:v1.17.4@")


@pytest.mark.parametrize("fault", ["unavailable", "nonsense"])
def test_without_the_scanner_only_node_agents_come_in(cluster: Cluster, fault: str) -> None:
    review = cluster.knows("deployment")
    if fault == "unavailable":
        cluster.scanner.status = 503
    else:
        cluster.scanner.answers = dict.fromkeys(cluster.scanner.answers, b"<html>all is well</html>")
    try:
        # Nobody knows what the images hold, which the rule that denies for it says, and why nobody does.
        assert cluster.came_to(review) == "indeterminate images-with-critical-findings"
        response = cluster.response(review)
        assert response["auditAnnotations"]["degraded"] == "scanner"
        assert ", while without scanner;" in response["status"]["message"]
        assert cluster.came_to(recorded("deployment-update")["context"]["review"]) == "signal_unavailable"
        response = cluster.response(recorded("node-agent")["context"]["review"])
        assert (response["allowed"], response["auditAnnotations"]["reason"]) == (True, "allowed_minimal")
        assert "rescan-later" in response["auditAnnotations"]
        untrusted = recorded("node-agent-untrusted-image")["context"]["review"]
        assert cluster.came_to(untrusted) == EXPECTED["node-agent-untrusted-image"]
        # Taking something away needs no scanner.
        assert cluster.came_to(recorded("deployment-delete")["context"]["review"]) == EXPECTED["deployment-delete"]
    finally:
        cluster.scanner.status = 200
        cluster.until("deployment", EXPECTED["deployment"])


def test_a_scanner_that_does_not_answer_is_not_waited_for(cluster: Cluster) -> None:
    review = cluster.knows("deployment-update")
    cluster.scanner.answering.clear()
    try:
        assert cluster.came_to(review) == "signal_unavailable"
    finally:
        cluster.scanner.answering.set()
        cluster.until("deployment-update", EXPECTED["deployment-update"])


def test_without_the_api_server_nothing_is_known_of_a_namespace(cluster: Cluster) -> None:
    review = cluster.knows("deployment")
    cluster.api.status = 500
    try:
        assert cluster.came_to(review) == "signal_unavailable"
        assert cluster.response(review)["auditAnnotations"]["degraded"] == "namespaces"
    finally:
        cluster.api.status = 200
        cluster.until("deployment", EXPECTED["deployment"])


def test_what_is_no_review_is_not_answered_as_one(cluster: Cluster) -> None:
    review = cluster.knows("pod")
    older = {**review, "apiVersion": "admission.k8s.io/v1beta1"}
    anonymous = {**review, "request": {**review["request"], "uid": None}}
    nonsense = [b"", b"{", b"[]", b"null", b'"allowed"', json.dumps(older).encode(), json.dumps(anonymous).encode()]
    for body in nonsense:
        answer = cluster.post(body)
        assert (answer.status, "response" in answer.body) == (400, False), body
    assert cluster.webhook.ask("GET", "/validate").status == 400
    assert cluster.webhook.ask("POST", "/mutate", body=json.dumps(review).encode()).status == 400
    assert cluster.asks("pod") == EXPECTED["pod"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"object": {"kind": "Pod", "spec": "none"}}, 500),
        ({"object": None}, 500),
        ({"operation": "CONNECT"}, 403),
        ({"kind": {"group": "", "version": "v1", "kind": "Secret"}}, 403),
        ({"namespace": "kube-public"}, 403),
        ({"userInfo": {}}, 500),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_review_that_makes_no_sense_is_refused_under_its_uid(cluster: Cluster, change: Any, code: int) -> None:
    review = copy.deepcopy(cluster.knows("pod"))
    review["request"].update(change)
    response = cluster.response(review)
    assert (response["allowed"], response["status"]["code"]) == (False, code)
    assert cluster.asks("pod") == EXPECTED["pod"]


def test_whoever_cannot_reach_the_webhook_is_refused_by_the_api_server() -> None:
    configuration = (FOLDER / "configuration.yaml").read_text()
    assert configuration.count("failurePolicy: Fail\n") == 1
    assert "Ignore" not in configuration
    # It waits for longer than the webhook asks on its way.
    wait = int(re.findall(r"timeoutSeconds: (\d+)", configuration)[0])
    assert wait > 2 * runpy.run_path(str(FOLDER / "webhook.py"))["ANSWERS_WITHIN_S"]
    # What the pack declares is asked about, and nothing else.
    kinds = re.findall(r"^    ([A-Z]\w+): +\{ namespace", (POLICIES / "k8s-admission" / "pack.yaml").read_text(), re.M)
    resources = {name for names in re.findall(r"resources: \[(.*?)\]", configuration) for name in names.split(", ")}
    assert resources == {f"{kind.lower()}s" for kind in kinds} | {"pods/ephemeralcontainers"}
