"""Every stage that reads images and a model refuses a pair that does not belong together."""

import importlib
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

from tests.conftest import ROOT, change_params, user_error
from tests.fitted import IMAGES, network
from twincam.explanations.prototypes.network import PrototypeNet
from twincam.explanations.prototypes.network_file import save_prototype_net
from twincam.files.arrays import write_array
from twincam.files.metrics import write_metrics
from twincam.files.tables import write_table
from twincam.models.classifier import save_classifier

PREPROCESSING = {"image_size": 64, "harmonise": True, "jpeg_quality": 85}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    names = [f"{n:02}" for n in range(len(IMAGES))]
    split = pd.DataFrame({"id": names, "path": names, "split": ["train", "val"] * 6})
    split = split.assign(label=["a", "a", "b", "b"] * 3, source="", sha256=names, family="")
    write_table(tmp_path / "split.csv", split)
    write_array(tmp_path / "images" / "0.npy", IMAGES[:, :48, :48])
    for kind in ("masks", "parts", "marks"):
        write_array(tmp_path / kind / "0.npy", np.zeros((0, 48, 48), np.uint8))
    smaller: dict[str, object] = {**PREPROCESSING, "image_size": 48}
    write_metrics(tmp_path / "preprocessing.json", smaller)
    save_classifier(tmp_path / "classifier", network(), PREPROCESSING)
    save_prototype_net(tmp_path / "trained", PrototypeNet(network(), 2, 4, 1, 64), PREPROCESSING)
    write_array(tmp_path / "embeddings" / "logits.npy", np.zeros((12, 2), np.float32))
    write_array(tmp_path / "heatmaps" / "gradcam.npy", np.zeros((6, 2, 2), np.float32))
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    change_params(tmp_path, {"prepare": smaller})
    return tmp_path


def arguments(stage: str, folder: Path) -> list[str]:
    """Return a value for each flag: the file in ``folder`` that begins with its name, if any."""
    command = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"][stage]["cmd"]
    found = []
    for name in re.findall(r"--([\w-]+)", command):
        flag = {"model": "classifier"}.get(name, name.replace("-", "_"))
        file = next(folder.glob(f"{flag}*"), folder / flag)
        number = name in ("max-pixels", "near-duplicate-distance")
        found.append(f"--{name}={'1000' if number else file}")
    return found


@pytest.mark.parametrize(
    ("stage", "model"),
    [
        ("embed", "classifier"),
        ("stability", "classifier"),
        ("robustness", "classifier"),
        ("explain", "classifier"),
        ("faithfulness", "classifier"),
        ("protopnet", "classifier"),
        ("prototypes", "trained"),
    ],
)
def test_a_stage_refuses_images_of_another_size(folder: Path, stage: str, model: str) -> None:
    module = importlib.import_module(f"stages.{stage}.__main__")
    message = user_error(module.main, argv=arguments(stage, folder))
    assert f"{folder / model}: trained on images" in message
