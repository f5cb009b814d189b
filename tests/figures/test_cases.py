"""A run's results for an image are combined in its panel."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from twincam.figures.cases import CaseFiles, case_of, read_explained
from twincam.figures.panels import draw_panel
from twincam.files.arrays import write_array
from twincam.files.metrics import write_metrics
from twincam.files.tables import write_table

IMAGES = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)


@pytest.fixture
def run(tmp_path: Path) -> CaseFiles:
    """Write a run of two training images and two evaluated ones."""
    files = CaseFiles(*(tmp_path / name for name in CaseFiles._fields))
    ids = ["t0", "t1", "v0", "v1"]
    split = pd.DataFrame(
        {"id": ids, "path": ids, "label": list("abab"), "split": ["train"] * 2 + ["val"] * 2}
    )
    write_table(files.split, split)
    write_array(files.images / "00000.npy", IMAGES)
    write_array(files.masks / "00000.npy", np.zeros((0, 32, 32), np.uint8))
    write_array(files.embeddings / "logits.npy", np.array([[1, 0], [0, 1], [2, 0], [0, 0.5]], "f4"))
    said = pd.DataFrame({"id": ["v1", "v0"], "predicted": ["b", "a"], "confidence": [0.6, 0.9]})
    write_table(files.predictions, said.assign(statement=["it is b", "it is a"]))
    write_metrics(files.evaluated, {"scope": "Trained on a and b."})
    write_metrics(files.explained, {"method": "layercam"})
    heat = np.stack([np.full((2, 2), 3.0), np.ones((2, 2))])
    write_array(files.heatmaps / "layercam.npy", heat)
    write_array(files.heatmaps / "gradcam.npy", -heat)
    write_array(files.shared, heat[:, None])
    write_array(files.swapped, heat > 2)
    near = {"id": ["v1", "v1", "v0"], "kind": ["twins", "counterfactual", "twins"], "rank": 1}
    near |= {"neighbour": ["t1", "t0", "t0"], "path": "x", "label": list("baa")}
    table = pd.DataFrame({**near, "predicted": list("baa"), "similarity": [0.7, 0.2, 0.5]})
    write_table(files.twins, table)
    return files


def test_a_case_contains_the_results_of_its_image(run: CaseFiles) -> None:
    explained = read_explained(run)
    assert explained.queries["id"].tolist() == ["v0", "v1"]
    assert explained.queries["predicted"].tolist() == ["a", "b"]
    assert explained.queries["margin"].tolist() == [2, 0.5]
    case = case_of(explained, 1)
    assert (case.row["statement"], case.scope) == ("it is b", "Trained on a and b.")
    assert (case.image == IMAGES[3]).all()
    assert (case.heat == 1).all()
    assert not case.swapped.any()
    assert not case.mask.any()
    (twin,), (other,) = case.twins, case.counterfactual
    assert (twin.image == IMAGES[1]).all()
    assert (other.image == IMAGES[0]).all()
    assert (twin.similarity, twin.label) == (0.7, "b")
    assert case.influential == []
    assert draw_panel(case).mode == "RGB"


def test_one_image_in_ten_exceeds_the_scale(run: CaseFiles) -> None:
    assert read_explained(run).heat_scale == pytest.approx(np.quantile([3, 1], 0.9))
