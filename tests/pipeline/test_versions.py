"""The Pythons and versions that the project promises are those it pins, tests and names."""

import re
import shutil
import tomllib
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from ruamel.yaml import YAML

from tests.conftest import ROOT, run_in

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
NEWEST = YAML(typ="safe").load(ROOT / ".github" / "workflows" / "newest.yml")["jobs"]["test"]
LISTS = sorted(path.name for path in ROOT.glob("requirements*.txt"))


def requirements(folder: Path) -> list[Requirement]:
    """Return what the lists in ``folder`` require, without the options among their lines."""
    lines = [line for name in LISTS for line in (folder / name).read_text().splitlines()]
    return [Requirement(line) for line in lines if not line.startswith(("-", "#"))]


def test_what_is_pinned_lies_in_the_ranges_of_the_package() -> None:
    pins = {canonicalize_name(pin.name): pin for pin in requirements(ROOT)}
    if not any(pin.specifier for pin in pins.values()):
        pytest.skip("the pins were taken away, to try the newest versions")
    ranges = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    for wanted in map(Requirement, chain.from_iterable(ranges)):
        (pin,) = pins[canonicalize_name(wanted.name)].specifier
        assert pin.operator == "=="
        assert wanted.specifier.contains(pin.version), wanted
        assert [bound.operator for bound in wanted.specifier] == [">="]


def test_named_pythons_are_those_tested() -> None:
    pythons = NEWEST["strategy"]["matrix"]["python"]
    assert [name.rsplit(" ", 1)[1] for name in PROJECT["classifiers"]] == pythons
    assert PROJECT["requires-python"] == f">={pythons[0]}"
    assert f"With Python {' or '.join(pythons)} " in (ROOT / "README.md").read_text()


def test_the_newest_versions_are_tested_without_a_pin(tmp_path: Path) -> None:
    for name in LISTS:
        shutil.copy(ROOT / name, tmp_path)
    (unpin,) = (s["run"] for s in NEWEST["steps"] if s.get("name") == "Take away the pins")
    run_in(tmp_path, "bash", "-c", unpin)
    assert [str(one) for one in requirements(tmp_path)] == [
        re.sub("==.*", "", str(one)) for one in requirements(ROOT)
    ]
    assert "-c " not in "".join((tmp_path / name).read_text() for name in LISTS)
