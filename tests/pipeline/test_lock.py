"""requirements.lock holds every pin, in the same version, with the hashes of its files."""

import re

from tests.conftest import ROOT

PIN = re.compile(r"^([\w.-]+)(?:\[[\w,-]+\])?==([^\s;]+)", re.MULTILINE)


def pinned(file: str) -> dict[str, str]:
    found = PIN.findall((ROOT / file).read_text())
    return {re.sub("[_.]", "-", name.lower()): version for name, version in found}


def test_every_pin_is_locked() -> None:
    locked, constraints = pinned("requirements.lock"), pinned("constraints.txt")
    for file in {path.name for path in ROOT.glob("requirements*.txt")} - {"requirements-tools.txt"}:
        assert pinned(file).items() <= locked.items(), f"{file}: run `make lock`"
    assert all(constraints.get(name, version) == version for name, version in locked.items())


def test_every_locked_package_has_hashes() -> None:
    text = (ROOT / "requirements.lock").read_text()
    starts = [match.start() for match in PIN.finditer(text)]
    assert len(starts) > 150
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        assert "--hash=sha256:" in text[start:end], text[start : start + 60]
