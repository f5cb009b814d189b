"""`twincam export` writes where nothing stands but what it wrote before."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import cast

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from tests.conftest import user_error
from tests.fitted import IMAGES
from twincam.app.classifier import Classifier, load_classifier
from twincam.app.export import export_onnx, place_of_onnx
from twincam.cli import main
from twincam.explanations.gradcam import margin_maps
from twincam.images.params import Prepare
from twincam.models.architectures import HALF
from twincam.models.forward import embed_batch
from twincam.models.network import create, with_head

OWN = {"classes": "[]", "preprocessing": "{}"}


def write_onnx(path: Path, about: dict[str, str], producer: str = "twincam") -> None:
    graph = onnx.helper.make_graph([], "graph", [], [])
    model = onnx.helper.make_model(graph)
    onnx.helper.set_model_props(model, about)
    model.producer_name = producer
    path.write_bytes(model.SerializeToString())


def others_model(path: Path) -> None:
    write_onnx(path, {"author": "me"})


def others_model_with_classes(path: Path) -> None:
    write_onnx(path, OWN, "pytorch")


def own_model_with_more(path: Path) -> None:
    write_onnx(path, {**OWN, "author": "me"})


def link_to_itself(path: Path) -> None:
    path.symlink_to(path)


def links_in_a_circle(path: Path) -> None:
    path.symlink_to(path.parent / "other")
    (path.parent / "other").symlink_to(path)


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
    "make",
    [
        others_model,
        others_model_with_classes,
        own_model_with_more,
        text,
        empty_file,
        folder,
        pipe,
        leftover_of_mine,
        link_to_mine,
        link_to_itself,
        links_in_a_circle,
    ],
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
    write_onnx(tmp_path / "old.onnx", OWN)
    place_of_onnx(tmp_path / "old.onnx")
    (tmp_path / "link").symlink_to(tmp_path / "old.onnx")
    place_of_onnx(tmp_path / "link")
    (tmp_path / "dangling").symlink_to(tmp_path / "below" / "new.onnx")
    assert place_of_onnx(tmp_path / "dangling") == tmp_path / "below" / "new.onnx"


@pytest.mark.parametrize("folder", ["file.txt", "loop"])
def test_a_place_below_what_is_no_folder_is_refused_first(folder: str, tmp_path: Path) -> None:
    (tmp_path / "file.txt").touch()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    path = tmp_path / folder / "new.onnx"
    line = user_error(export_onnx, classifier=cast(Classifier, None), path=path)
    assert f"{folder}: expected a folder" in line


def test_a_pipe_behind_a_link_of_the_system_is_refused() -> None:
    end, other = os.pipe()
    try:
        line = user_error(place_of_onnx, target=Path(f"/dev/fd/{other}"))
    finally:
        os.close(end)
        os.close(other)
    assert "found something else" in line


def test_what_is_no_file_of_a_classifier_is_named(tmp_path: Path) -> None:
    for path, found in ((tmp_path, "a folder"), (tmp_path / "nope", "nothing")):
        line = user_error(load_classifier, path=path)
        assert f"{path}: expected a classifier of this pipeline, found {found}" in line


def test_a_classifier_stays_in_evaluation_mode() -> None:
    network = create("resnet18", ("a", "b"), HALF)
    network.module.eval()
    preprocessing = Prepare(image_size=64, harmonise=True, jpeg_quality=85)
    classifier = Classifier(network, preprocessing).train()
    assert not any(module.training for module in classifier.modules())


@torch.no_grad()
def test_maps_of_several_levels_add_up_and_are_exported(tmp_path: Path) -> None:
    network = with_head(create("resnet18", ("a", "b"), HALF), None, 3)
    network.module.eval()
    classifier = Classifier(network, Prepare(image_size=64, harmonise=True, jpeg_quality=85)).eval()
    seen = embed_batch(network, IMAGES)
    weight = network.head.weight.detach().numpy()
    expected = margin_maps(seen.maps, weight, seen.logits)
    _, maps = classifier(torch.from_numpy(IMAGES))
    assert maps.shape == (12, 8, 8)
    np.testing.assert_allclose(maps.numpy(), expected, atol=1e-4 * np.abs(expected).max())
    export_onnx(classifier, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    (found,) = session.run(["maps"], {"images": IMAGES})
    np.testing.assert_allclose(found, expected, atol=1e-3 * np.abs(expected).max())


def test_the_projects_classifier_is_found_from_below(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "docs").mkdir()
    monkeypatch.chdir(tmp_path / "docs")
    words = ["export", "--onnx", "new.onnx"]
    assert "expected the project's folder" in user_error(main, argv=words)
    (tmp_path / ".dvc").mkdir()
    (tmp_path / "dvc.yaml").touch()
    assert str(tmp_path / "models" / "classifier") in user_error(main, argv=words)
