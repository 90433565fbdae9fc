"""Signed bundles and another implementation of DSSE: what one signs, the other verifies."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import CryptoSigner, SSlibKey

PACK = Path(__file__).parents[3] / "policies" / "payment-gateway"
PAYLOAD_TYPE = "application/vnd.fallgate.bundle+json"


def fallgate(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "fallgate", *words], capture_output=True, text=True, check=False)


def done(*words: str | Path) -> str:
    ran = fallgate(*words)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


@pytest.fixture
def signer(tmp_path: Path) -> CryptoSigner:
    """The other implementation, with the key that `fallgate keys new` made, under the id that it has here."""
    key_id = done("keys", "new", "-o", tmp_path / "key")
    private = load_pem_private_key((tmp_path / "key").read_bytes(), None)
    assert isinstance(private, Ed25519PrivateKey)
    raw = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    assert hashlib.sha256(raw).hexdigest() == key_id
    assert (tmp_path / "key.pub").read_text() == f"ed25519:{base64.b64encode(raw).decode()}\n"
    done("keys", "trust", "--key", tmp_path / "key.pub", "-o", tmp_path / "trust.json")
    return CryptoSigner(private, SSlibKey.from_crypto(private.public_key(), keyid=key_id))


def test_what_is_signed_elsewhere_verifies_here(tmp_path: Path, signer: CryptoSigner) -> None:
    bundle = done("build", PACK, "-o", tmp_path / "bare.json")
    envelope = Envelope((tmp_path / "bare.json").read_bytes(), PAYLOAD_TYPE, {})
    envelope.sign(signer)
    signed = tmp_path / "signed.json"
    for indent in (None, 2):
        signed.write_text(json.dumps(envelope.to_dict(), indent=indent))
        said = done("verify", signed, "--trust", tmp_path / "trust.json")
        assert bundle in said and f"signed by {signer.public_key.keyid}" in said
    # And what is changed after it was signed does not.
    changed = envelope.to_dict()
    changed["payload"] = base64.b64encode(envelope.payload.replace(b'"revision":', b'"revision":1')).decode()
    signed.write_text(json.dumps(changed))
    refused = fallgate("verify", signed, "--trust", tmp_path / "trust.json")
    assert refused.returncode == 1 and "altered" in refused.stderr
    # Nor the same bytes, signed as another kind of document.
    other = Envelope(envelope.payload, "application/json", {})
    other.sign(signer)
    signed.write_text(json.dumps({**other.to_dict(), "payloadType": PAYLOAD_TYPE}))
    refused = fallgate("verify", signed, "--trust", tmp_path / "trust.json")
    assert refused.returncode == 1 and "altered" in refused.stderr


def test_what_is_signed_here_verifies_elsewhere(tmp_path: Path, signer: CryptoSigner) -> None:
    signed = tmp_path / "signed.json"
    done("build", PACK, "--key", tmp_path / "key", "-o", signed)
    envelope = Envelope.from_dict(json.loads(signed.read_bytes()))
    assert envelope.payload_type == PAYLOAD_TYPE
    accepted = envelope.verify([signer.public_key], 1)
    assert list(accepted) == [signer.public_key.keyid]
    envelope.payload += b" "
    with pytest.raises(VerificationError):
        envelope.verify([signer.public_key], 1)


def test_signatures_of_both_stand_in_one_envelope(tmp_path: Path, signer: CryptoSigner) -> None:
    other = done("keys", "new", "-o", tmp_path / "other")
    keys = ["--key", tmp_path / "key.pub", "--key", tmp_path / "other.pub"]
    done("keys", "trust", *keys, "--threshold", "2", "-o", tmp_path / "both.json")
    signed = tmp_path / "signed.json"
    done("build", PACK, "--key", tmp_path / "other", "-o", signed)
    envelope = Envelope.from_dict(json.loads(signed.read_bytes()))
    envelope.sign(signer)
    signed.write_text(json.dumps(envelope.to_dict()))
    said = done("verify", signed, "--trust", tmp_path / "both.json")
    assert other in said and signer.public_key.keyid in said


def test_a_key_from_elsewhere_signs_here(tmp_path: Path) -> None:
    private = Ed25519PrivateKey.generate()
    (tmp_path / "key").write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "key.pub").write_bytes(public)
    done("keys", "trust", "--key", tmp_path / "key.pub", "-o", tmp_path / "trust.json")
    done("build", PACK, "--key", tmp_path / "key", "-o", tmp_path / "signed.json")
    done("verify", tmp_path / "signed.json", "--trust", tmp_path / "trust.json")
