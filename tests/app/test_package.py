"""The package installs as ``twincam`` alone and works where there is no repository."""

import ast
import sys
import tomllib
from collections.abc import Iterable
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.conftest import ROOT, clone_project, run_in
from tests.fitted import network
from twincam.models.classifier import save_classifier

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CORE = [Requirement(line).name for line in PROJECT["dependencies"]]
EXTRAS = {
    room: [Requirement(line).name for line in PROJECT["optional-dependencies"][extra]]
    for room, extra in (("sharing", "sharing"), ("server", "app"))
}
OPTIONAL = {"pillow_heif", "open_clip", "psutil", "ray"}
"""Imported where they are installed; a line says what to install where they are needed."""
INDIRECT = {"onnxscript"}
"""What torch needs to write ONNX."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which pip installed the package, and nothing else."""
    source = clone_project(tmp_path_factory.mktemp("source"))
    target = tmp_path_factory.mktemp("installed") / "site"
    flags = ["--quiet", "--no-deps", "--no-build-isolation", "--target", str(target)]
    run_in(source, "python", "-m", "pip", "install", *flags, ".")
    return target


def test_the_one_top_level_name_is_twincam(site: Path) -> None:
    names = {path.name for path in site.iterdir() if path.suffix != ".dist-info"}
    assert names == {"twincam", "bin"}
    assert [path.name for path in (site / "bin").iterdir()] == ["twincam"]


def test_everything_but_python_is_installed_too(site: Path) -> None:
    def files(package: Path) -> set[str]:
        found = package.rglob("*")
        return {str(f.relative_to(package)) for f in found if f.is_file() and f.suffix != ".pyc"}

    assert files(site / "twincam") == files(ROOT / "twincam")


def test_the_command_works_there(site: Path, tmp_path: Path) -> None:
    program = ["env", f"PYTHONPATH={site}", str(site / "bin" / "twincam")]
    said = run_in(tmp_path, *program, "--help").stdout
    assert all(command in said for command in ("export", "preset", "push", "pull", "diff"))
    outside = run_in(tmp_path, *program, "push", check=False)
    assert outside.returncode == 1
    assert len(outside.stderr.splitlines()) == 1


def test_a_model_is_loaded_there(site: Path, tmp_path: Path) -> None:
    preprocessing = {"image_size": 64, "harmonise": True, "jpeg_quality": 85}
    save_classifier(tmp_path / "model.safetensors", network(), preprocessing)
    code = "import twincam; print(twincam.__file__)\n"
    code += "print(twincam.load_classifier('model.safetensors').classes)"
    said = run_in(tmp_path, "env", f"PYTHONPATH={site}", "python", "-c", code).stdout
    assert said.startswith(str(site))
    assert "('a', 'b')" in said


@pytest.mark.parametrize("command", ["push", "pull", "check", "diff main", "experiments"])
def test_commands_that_need_dvc_say_so_in_one_line(site: Path, command: str) -> None:
    code = "import sys; sys.modules['dvc'] = None\n"
    code += f"sys.argv = ['twincam', *{command.split()!r}]\nfrom twincam.cli import run; run()"
    run = ["env", f"PYTHONPATH={site}", "python", "-c", code]
    ended = run_in(ROOT, *run, check=False)
    assert ended.returncode == 1
    assert len(ended.stderr.splitlines()) == 1
    assert "needs DVC, which is not installed; run `pip install" in ended.stderr


def third_party(files: Iterable[Path]) -> set[str]:
    """Return the top-level names that ``files`` import of other projects."""
    names = set()
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                names.add(str(node.module).split(".")[0])
    return names - sys.stdlib_module_names - {"stages", "twincam"} - OPTIONAL


def brought(declared: Iterable[str]) -> set[str]:
    """Return the projects in ``declared`` and what they require, without extras."""
    found: set[str] = {canonicalize_name(name) for name in declared}
    for name in declared:
        needs = [Requirement(line) for line in requires(name) or ()]
        found |= {
            canonicalize_name(need.name)
            for need in needs
            if need.marker is None or need.marker.evaluate({"extra": ""})
        }
    return found


@pytest.mark.parametrize("room", ["", *EXTRAS])
def test_dependencies_are_what_is_imported(room: str) -> None:
    """The rooms of `EXTRAS` need an extra of their own, the others the package's requirements."""
    files = [
        file
        for file in (ROOT / "twincam").rglob("*.py")
        if (room in file.parts if room else not EXTRAS.keys() & file.parts)
        and file.name != "cli.py"
    ]
    projects = packages_distributions()
    used = [{canonicalize_name(p) for p in projects[name]} for name in third_party(files)]
    extra = EXTRAS[room] if room else []
    declared = {canonicalize_name(name) for name in extra or CORE}
    assert [names for names in used if not names & brought([*CORE, *extra])] == []
    assert declared - set[str]().union(*used) == (set() if room else INDIRECT)
