"""`verdict export` writes where nothing stands but what it wrote before."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import cast

import onnx
import pytest

from tests.conftest import user_error
from verdict.__main__ import main
from verdict.classifier import Classifier
from verdict.export import export_onnx, place_of_onnx


def write_onnx(path: Path, about: dict[str, str]) -> None:
    graph = onnx.helper.make_graph([], "graph", [], [])
    model = onnx.helper.make_model(graph)
    onnx.helper.set_model_props(model, about)
    path.write_bytes(model.SerializeToString())


def others_model(path: Path) -> None:
    write_onnx(path, {"author": "me"})


def text(path: Path) -> None:
    path.write_text("mine")


def empty_file(path: Path) -> None:
    path.touch()


def folder(path: Path) -> None:
    path.mkdir()


def pipe(path: Path) -> None:
    os.mkfifo(path)


def leftover_of_mine(path: Path) -> None:
    (path.parent / f".{path.name}.partial").write_text("mine")


def link_to_mine(path: Path) -> None:
    others_model(path.parent / "elsewhere.onnx")
    path.symlink_to(path.parent / "elsewhere.onnx")


@pytest.mark.parametrize("name", ["model.onnx", "model.json"])
@pytest.mark.parametrize(
    "make", [others_model, text, empty_file, folder, pipe, leftover_of_mine, link_to_mine]
)
def test_what_is_not_its_own_stays(make: Callable[[Path], None], name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    make(path)
    before = {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")}
    line = user_error(export_onnx, classifier=cast(Classifier, None), path=path)
    assert "found something else" in line
    assert {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")} == before


@pytest.mark.parametrize("name", ["", ".", "..", "/"])
def test_what_is_no_name_is_refused(name: str) -> None:
    line = user_error(export_onnx, classifier=cast(Classifier, None), path=Path(name))
    assert "expected a name to write to" in line


def test_nothing_and_an_earlier_export_are_written_over(tmp_path: Path) -> None:
    place_of_onnx(tmp_path / "new.onnx")
    write_onnx(tmp_path / "old.onnx", {"classes": "[]", "preprocessing": "{}"})
    place_of_onnx(tmp_path / "old.onnx")
    (tmp_path / "link").symlink_to(tmp_path / "old.onnx")
    place_of_onnx(tmp_path / "link")


def test_the_projects_classifier_is_found_from_below(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "docs").mkdir()
    monkeypatch.chdir(tmp_path / "docs")
    words = ["export", "--onnx", "new.onnx"]
    assert "expected the project's folder" in user_error(main, argv=words)
    (tmp_path / ".dvc").mkdir()
    (tmp_path / "dvc.yaml").touch()
    with pytest.raises(FileNotFoundError, match=str(tmp_path / "models" / "classifier")):
        main(words)
