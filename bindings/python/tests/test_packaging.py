"""What is shipped: the wheel and the source distribution hold all that they should, and the wheel runs by itself."""

from __future__ import annotations

import email
import os
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest
from conftest import ROOT

HERE = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def wheel() -> Path:
    """The wheel that `make test-python` built, named by `FALLGATE_WHEEL`; built here for whoever runs this alone."""
    if named := os.environ.get("FALLGATE_WHEEL"):
        return Path(named)
    folder = ROOT / "target" / "python" / "wheels"
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", folder, HERE], check=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sdist")
    maturin = [sys.executable, "-m", "maturin", "sdist", "--manifest-path", HERE / "Cargo.toml", "--out", folder]
    subprocess.run(maturin, check=True, capture_output=True)
    (built,) = folder.glob("*.tar.gz")
    return built


def interpreters() -> list[str]:
    """The interpreters of this machine that the wheel is for, one of each version, this one first."""
    found = {sys.version_info[:2]: sys.executable}
    for minor in range(10, 20):
        places = [*sorted(Path.home().glob(f".pyenv/versions/3.{minor}.*/bin/python")), shutil.which(f"python3.{minor}")]
        for place in places:
            # A shim may be there without what it leads to.
            if place is not None and (3, minor) not in found and subprocess.run([place, "-c", ""]).returncode == 0:
                found[3, minor] = str(place)
    return list(found.values())


def test_the_wheel_is_for_every_later_python(wheel: Path) -> None:
    assert "-cp310-abi3-" in wheel.name


def test_the_wheel_holds_what_it_should(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (info,) = {name.split("/")[0] for name in names if ".dist-info/" in name}
        metadata = email.message_from_string(archive.read(f"{info}/METADATA").decode())
        scripts = archive.read(f"{info}/entry_points.txt").decode()
        licence = archive.read(f"{info}/licenses/LICENSE")
    package = HERE / "python" / "fallgate"
    for file in [*package.rglob("*.py"), *package.rglob("*.pyi"), package / "py.typed"]:
        assert f"fallgate/{file.relative_to(package).as_posix()}" in names, file
    assert "fallgate/_fallgate.abi3.so" in names
    assert not [name for name in names if "tests" in name or "__pycache__" in name]
    assert licence == (ROOT / "LICENSE").read_bytes() == (HERE / "LICENSE").read_bytes()
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.10"
    assert str(metadata.get_payload()).strip() == (HERE / "README.md").read_text().strip()
    assert metadata.get_all("Requires-Dist") is None
    assert "fallgate=fallgate.command:main" in scripts.replace(" ", "")


def test_the_source_distribution_is_whole(sdist: Path, tmp_path: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames()}
        archive.extractall(tmp_path, filter="data")
    for name in ("README.md", "LICENSE", "pyproject.toml", "Cargo.toml", "Cargo.lock", "python/fallgate/py.typed",
                 "python/fallgate/_fallgate.pyi", "bindings/python/src/lib.rs", "core/src/lib.rs",
                 "bindings/cli/src/lib.rs", "bindings/clocks/src/lib.rs"):  # fmt: skip
        assert name in names, name
    # Every crate that it needs and that is ours is in it: cargo finds them all without looking elsewhere.
    (folder,) = tmp_path.iterdir()
    manifest = folder / "bindings" / "python" / "Cargo.toml"
    cargo = ["cargo", "metadata", "--offline", "--format-version", "1", "--manifest-path", manifest]
    done = subprocess.run(cargo, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


SCRIPT = """
import fallgate, pathlib, sys
here = pathlib.Path(fallgate.__file__).resolve()
assert sys.prefix in str(pathlib.Path(fallgate.__file__).absolute()), here
engine = fallgate.Engine.open("shop")
assert engine.bundle.name == "shop"
assert not engine.decide(subject={"type": "user", "id": "a"}, action="x", resource={"type": "b", "id": "c"})
assert (here.parent / "py.typed").exists()
print("decided")
"""


@pytest.mark.parametrize("python", interpreters())
def test_the_wheel_runs_in_an_empty_environment(wheel: Path, tmp_path: Path, python: str) -> None:
    folder = tmp_path / "env"
    if python == sys.executable:
        venv.create(folder, with_pip=True)
    else:
        subprocess.run([python, "-m", "venv", folder], check=True, capture_output=True)
    clean = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(argument) for argument in arguments], capture_output=True, text=True, cwd=tmp_path, env=clean
        )

    installed = run(folder / "bin" / "pip", "install", "--no-index", "--no-deps", wheel)
    assert installed.returncode == 0, installed.stderr
    command = folder / "bin" / "fallgate"
    assert run(command, "init", "shop").returncode == 0
    tested = run(command, "test", "shop")
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert run(folder / "bin" / "python", "-m", "fallgate", "check", "shop").returncode == 0
    assert run(command, "no-such-command").returncode == 2
    assert run(command, "check", "no-such-pack").returncode == 3
    decided = run(folder / "bin" / "python", "-I", "-W", "error", "-c", SCRIPT)
    assert (decided.returncode, decided.stdout) == (0, "decided\n"), decided.stderr
