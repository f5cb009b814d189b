"""How far each image is from the training images, its own copy aside."""

import numpy as np
import pytest

from stages.explain.novelty import novelty_table
from tests.explain.runs import EVALUATED, TRAIN, tiny_run


@pytest.mark.parametrize("exact_up_to", [100, 1])
def test_distances_are_to_the_nearest_other_training_image(exact_up_to: int) -> None:
    run = tiny_run()
    run.embedded.features[EVALUATED[0]] = run.embedded.features[TRAIN[3]]
    table = novelty_table(run, exact_up_to)
    assert table["id"].tolist() == [f"{row:02d}" for row in (*EVALUATED, *TRAIN)]
    assert table["split"].tolist() == ["val"] * 4 + ["train"] * 8

    unit = run.embedded.features / np.linalg.norm(run.embedded.features, axis=1, keepdims=True)
    apart = 1 - unit @ unit[TRAIN].T
    apart[TRAIN, TRAIN] = np.inf
    expected = apart.min(axis=1)[[*EVALUATED, *TRAIN]]
    np.testing.assert_allclose(table["distance"], expected, atol=1e-6)
    known = expected[len(EVALUATED) :]
    assert table["distance"].iloc[0] == pytest.approx(0, abs=1e-6)
    assert table["quantile"].tolist() == [(known < one - 1e-7).mean() for one in expected]
