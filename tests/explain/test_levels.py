"""Where the head reads several resolutions, every explanation adds up over all of them."""

import numpy as np
import pandas as pd
import pytest

from stages.explain.counterfactuals import cell_scores, find_counterfactuals
from stages.explain.params import Params
from stages.explain.run import Run, evaluated_maps, head_of
from stages.explain.twins import find_twins
from tests.conftest import ROOT
from tests.explain.runs import EVALUATED, tiny_run
from twincam.explanations.twins.spaces import SPACES
from twincam.files.params_file import read_params

PARAMS = read_params(ROOT / "params.yaml", Params)


@pytest.fixture(scope="module")
def run() -> Run:
    return tiny_run(levels=3)


@pytest.mark.parametrize("space", ["contributions_margin", "maps"])
def test_twins_share_heat_and_a_counterfactual_swaps_coarse_cells(run: Run, space: str) -> None:
    settings = PARAMS.explain.model_copy(update={"space": space, "twins": 2})
    twins = find_twins(
        run, PARAMS.model_copy(update={"explain": settings}), pd.DataFrame({"space": []})
    )
    assert twins.space == space
    assert set(twins.metrics["twins"]) == set(SPACES) - {"clip"}
    assert twins.shared.shape == (4, 2, 2, 2)
    assert twins.shared.sum(axis=(2, 3)) == pytest.approx(twins.neighbours["twins"][1], rel=1e-4)
    assert find_counterfactuals(run, twins, 0).arrays["swapped"].shape == (4, 2, 2)


def test_the_scores_of_cells_add_up_to_the_logits(run: Run) -> None:
    _, bias = head_of(run.network)
    logits = np.concatenate([one.logits for one in evaluated_maps(run)])
    assert cell_scores(run, EVALUATED).mean(axis=(2, 3)) + bias == pytest.approx(logits, abs=1e-5)
