"""Maps are computed by each method asked for, and held against defects and marks."""

from pathlib import Path

import numpy as np
import pytest

from stages.explain.heatmaps import find_maps, mark_figures
from stages.explain.params import Params
from stages.explain.run import Run
from tests.conftest import ROOT, change_params
from tests.explain.runs import tiny_run
from twincam.files.metrics import spelled
from twincam.files.params_file import read_params


@pytest.fixture(scope="module")
def run() -> Run:
    return tiny_run()


def params(folder: Path, **explain: object) -> Params:
    (folder / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    change_params(folder, {"model": {"arch": "resnet18"}, "explain": explain})
    return read_params(folder / "params.yaml", Params)


def test_grad_cam_of_the_last_block_is_taken_as_it_is_and_the_rest_computed(
    run: Run, tmp_path: Path
) -> None:
    cams = np.random.default_rng(0).normal(size=(4, 2, 2)).astype(np.float32)
    found = find_maps(run, params(tmp_path, methods=["gradcam", "layercam"]), cams)
    assert (found.arrays["gradcam"] == cams).all()
    assert found.arrays["layercam"].shape == (4, 2, 2)
    assert found.metrics["method"] == "gradcam"
    assert list(found.metrics["heatmaps"]) == ["gradcam", "layercam"]
    earlier = find_maps(run, params(tmp_path, layer=2), cams)
    assert earlier.arrays["gradcam"].shape == (4, 8, 8)


def test_maps_of_one_cell_are_warned_of(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = find_maps(run, params(tmp_path), np.ones((4, 1, 1), np.float32))
    assert found.metrics["heatmaps"]["gradcam"]["one_cell"]
    assert "maps of gradcam have one cell" in capsys.readouterr().err


def test_marks_are_told_by_recall_and_heat(run: Run) -> None:
    assert mark_figures(run, {}, 0) == {}
    marks = run.marks.copy()
    marks[:2, :8, :8] = 255
    heat = np.zeros((4, 8, 8), np.float32)
    heat[:, 0, 0] = 1
    found = spelled(mark_figures(run._replace(marks=marks), {"gradcam": heat}, 0))
    assert found["n"] == 2
    assert found["heatmaps"]["gradcam"]["pointing_game"] == 1
    sides = [one[side] for one in found["recall"].values() for side in ("marked", "unmarked")]
    assert [side["n"] for side in sides] == [1, 1, 1, 1]
    assert {side["recall"] for side in sides} <= {0, 1}
