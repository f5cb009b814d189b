"""The folder ``models/explainer`` is refused, in one line, where it does not fit."""

import json
import shutil
from pathlib import Path

import pytest

from tests.conftest import ROOT, run_in, user_error
from twincam.explainer.pack import read_pack


@pytest.fixture
def models(finished: Path, tmp_path: Path) -> Path:
    """Return a folder with the pack and the classifier of a run."""
    (tmp_path / "models").mkdir()
    shutil.copytree(finished / "models/explainer", tmp_path / "models/explainer")
    shutil.copy(finished / "models/classifier.safetensors", tmp_path / "models")
    return tmp_path / "models"


def test_one_of_another_classifier(models: Path) -> None:
    read_pack(models / "explainer")
    with (models / "classifier.safetensors").open("ab") as file:
        file.write(b"\0")
    assert "belongs to another classifier" in user_error(read_pack, folder=models / "explainer")


def test_one_without_its_classifier_is_read(models: Path) -> None:
    (models / "classifier.safetensors").unlink()
    assert read_pack(models / "explainer").thumbnails


def test_one_of_another_version(models: Path) -> None:
    file = models / "explainer/about.json"
    about = json.loads(file.read_text("utf-8"))
    file.write_text(json.dumps(about | {"format": "twincam-explainer-999"}))
    assert "has format twincam-explainer-999" in user_error(read_pack, folder=file.parent)


@pytest.mark.parametrize("name", ["arrays.npz", "classifier.onnx", "forensics.safetensors"])
def test_a_damaged_one(models: Path, name: str) -> None:
    file = models / "explainer" / name
    file.chmod(0o644)
    file.write_bytes(file.read_bytes()[:-1])
    assert f"{name}: is damaged" in user_error(read_pack, folder=file.parent)
    file.unlink()
    assert f"{name}: is missing" in user_error(read_pack, folder=file.parent)


def test_something_else(tmp_path: Path) -> None:
    assert "expected the folder that the stage `explainer`" in user_error(
        read_pack, folder=tmp_path
    )


def test_no_torch_pandas_or_scipy_is_loaded(finished: Path) -> None:
    image = next((finished / "data/synthetic/images/fake").iterdir())
    code = (
        "import sys, twincam\n"
        f"twincam.explain({str(image)!r}, {str(finished / 'models/explainer')!r})\n"
        "heavy = ('torch', 'pandas', 'scipy', 'pydantic', 'ruamel', 'jinja2', 'matplotlib')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    assert run_in(ROOT, "python", "-c", code).stdout == "[]\n"
