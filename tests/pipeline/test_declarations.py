"""dvc.yaml declares exactly what each stage reads, imports and writes."""

import ast
import shutil
from pathlib import Path
from typing import Any, get_origin

import pytest
from dvc.repo import Repo
from pydantic import BaseModel
from ruamel.yaml import YAML

from tests.conftest import ROOT, run_in

STAGES = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]
PARAMS = YAML(typ="safe").load(ROOT / "params.yaml")

ROOMS = (
    "files",
    "determinism",
    "statistics",
    "images",
    "engine",
    "corruptions",
    "deliveries",
    "near_duplicates",
    "forensics",
    "models",
    "training",
    "explanations",
    "confidence",
    "figures",
    "pages",
    "explainer",
    "app",
    "server",
    "sharing",
    "cli",
)
"""The library's rooms: each imports only those named before it."""

SINGLE = ("cli", "corruptions", "deliveries", "determinism")
"""Rooms of one module."""


def imported_modules(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {str(node.module)} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def module_files(names: set[str]) -> set[Path]:
    """Return the modules of ``names`` and the packages above them that are the project's own."""
    own = [name.split(".") for name in names if name.split(".")[0] in ("stages", "twincam")]
    files = {ROOT.joinpath(*parts).with_suffix(".py") for parts in own}
    files |= {
        ROOT.joinpath(*parts[:depth], "__init__.py")
        for parts in own
        for depth in range(1, len(parts) + 1)
    }
    return {file for file in files if file.is_file() and file.stat().st_size}


def closure(room: str) -> set[Path]:
    """Return the files that a stage imports, directly or not, but for the top packages.

    These import nothing that a stage sees: ``twincam`` gives its names only on demand.
    """
    top = {ROOT / name / "__init__.py" for name in ("twincam", "stages")}
    found, waiting = set(top), set((ROOT / "stages" / room).rglob("*.py"))
    while waiting:
        file = waiting.pop()
        found |= {file, *file.parent.glob(f"{file.stem}.html")}
        waiting |= module_files(imported_modules(file)) - found
    return found - top


def unit(file: Path) -> str:
    """Return what ``dvc.yaml`` names for ``file``: what lies directly in ``stages`` or ``twincam``.

    The explanations are units each, as few stages need more than one.
    """
    parts = file.relative_to(ROOT).parts
    return "/".join(parts[: 3 if parts[1] == "explanations" else 2])


@pytest.mark.parametrize("stage", STAGES)
def test_code_dependencies_are_the_import_closure(stage: str) -> None:
    declared = {
        str(dep) for dep in STAGES[stage]["deps"] if str(dep).startswith(("stages/", "twincam/"))
    }
    used = {unit(file) for file in closure(stage)}
    assert declared == used
    rooms = {name for name in used if name.startswith("stages/")}
    assert rooms == {f"stages/{stage}"}, "a stage imports a stage"


def test_the_library_imports_no_stage() -> None:
    for file in (ROOT / "twincam").rglob("*.py"):
        names = imported_modules(file)
        assert not {name for name in names if name.split(".")[0] == "stages"}, file


def library_room(file: Path) -> str:
    return file.relative_to(ROOT / "twincam").parts[0].removesuffix(".py")


def test_the_librarys_rooms_import_in_one_direction() -> None:
    files = [file for file in (ROOT / "twincam").rglob("*.py") if file.parent != ROOT / "twincam"]
    files += [ROOT / "twincam" / f"{name}.py" for name in SINGLE]
    for file in files:
        used = module_files(imported_modules(file)) - {ROOT / "twincam" / "__init__.py"}
        rooms = {library_room(other) for other in used if other.is_relative_to(ROOT / "twincam")}
        allowed = ROOMS[: ROOMS.index(library_room(file)) + 1]
        assert rooms <= set(allowed), f"{file} imports {rooms - set(allowed)}"


def test_what_only_draws_or_shows_trains_nothing_anew() -> None:
    for stage in ("train", "crossval", "leave_one_source_out", "protopnet"):
        shown = {
            "twincam/figures",
            "twincam/pages",
            "twincam/app",
            "twincam/cli.py",
            "twincam/sharing",
        }
        assert not shown & set(STAGES[stage]["deps"]), stage


def test_only_stages_choose_the_device() -> None:
    chosen = {
        str(file.relative_to(ROOT))
        for top in ("stages", "twincam")
        for file in (ROOT / top).rglob("*.py")
        if "twincam.models.network.device" in imported_modules(file)
    }
    mains = {f"stages/{stage}/{file}.py" for stage in STAGES for file in ("__main__", "run")}
    own_network = {
        f"twincam/{file}.py" for file in ("models/weights", "models/runtimes", "explanations/clip")
    }
    assert chosen <= mains | own_network


def leaf_keys(model: type[BaseModel], prefix: str = "") -> set[str]:
    keys = set()
    for name, field in model.model_fields.items():
        kind = field.annotation
        if get_origin(kind) is dict:
            keys |= {f"{prefix}{name}.{key}" for key in PARAMS[name]}
        elif isinstance(kind, type) and issubclass(kind, BaseModel):
            keys |= leaf_keys(kind, f"{prefix}{name}.")
        else:
            keys.add(prefix + name)
    return keys


def keys_below(params: dict[str, Any], names: list[str]) -> set[str]:
    keys = set()
    for name in names:
        value = params[name]
        keys |= {f"{name}.{key}" for key in value} if isinstance(value, dict) else {name}
    return keys


@pytest.mark.parametrize("stage", STAGES)
def test_declared_parameters_are_those_of_the_rooms_model(stage: str) -> None:
    declared = STAGES[stage].get("params", [])
    params = YAML(typ="safe").load(ROOT / "params.yaml")
    if not (ROOT / "stages" / stage / "params.py").is_file():
        assert declared == []
        return
    module = __import__(f"stages.{stage}.params", fromlist=["Params"])
    assert keys_below(params, declared) == leaf_keys(module.Params)


@pytest.mark.parametrize("stage", STAGES)
def test_what_uses_torch_is_told_its_threads(stage: str) -> None:
    files = {file for file in closure(stage) if file.suffix == ".py"}
    wrappers = {ROOT / "twincam" / name for name in ("determinism.py", "models/runtimes.py")}
    names = set[str]().union(*map(imported_modules, files - wrappers))
    told = {"twincam.determinism.make_torch_deterministic", "twincam.models.runtimes.loaded"}
    told |= {"twincam.models.runtimes.opened"}
    on_ray = "twincam.engine.mapping.map_in_order" in names
    assert ("torch" in names or on_ray) == ("run" in STAGES[stage].get("params", []))
    assert ("torch" in names) == bool(told & names)


def test_every_parameter_belongs_to_a_stage() -> None:
    declared = {name for stage in STAGES.values() for name in stage.get("params", [])}
    assert declared == set(YAML(typ="safe").load(ROOT / "params.yaml"))


def test_every_stage_says_what_it_does_and_quotes_its_paths() -> None:
    for name, stage in STAGES.items():
        assert stage["desc"]
        words = stage["cmd"].split()
        assert words[:3] == ["python", "-m", f"stages.{name}"]
        assert all(word.startswith("--") or word[0] == word[-1] == '"' for word in words[3:])


def files_below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("stage", STAGES)
def test_stage_runs_on_declared_files_alone_and_writes_declared_outputs(
    stage: str, finished: Path, tmp_path: Path
) -> None:
    with Repo(str(finished)) as repo:
        (loaded,) = [found for found in repo.index.stages if found.name == stage]
        assert loaded.cmd
        declared = [dep.def_path for dep in loaded.deps if dep.def_path != "params.yaml"]
        outputs = [out.def_path for out in loaded.outs]
    for name in declared:
        source, target = finished / name, tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        else:
            shutil.copy(source, target)
    yaml = YAML(typ="safe")
    params = yaml.load(finished / "params.yaml")
    used = STAGES[stage].get("params", [])
    if used:
        yaml.dump({name: params[name] for name in used}, tmp_path / "params.yaml")
    before = files_below(tmp_path)

    run_in(tmp_path, "bash", "-c", str(loaded.cmd), forks=False)

    written = files_below(tmp_path) - before
    expected = set()
    for name in outputs:
        path = finished / name
        inside = {f"{name}/{file}" for file in files_below(path)} if path.is_dir() else {name}
        expected |= inside
    assert written == expected
    for name in written:
        assert (tmp_path / name).read_bytes() == (finished / name).read_bytes(), name
