"""The gateway of examples/gateway.c, started as a process of its own and spoken to by lines, with what can go wrong.

python3 gateway.py FALLGATE PACK PROGRAM…, where PROGRAM may stand behind valgrind.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

#: What the requests of the pack are about.
START = 1_782_885_600  # 2026-07-01T06:00:00Z
SIGNALS = ("attestation", "watch-network", "watch-behaviour", "watch-cloud")
STARTED = "pass operators-command-attested-devices"
INSTALLED = "pass signed-firmware-that-is-newer-is-installed"
SAFE = "pass anybody-of-the-plant-makes-safe"


class Plant:
    """Keys, a trust root and a signed bundle, and the gateway."""

    def __init__(self, fallgate: str, pack: Path, program: list[str], place: Path) -> None:
        self.fallgate, self.pack, self.place = fallgate, pack, place
        for key in ("vendor", "plant", "stranger"):
            self.run("keys", "new", "-o", f"{key}.key")
        two = ("--key", "vendor.key.pub", "--key", "plant.key.pub", "--threshold", "2")
        self.run("keys", "trust", *two, "--until", "2126-01-01T00:00:00Z", "-o", "trust.json")
        self.run("build", str(pack), "--key", "vendor.key", "-o", "one.json")
        self.run("sign", "one.json", "--key", "plant.key", "-o", "bundle.json")
        self.run("build", str(pack), "--key", "stranger.key", "-o", "stranger.json")
        # What the gateway writes goes where this points to.
        self.point("audit.jsonl")
        self.gateway = subprocess.Popen(
            [*program, "trust.json", "audit", str(START)], cwd=place, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def run(self, *arguments: str) -> None:
        subprocess.run([self.fallgate, *arguments], cwd=self.place, check=True, stdout=subprocess.DEVNULL)

    def point(self, target: str) -> None:
        link = self.place / "audit"
        link.unlink(missing_ok=True)
        link.symlink_to(target)

    def says(self, line: str | bytes) -> str:
        text = line.encode() if isinstance(line, str) else line
        assert self.gateway.stdin is not None and self.gateway.stdout is not None
        self.gateway.stdin.write(text + b"\n")
        self.gateway.stdin.flush()
        return self.gateway.stdout.readline().decode().rstrip("\n")

    def asks(self, name: str) -> str:
        return self.says(json.dumps(json.loads((self.pack / "requests" / f"{name}.json").read_text())))

    def is_well(self) -> None:
        for signal in SIGNALS:
            assert self.says(f"signal {signal} ok") == "told"

    def ends(self) -> None:
        assert self.gateway.stdin is not None
        self.gateway.stdin.close()
        assert self.gateway.wait() == 0


def same(found: object, expected: object) -> None:
    assert found == expected, f"{found!r} is not {expected!r}"


def bundles(plant: Plant) -> None:
    """Without a bundle, and with forged ones, nothing passes; the sound one stays in force."""
    same(plant.says("bundle missing.json"), "refused unreadable")
    same(plant.asks("stop-pump"), "drop no_policy")
    same(plant.says("bundle stranger.json"), "refused unknown_key")
    same(plant.says("bundle one.json"), "refused under_signed")
    same(plant.asks("stop-pump"), "drop no_policy")
    same(plant.says("bundle bundle.json"), "activated 7")
    same(plant.asks("stop-pump"), SAFE)
    same(plant.asks("start-pump"), "drop signal_unavailable")
    plant.is_well()
    same(plant.asks("start-pump"), STARTED)

    sound = (plant.place / "bundle.json").read_text()
    envelope = json.loads(sound)
    envelope["payload"] = envelope["payload"][:-8] + "AAAA" + envelope["payload"][-4:]
    forgeries = {"altered": json.dumps(envelope), "syntax": sound[: len(sound) // 2]}
    for code, text in forgeries.items():
        (plant.place / "forged.json").write_text(text)
        same(plant.says("bundle forged.json"), f"refused {code}")
        same(plant.asks("start-pump"), STARTED)


def nonsense(plant: Plant) -> None:
    """What is no message is dropped, and the next one is answered as ever."""
    start = json.dumps(json.loads((plant.pack / "requests" / "start-pump.json").read_text()))
    for line, expected in (
        ("", "drop malformed"),
        ("open sesame", "drop malformed"),
        ("signal attestation", "drop malformed"),
        ("signal attestation fine", "refused malformed"),
        ("signal attestation ok ok", "drop malformed"),
        ("signal weather ok", "refused unknown_signal"),
        (b"signal attestation failed\0ok", "drop malformed"),
        ("{", "drop invalid_request"),
        ("{}", "drop invalid_request"),
        (b'{"subject": "\xff"}', "drop invalid_request"),
        (start.encode() + b"\0", "drop invalid_request"),
        (start + start, "drop invalid_request"),
        (start.replace('"kind": "pump"', '"kind": 7'), "drop invalid_request"),
        ("{" + " " * 70_000 + start[1:], "drop too_long"),
        ("x" * 300_000, "drop too_long"),
    ):
        found = plant.says(line)
        assert found == expected, f"{line[:60]!r}: {found} is not {expected}"
        same(plant.asks("start-pump"), STARTED)


def silence(plant: Plant) -> None:
    """A source that fails, and one that says nothing for as long as its report counts."""
    same(plant.says("at 60"), "it is 60")
    same(plant.says("signal attestation failed"), "told")
    same(plant.asks("start-pump"), "drop signal_unavailable")
    same(plant.asks("stop-pump"), SAFE)
    # A report of the same moment does not undo it, and one ok is no recovery yet.
    same(plant.says("signal attestation ok"), "refused older")
    same(plant.says("at 61"), "it is 61")
    same(plant.says("signal attestation ok"), "told")
    same(plant.asks("start-pump"), "drop signal_unavailable")
    same(plant.says("at 62"), "it is 62")
    same(plant.says("signal attestation ok"), "told")
    same(plant.asks("start-pump"), STARTED)

    # The watchers count for two minutes.
    same(plant.says("at 120"), "it is 120")
    same(plant.asks("start-pump"), STARTED)
    same(plant.says("at 121"), "it is 121")
    same(plant.asks("start-pump"), "drop signal_unavailable")
    same(plant.asks("unlock-door"), SAFE)
    plant.is_well()
    same(plant.asks("start-pump"), STARTED)


def full_disk(plant: Plant) -> None:
    """Firmware is not installed without a record of it; what needs none goes on."""
    same(plant.asks("install"), INSTALLED)
    plant.point("/dev/full")
    answers = [plant.asks("install") for _ in range(200)]
    same(answers[0], INSTALLED)
    same(answers[-1], "drop audit_unavailable")
    same(set(answers), {INSTALLED, "drop audit_unavailable"})
    same(plant.asks("start-pump"), STARTED)
    plant.point("audit.jsonl")
    same(plant.asks("stop-pump"), SAFE)
    same(plant.asks("install"), INSTALLED)


def chain(plant: Plant) -> None:
    """What was written is one chain, which says itself what it does not have."""
    batches = (plant.place / "audit.jsonl").read_text().splitlines()
    lines = [line for batch in batches for line in json.loads(batch)["lines"]]
    folder = plant.place / "chain"
    folder.mkdir()
    (folder / "audit-00000000000000000001.jsonl").write_text("".join(f"{line}\n" for line in lines))
    plant.run("audit", "verify", "chain")
    kinds = [json.loads(line)["kind"] for line in lines]
    assert "gap" in kinds, kinds


def main() -> int:
    fallgate, pack, *program = sys.argv[1:]
    program = [os.path.abspath(part) if os.path.exists(part) else part for part in program]
    place = Path(tempfile.mkdtemp(prefix="fallgate-plant-"))
    try:
        plant = Plant(os.path.abspath(fallgate), Path(pack).resolve(), program, place)
        try:
            for drill in (bundles, nonsense, silence, full_disk):
                drill(plant)
            plant.ends()
        finally:
            plant.gateway.kill()
        chain(plant)
        # Without a trust root it does not start at all.
        refused = subprocess.run([*program, "missing.json", "audit"], cwd=place, stdin=subprocess.DEVNULL, capture_output=True)
        same((refused.returncode, refused.stderr), (1, b"gateway: the trust root cannot be read\n"))
    finally:
        shutil.rmtree(place)
    print("gateway: passed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
