"""A project with its own images and its own README passes the checks."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from dvc.repo import Repo
from ruamel.yaml import YAML

from tests.conftest import ROOT, change_params, clone_project, commit, run_in, user_error
from twincam.sharing.checks import BUILT_IN, graph_mismatch, graph_report, misplaced
from twincam.sharing.storage import tracked


@pytest.fixture(scope="module")
def owned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project that never ran, with own images, imported files and a pipeline below."""
    folder = clone_project(tmp_path_factory.mktemp("owned"))
    web = folder.parent / "weights.pth"
    web.write_text("weights")
    for place in ("data/cats", "pictures/dogs"):
        (folder / place / "real").mkdir(parents=True)
        (folder / place / "real" / "1.png").write_text(place)
        run_in(folder, "dvc", "add", "--quiet", place)
    run_in(folder, "dvc", "import-url", "--quiet", str(web), "data/here.pth")
    run_in(folder, "dvc", "import-url", "--quiet", "--no-download", str(web), "data/later.pth")
    (folder / "notes").mkdir()
    (folder / "notes" / "dvc.yaml").write_text(
        "stages:\n  count:\n    cmd: ls ../data/cats > count.txt\n    deps: [../data/cats]\n"
        "    outs: [count.txt]\n"
    )
    (folder / "notes" / ".gitignore").write_text("/count.txt\n")
    commit(folder, "own data")
    return folder


@pytest.fixture
def choosing(owned: Path, tmp_path: Path) -> Iterator[Path]:
    """Return a clone of `owned` whose parameters name the own images."""
    folder = tmp_path / "clone"
    run_in(owned, "git", "clone", "--quiet", str(owned), str(folder))
    run_in(folder, "git", "config", "user.email", "test@example.org")
    run_in(folder, "git", "config", "user.name", "test")
    change_params(folder, {"data": {"root": "data/cats", "info": "data/none"}})
    commit(folder, "chosen")
    yield folder


def test_own_data_are_ignored_by_git_where_they_lie(owned: Path) -> None:
    said = str(misplaced(owned))
    assert "git does not ignore" not in said
    assert "git holds" not in said


def test_own_data_that_git_would_take_in_are_named(choosing: Path) -> None:
    (choosing / "pictures" / ".gitignore").unlink()
    said = str(misplaced(choosing))
    assert "git does not ignore pictures/dogs;" in said


def test_the_graph_may_leave_own_data_out(owned: Path, choosing: Path) -> None:
    assert graph_mismatch(owned) is None
    assert graph_mismatch(choosing) is None
    assert graph_report(owned) == "the graph of dvc.yaml is shown in docs/pipeline.md"


def test_the_graph_may_show_own_data(choosing: Path) -> None:
    graph = run_in(choosing, "dvc", "dag", "--md").stdout
    assert "data/cats.dvc" in graph
    (choosing / "docs" / "pipeline.md").write_text(graph.replace("\t", "    "))
    assert graph_mismatch(choosing) is None


def test_another_graph_is_still_found(choosing: Path) -> None:
    file = choosing / "docs" / "pipeline.md"
    file.write_text(file.read_text().replace('["train"]', '["trainer"]'))
    assert "paste the output of `dvc dag --md`" in str(graph_mismatch(choosing))


@pytest.mark.parametrize("text", [None, "# My cats\n", "```mermaid\ngraph LR; a-->b\n```\n"])
def test_documents_without_the_graph_are_no_fault(text: str | None, choosing: Path) -> None:
    (choosing / "docs" / "pipeline.md").unlink()
    (choosing / "README.md").unlink()
    if text is not None:
        (choosing / "README.md").write_text(text)
    assert graph_mismatch(choosing) is None
    assert "no document shows a graph" in graph_report(choosing)


def test_the_built_in_images_are_those_of_the_parameters() -> None:
    params = YAML(typ="safe").load(ROOT / "params.yaml")
    assert {name: params["data"][name] for name in BUILT_IN} == BUILT_IN


def test_own_data_are_pushed_and_what_was_never_downloaded_is_not_asked_for(owned: Path) -> None:
    with Repo(str(owned)) as repo:
        assert set(tracked(repo, ("data/cats", "pictures/", "data/here", "data/later"))) == {
            "data/cats",
            "pictures/dogs",
            "data/here.pth",
        }
        assert "dvc.lock has no hash for" in user_error(tracked, repo=repo)
