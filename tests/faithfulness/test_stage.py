"""The stage on a few images and a network with random weights."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from stages.faithfulness import methods
from stages.faithfulness.__main__ import main
from stages.faithfulness.controls import CONTROLS
from stages.faithfulness.summary import BETTER, COLUMNS
from tests.conftest import user_error
from tests.fitted import IMAGES, network
from twincam.explanations.gradcam import margin_maps
from twincam.files.arrays import write_array
from twincam.files.metrics import read_metrics
from twincam.files.tables import read_table, write_table
from twincam.models.classifier import save_classifier
from twincam.models.forward import embed_batch

FLAGS = {
    "params": "params.yaml",
    "split": "split.csv",
    "images": "images",
    "model": "model",
    "embeddings": "embeddings",
    "heatmaps": "heat",
    "metrics": "m.json",
    "details": "d.json",
    "curves": "m.csv",
    "figures": "figures",
}
OUTPUTS = ("m.json", "d.json", "m.csv", "figures/faithfulness.png")
SPLITS = ["train", "val"] * 4 + ["test"] * 4
EVALUATED = np.flatnonzero(np.array(SPLITS) != "train")


def most(folder: Path, images: int) -> None:
    text = "seed: 0\nrun: {engine: local, threads: 1, runtime: auto}\n"
    (folder / "params.yaml").write_text(f"{text}faithfulness: {{images: {images}}}\n")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    images = np.kron(IMAGES[:, :9, :9], np.ones((1, 4, 4, 1), np.uint8))
    own = network()
    own.module.eval()
    seen = embed_batch(own, images)
    weight = own.head.weight.detach().numpy()
    cams = margin_maps(seen.maps, weight, seen.logits)[EVALUATED]
    save_classifier(tmp_path / "model", own, {})
    write_array(tmp_path / "images" / "0.npy", images)
    write_array(tmp_path / "embeddings" / "logits.npy", seen.logits)
    write_array(tmp_path / "heat" / "gradcam.npy", cams)
    names = [f"{n:03}" for n in range(len(IMAGES))]
    table = pd.DataFrame({"id": names, "path": names, "split": SPLITS})
    write_table(tmp_path / "split.csv", table.assign(label=["a", "b", "b"] * 4))
    most(tmp_path, 6)
    return tmp_path


def brightness_only(inputs: torch.Tensor) -> torch.Tensor:
    level = inputs.mean(dim=(1, 2, 3))
    return torch.stack([level, -level], dim=1)


def run(folder: Path) -> dict[str, Any]:
    main([word for flag, name in FLAGS.items() for word in (f"--{flag}", str(folder / name))])
    return read_metrics(folder / "d.json")


def test_every_figure_of_gradcam_and_its_controls_and_again_the_same_bytes(folder: Path) -> None:
    metrics = run(folder)
    before = [(folder / name).read_bytes() for name in OUTPUTS]
    assert set(metrics) == {"heatmaps"}
    assert set(metrics["heatmaps"]) == {"gradcam"}
    found = metrics["heatmaps"]["gradcam"]
    for name in BETTER:
        assert found[f"{name}_low"] <= found[name] <= found[f"{name}_high"]
        over = f"{name}_over_other_image"
        assert found[f"{over}_low"] <= found[over] <= found[f"{over}_high"]
        assert name in found["controls"]["other_image"]
        assert name in found["by_class"]["a"]
    assert found["n"] == 6
    lead = [f"deletion_over_other_image{end}" for end in ("", "_low", "_high")]
    assert read_metrics(folder / "m.json") == {name: found[name] for name in lead}
    assert {name: one["n"] for name, one in found["by_class"].items()} == {"a": 2, "b": 4}
    assert set(found["controls"]) == set(CONTROLS)
    assert set(found["by_baseline"]) == {"blur", "mean"}
    assert list(found["randomisation"]) == [f"block_{n}" for n in range(5)] + ["head"]
    assert list(read_table(folder / "m.csv").columns) == COLUMNS
    run(folder)
    assert [(folder / name).read_bytes() for name in OUTPUTS] == before


def test_other_methods_and_other_layers_are_not_taken_for_gradcam_of_the_last(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(methods, "classify_with", lambda _network: brightness_only)
    most(folder, 4)
    rng = np.random.default_rng(0)
    for name, side in (("gradcam", 2), ("occlusion", 12)):
        maps = rng.normal(size=(len(EVALUATED), side, side)).astype(np.float32)
        write_array(folder / "heat" / f"{name}.npy", maps)
    heat = run(folder)["heatmaps"]
    assert set(heat) == {"gradcam", "occlusion"}
    for found in heat.values():
        assert set(BETTER) & set(found) == set(list(BETTER)[:5])
        assert "randomisation" not in found
    assert set(read_table(folder / "m.csv")["method"]) == {"gradcam", "occlusion"}
    assert Image.open(folder / "figures" / "faithfulness.png").height > 600


@pytest.mark.parametrize(("images", "reason"), [(0, "images is 0"), (1, "1 images; 2 are")])
def test_nothing_measured_still_writes_every_output(
    folder: Path, images: int, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    most(folder, images)
    metrics = run(folder)
    assert set(metrics) == {"skipped"}
    assert read_metrics(folder / "m.json") == {}
    assert reason in metrics["skipped"]
    assert capsys.readouterr().err == f"faithfulness: skipped: {metrics['skipped']}\n"
    assert list(read_table(folder / "m.csv").columns) == COLUMNS
    assert Image.open(folder / "figures" / "faithfulness.png").height < 100


def test_maps_of_one_cell_are_not_measured(folder: Path) -> None:
    write_array(folder / "heat" / "gradcam.npy", np.ones((len(EVALUATED), 1, 1), np.float32))
    assert run(folder) == {"skipped": "the heat maps have one cell and cannot localise"}


def test_maps_of_other_images_and_no_maps_end_in_one_line(folder: Path) -> None:
    write_array(folder / "heat" / "gradcam.npy", np.zeros((3, 2, 2), np.float32))
    assert "expected 8 maps, got an array of shape (3, 2, 2)" in user_error(run, folder=folder)
    (folder / "heat" / "gradcam.npy").unlink()
    assert "expected heat maps, found none" in user_error(run, folder=folder)
