"""Check a commit before others build on it."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from dvc.repo import Repo
from ruamel.yaml import YAML

from twincam.files.errors import UserError
from twincam.sharing.comparison import leaves
from twincam.sharing.revision import clone_at, commit_of, dvc, output_of, stale_stages
from twincam.sharing.storage import listed, missing_from, outputs_of, tracked

LARGEST = 1_000_000
GRAPH = 'flowchart TD node1["'
BUILT_IN = {"root": "data/synthetic/images", "info": "data/synthetic/info"}
"""The data parameters for the built-in images."""


def check(root: Path, report: Callable[[str], None]) -> None:
    """Check the last commit of ``root`` in a clone without data and cache; report what passes.

    Raises:
        UserError: some checks fail; the message says for each what to do.
    """
    with clone_at(root, commit_of(root, "HEAD")) as clone:
        found = {
            "dvc.lock has the parameters of params.yaml": params_mismatch(clone),
            "metrics and details are those of dvc.lock": outputs_mismatch(clone),
            "no stage waits to be run": stages_to_run(clone),
            "git ignores outputs and holds metrics and details": misplaced(clone),
            graph_report(clone): graph_mismatch(clone),
            f"no file in git is over {LARGEST / 1e6:.0f} MB": large_files(clone),
        }
    with Repo(str(root)) as repo:
        if repo.config["core"].get("remote"):
            found["the remote holds every output"] = unpushed(repo)
    for name, problem in found.items():
        if not problem:
            report(name)
    if problems := [problem for problem in found.values() if problem]:
        raise UserError("; also: ".join(problems))


def read_lock(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the stages of ``dvc.lock``."""
    return YAML(typ="safe").load(folder / "dvc.lock")["stages"]


def params_mismatch(folder: Path) -> str | None:
    """Return which parameters differ between ``dvc.lock`` and ``params.yaml``, None if none."""
    params = leaves(YAML(typ="safe").load(folder / "params.yaml"))
    found = {
        name
        for stage in read_lock(folder).values()
        for name, value in leaves(stage.get("params", {}).get("params.yaml", {})).items()
        if name not in params or params[name] != value
    }
    if not found:
        return None
    return f"params.yaml and dvc.lock differ in {listed(found)}; run `make repro` and commit both"


def outputs_mismatch(folder: Path) -> str | None:
    """Return which files differ between git and ``dvc.lock``, None if none."""
    found = []
    for stage in read_lock(folder).values():
        for out in stage["outs"]:
            path = folder / out["path"]
            if path.is_file() and hashlib.md5(path.read_bytes()).hexdigest() != out["md5"]:
                found.append(out["path"])
    if not found:
        return None
    return f"{listed(found)}: not what dvc.lock says; run `make repro` and commit files and lock"


def stages_to_run(folder: Path) -> str | None:
    """Return which stages would run, None if none."""
    stages = stale_stages(folder)
    if not stages:
        return None
    return f"{', '.join(stages)}: changed since the last run; run `make repro` and commit"


def misplaced(folder: Path) -> str | None:
    """Return which outputs git tracks or would add, and which metrics and details it lacks."""
    held = set(output_of(folder, "git", "ls-files", "-z").split("\0"))
    holding = held | {str(parent) for name in held for parent in Path(name).parents}
    with Repo(str(folder)) as repo:
        cached = {path: out.use_cache for path, out in outputs_of(repo).items()}
        seen = [path for path in cached if not repo.scm.is_ignored(str(folder / path))]
    templates = {
        "git does not ignore {}; add it to the .gitignore beside it": [
            path for path in seen if cached[path]
        ],
        "git holds {}, which DVC tracks; `git rm --cached` it": [
            path for path in cached if cached[path] and path in holding
        ],
        "git lacks {}, which DVC leaves to git; `git add` it": [
            path for path in cached if not cached[path] and path not in held
        ],
    }
    return (
        "; ".join(words.format(listed(paths)) for words, paths in templates.items() if paths)
        or None
    )


def graph_mismatch(folder: Path) -> str | None:
    """Return which documents show a graph that is not one of `graphs`, None if none."""
    shown = shown_graphs(folder)
    if not shown:
        return None
    wrong = set(shown)
    for graph in graphs(folder):
        wrong -= {name for name in wrong if single_spaced(graph) in shown[name]}
        if not wrong:
            return None
    return (
        f"the graph in {listed(wrong)} is not that of dvc.yaml; paste the output of `dvc dag --md` "
        "there"
    )


def graph_report(folder: Path) -> str:
    """Return the report on the documents' graph if `graph_mismatch` finds no difference."""
    if names := shown_graphs(folder):
        return f"the graph of dvc.yaml is shown in {listed(names)}"
    return "no document shows a graph that could differ from dvc.yaml"


def graphs(folder: Path) -> Iterator[str]:
    """Yield the output of ``dvc dag --md``: as committed, without own data, and on `BUILT_IN`.

    The user's own data and pipelines in subfolders are nodes of the graph, and own data chosen as
    ``data.root`` replace the stage that renders the built-in images.
    """
    yield dvc(folder, "dag", "--md")
    with clone_at(folder, commit_of(folder, "HEAD")) as clone:
        for file in [*clone.rglob("*.dvc"), *clone.glob("*/**/dvc.yaml")]:
            if file.is_file():
                file.unlink()
        yield dvc(clone, "dag", "--md")
        yaml = YAML(typ="safe")
        params = yaml.load(clone / "params.yaml")
        yaml.dump({**params, "data": {**params["data"], **BUILT_IN}}, clone / "params.yaml")
        yield dvc(clone, "dag", "--md")


def shown_graphs(folder: Path) -> dict[str, str]:
    """Return the text, `single_spaced`, of the README and each document that shows a DVC graph."""
    files = [folder / "README.md", *sorted(folder.glob("docs/**/*.md"))]
    texts = {
        file.relative_to(folder).as_posix(): single_spaced(file.read_text(encoding="utf-8"))
        for file in files
        if file.is_file()
    }
    return {name: text for name, text in texts.items() if GRAPH in text}


def single_spaced(text: str) -> str:
    """Return ``text`` with each run of white space, which editors may change, as one space."""
    return " ".join(text.split())


def large_files(folder: Path) -> str | None:
    """Return which files of the commit are too large for git, None if none."""
    rows = output_of(folder, "git", "ls-tree", "-r", "-z", "--long", "HEAD").split("\0")
    sizes = {path: row.split()[3] for row in filter(None, rows) for row, path in [row.split("\t")]}
    found = [path for path, size in sizes.items() if size.isdigit() and int(size) > LARGEST]
    return f"{listed(found)}: too large for git; `dvc add` them instead" if found else None


def unpushed(repo: Repo) -> str | None:
    """Return which outputs of the working tree the default remote lacks, None if none.

    A folder's listing implies its files, since `twincam.sharing.storage.send` uploads it last.
    """
    remote = repo.cloud.get_remote(None, "status")
    outputs = {oid: path for path, oid in tracked(repo).items()}
    lacking = [outputs[oid] for oid in missing_from(remote.odb, outputs)]
    return f"{remote.path} lacks {listed(lacking)}; run `make push`" if lacking else None
