#!/usr/bin/env python3
"""The gate before a deployment: ends with 0 where the policy allows it, and with another code whatever else happens.

    python3 release_gate.py --pack policies/deploy-gate --artifact web.tar --facts facts --action deploy:production

What the steps before it have found out lies in the folder of facts:

    attestation.json    SLSA provenance: an in-toto statement in a DSSE envelope, as the builder signed it
    keys/NAME.pem       the public keys that may have signed it (ECDSA, as cosign makes them); NAME is what the policy says
    change.json         who asks, from which run, of which repository, and what the forge and the scanner know
    signals.json        what was asked on the way, and how it answered: {"builders": "ok", "transparency": "ok", …}

Whatever is missing there is not known, and the policy says what that means. This script finds out whose signatures hold and
what the artifact's digest is; what the statement says is judged by the policy. It needs Python and openssl, and the command
`fallgate`. To try: take one of the files away, change the artifact by a byte, report a signal as failed.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

PAYLOAD_TYPE = "application/vnd.in-toto+json"
#: How long the policy may take. A gate that hangs is not an open one, but nobody should wait for it.
DECIDES_WITHIN_S = 300


class Shut(Exception):
    """Why the gate stays shut, other than by a decision."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pack", required=True, type=Path)
    parser.add_argument("--artifact", required=True, type=Path)
    parser.add_argument("--facts", required=True, type=Path)
    parser.add_argument("--action", required=True)
    arguments = parser.parse_args()
    try:
        request = asked(arguments.artifact, arguments.facts, arguments.action)
        signals = read(arguments.facts / "signals.json") if (arguments.facts / "signals.json").exists() else {}
        return decided(arguments.pack, request, signals)
    except (Shut, OSError, ValueError, KeyError, TypeError, subprocess.SubprocessError) as error:
        print(f"gate: shut: {type(error).__name__}: {error}", file=sys.stderr)
        return 1


def asked(artifact: Path, facts: Path, action: str) -> dict[str, Any]:
    """The request: what is known, and nothing in place of what is not."""
    change = read(facts / "change.json")
    context: dict[str, Any] = {"verified_by": []}
    if (facts / "attestation.json").exists():
        context["provenance"], context["verified_by"] = verified(read(facts / "attestation.json"), facts / "keys")
    for name in ("author", "reviewers", "critical_findings"):
        if name in change:
            context[name] = change[name]
    repository = change["repository"]
    return {
        "subject": {"type": "pipeline", "id": change["run"], "properties": {"repository": repository}},
        "action": {"name": action},
        "resource": {
            "type": "artifact",
            "id": artifact.name,
            "properties": {
                "digest": hashlib.sha256(artifact.read_bytes()).hexdigest(),
                "repository": repository,
                "ran_here": False,
            },
        },
        "context": context,
    }


def verified(envelope: dict[str, Any], keys: Path) -> tuple[dict[str, Any], list[str]]:
    """The statement in a DSSE envelope, and the names of the keys whose signatures of it hold."""
    if envelope["payloadType"] != PAYLOAD_TYPE:
        raise Shut(f"the attestation holds `{envelope['payloadType']}`, not an in-toto statement")
    payload = base64.b64decode(envelope["payload"], validate=True)
    signed = b"DSSEv1 %d %s %d %s" % (len(PAYLOAD_TYPE), PAYLOAD_TYPE.encode(), len(payload), payload)
    holding = []
    for key in sorted(keys.glob("*.pem")):
        signatures = (base64.b64decode(one["sig"], validate=True) for one in envelope["signatures"])
        if any(holds(key, signature, signed) for signature in signatures):
            holding.append(key.stem)
    return strict(payload), holding


def holds(key: Path, signature: bytes, signed: bytes) -> bool:
    """Whether this key has made this signature."""
    with tempfile.TemporaryDirectory() as folder:
        signature_file = Path(folder, "signature")
        signature_file.write_bytes(signature)
        verify = ["openssl", "dgst", "-sha256", "-verify", str(key), "-signature", str(signature_file)]
        return subprocess.run(verify, input=signed, capture_output=True).returncode == 0


def decided(pack: Path, request: dict[str, Any], signals: dict[str, str]) -> int:
    """Asks the policy. It is allowed only where the exit code and the answer both say so, and nothing is left to do."""
    told = [f"--signal={name}={status}" for name, status in signals.items()]
    evaluate = ["fallgate", "eval", str(pack), "--input", "-", "--format", "json", *told]
    ended = subprocess.run(
        evaluate, input=json.dumps(request), capture_output=True, text=True, timeout=DECIDES_WITHIN_S
    )
    if ended.returncode not in (0, 1) or not ended.stdout:
        print(ended.stderr, end="", file=sys.stderr)
        raise Shut(f"`fallgate` gave no decision, and ended with {ended.returncode}")
    answer = strict(ended.stdout)
    about = answer["context"]
    if ended.returncode == 0 and answer["decision"] is True:
        if about["obligations"]:
            raise Shut("it is allowed with an obligation, and this gate fulfils none")
        print(f"gate: open: {about['rule']} ({about['id']})")
        return 0
    missing = f", for want of {', '.join(about['degraded'])}" if about["degraded"] else ""
    rule = f" `{about['rule']}`" if about.get("rule") else ""
    print(f"gate: shut: {about['reason']}{rule}{missing} ({about['id']})", file=sys.stderr)
    return 1


def read(file: Path) -> dict[str, Any]:
    return strict(file.read_bytes())


def strict(text: str | bytes) -> dict[str, Any]:
    """An object of JSON, in which no name stands twice: two readers would read two things."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise Shut("a name stands twice in an object")
        return found

    value = json.loads(text, object_pairs_hook=once)
    if not isinstance(value, dict):
        raise Shut("this is no object of JSON")
    return value


if __name__ == "__main__":
    sys.exit(main())
