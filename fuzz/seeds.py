"""Seeds for the fuzzers from the shipped packs and the hostile inputs: `seeds.py KIND FOLDER`."""

import base64
import json
import pathlib
import random
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
POLICIES = ROOT / "policies"


def requests():
    """Every request of every pack, as it is."""
    for path in sorted(POLICIES.glob("*/requests/**/*.json")):
        yield path.read_text()


def parts():
    """Every request of every pack, and some for the policy that the fuzz target has, which reads parts of attributes."""
    yield from requests()
    values = ["1", '[{"b":1},{"b":2}]', '{"a":{"b":[{"a":-0,"b":{"a":1e3}}]}}', '{"a":"\\u00e9\\ud83d\\ude00"}']
    for number, value in enumerate(values * len(values)):
        other = values[number // len(values)]
        yield (
            '{"subject":{"type":"user","id":"u","properties":{"a":%s,"c":{"d":[null,true]}}},"action":{"name":"%s"},'
            '"resource":{"id":"d","type":"doc","properties":{"a":%s,"b":{"a":%s}}},"context":{"a":1,"e":false},"x":[]}'
        ) % (value, "xy"[number % 2], other, value)


def questions():
    """Every request as a question to each endpoint: the fuzz target takes the endpoint from the first byte."""
    for request in requests():
        for endpoint in "01234":
            yield endpoint + request
        yield '1{"evaluations": [{}, %s], "options": {"evaluations_semantic": "permit_on_first_permit"}}' % request
        # What all items share, and an item that has a resource of its own.
        shared = request.rstrip().removesuffix("}")
        yield '1%s, "evaluations": [{}, {"resource": {"type": "record", "id": "r", "properties": {"status": "active"}}}]}' % shared
        yield '2{"page": {"limit": 1},' + request.lstrip().removeprefix("{")


def keys():
    """Pairs of requests that engines elsewhere took for one: the values of docs/hostile.md, and programs that change them."""
    values = [
        '["a,b"]', '["a","b"]', '[["a"],"b"]', '["a",["b"]]', '{"a":"x,\'b:\'y"}', '{"a":"x","b":"y"}', '["ab","c"]', '["a","bc"]',
        '"1"', "1", "1.0", "true", "null", "[]", "{}", '""', "9007199254740993", "18446744073709551615", '"a\\u001fb"', '"a|b"',
    ]
    for number, value in enumerate(values):
        other = values[number - 1]
        text = (
            '{"subject":{"type":"user","id":"u","properties":{"a":%s,"b":%s}},"action":{"name":"%s"},'
            '"resource":{"type":"doc","id":"d","properties":{"a":%s}},"context":{"a":1,"b":%s}}'
        ) % (value, other, ["whole", "parts"][number % 2], other, value)
        yield text.encode() + b"\xff" + program(number, 12)


def operations():
    """Each operation once, as docs/formats/operation.json has it, rightly and not quite."""
    subject, doc = {"subject": {"type": "user", "id": "u1"}}, {"posture": "shut"}
    known = {
        "enter_posture": doc, "leave_posture": doc, "acknowledge_posture": {"posture": "read-only", "scope": "tenant:x"},
        "quarantine": {"what": subject, "for": "1m", "absolute": True, "reason": "why"}, "lift_quarantine": "everything",
        "revoke": {"type": "user", "id": "u1", "before": "1s"}, "activate": {"bundle": "{}"}, "stage": {"bundle": "{}"}, "promote": {},
        "roll_back": {"to": "00"}, "export_state": {}, "restore_state": {"state": "{}", "least_sequence": 1}, "rotate_trust": {"root": "{}"},
        "take_over": {}, "witness_epoch": {"epoch": 1, "instance": "b"}, "resign": {}, "report_attempts": {"count": 2},
        "report_mitigation": {"done": True}, "record_latency": {"effect": "allow", "nanos": 5}, "metrics": {}, "slis": {},
        "label_decision": {"decision": "01J00000000000000000000000", "label": "legitimate"}, "set_flag": {"flag": "stop", "for": "1m"},
        "clear_flag": {"flag": "stop"}, "acquire": {"signal": "dial"}, "report": {"signal": "dial", "permit": 0, "outcome": "failed"},
        "retry": {"signal": "dial", "permit": 0, "outcome": "failed"}, "force_open": {"signal": "dial"}, "release": {"signal": "dial"},
        "first_seen": {"signal": "dial", "key": "k", "made_at": "2026-01-01T00:00:00Z"}, "drain_audit": {"max": 3}, "acknowledge_audit": {"seq": 1},
        "checkpoint": {}, "decide_pending": {"request": {}}, "confirm_decision": {"pending": "01J00000000000000000000000"},
        "apply": {"message": "{}"}, "drain_journal": {}, "acknowledge_journal": {"n": 1}, "revoke_override": {"id": "0" * 64},
        "approve": {"proposal": "0" * 64, "by": "ann", "signature": "AA=="}, "withdraw": {"proposal": "0" * 64, "by": "ann", "code": "000000"},
        "propose": {"proposal": {"fallgate": "proposal/1", "bundle": "operation", "operation": {"leave_posture": doc}, "by": "ann", "reason": "r",
                                 "issued_at": "2026-01-01T00:00:01Z", "expires_at": "2026-01-01T01:00:00Z", "nonce": "n"}, "signature": "AA=="},
    }
    for verb, argument in known.items():
        yield json.dumps({verb: argument})
        yield json.dumps({verb: argument, "metrics": {}})


def records():
    """Bodies of records of several kinds, a line each."""
    decision = {
        "decision": {"decision": True, "context": {"reason": "allowed_by_rule", "rule": "level", "bundle": "fuzz", "revision": 1, "posture": "normal"}},
        "request": {"subject": {"type": "user", "id": "u", "properties": {"level": 70, "roles": []}}, "action": {"name": "plain"},
                    "resource": {"type": "doc", "id": "d", "properties": {"level": 50}}},
    }
    yield "\n".join(json.dumps(body) for body in [
        {"kind": "signal", "body": {"event": "signal_changed", "signal": "idp", "to": "ok"}},
        {"kind": "clock", "body": {"event": "clock_failed"}},
        {"kind": "decision", "body": decision},
        {"kind": "gap", "body": {"denies": 1, "allows": 0, "events": 2, "since": "a", "until": "b"}},
    ])
    yield json.dumps(decision)
    yield json.dumps({"kind": "checkpoint", "body": {"count": 0, "head": "0" * 64}})
    # A first record, whole but for its hash, which nobody has reckoned.
    record = {"at": "2026-01-01T00:00:00Z", "body": {"event": "clock_failed"}, "fallgate": "audit/1", "hash": "0" * 64, "kind": "clock",
              "monotonic_ms": 0, "prev": "0" * 64, "seq": 1}
    yield json.dumps(record, separators=(",", ":"))


def texts():
    """Every YAML file of every pack: cases, drills, rules."""
    for path in sorted(POLICIES.glob("**/*.yaml")):
        yield path.read_text()


def signed():
    """The signed files that every language refuses or takes, and what is signed in them; and a trust root."""
    root = {"fallgate_trust": 1, "keys": [{"id": "21fe31dfa154a261626bf854046fd2271b7bed4b6abe45aa58877ef47f9721b9",
                                           "key": "ed25519:11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="}], "threshold": 1, "version": 1}
    yield json.dumps(root, separators=(",", ":"))
    for path in sorted((ROOT / "bindings" / "signed").glob("*.json")):
        yield path.read_bytes()
        if payload := re.search(rb'"payload":"([A-Za-z0-9+/=]+)"', path.read_bytes()):
            yield base64.b64decode(payload[1] + b"===")


def program(seed, length):
    """Any bytes, the same every time."""
    return random.Random(seed).randbytes(length)


def programs():
    """Programs of several lengths: what they say is for the fuzz targets to read."""
    for number in range(40):
        yield program(number, 8 << number // 5)


def conditions():
    """Every condition of every pack, with the attributes and signals that the fuzz target knows."""
    for path in sorted(POLICIES.glob("*/rules*")):
        for line in path.read_text().splitlines():
            found = re.match(r"\s*when:\s*(.+)", line)
            if found and not found[1].startswith(("{", "|", ">")):
                text = found[1].strip()
                text = text[1:-1] if text[0] == text[-1] == '"' else text
                text = re.sub(r"\b(subject|action|resource|context)\.(\w+)", known_attribute, text)
                yield re.sub(r"\bsignals\.([\w-]+)", "signals.s", text)


def known_attribute(found):
    """`subject.roles` becomes `subject.d`: another name, the same one for the same attribute."""
    return f"{found[1]}.{'abcde'[sum(found[2].encode()) % 5]}"


def main():
    """Writes one file for each seed."""
    kind, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    kinds = [requests, parts, questions, keys, operations, records, texts, signed, programs, conditions]
    seeds = list({each.__name__: each for each in kinds}[kind]())
    if not seeds:
        sys.exit(f"no {kind} were found in {ROOT}")
    for number, seed in enumerate(seeds):
        (folder / f"seed-{number:03}").write_bytes(seed if isinstance(seed, bytes) else seed.encode())


main()
