"""What is measured is what later stages would measure, and survives its folder."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from stages.protopnet.measuring import DRAWS
from tests.conftest import user_error
from tests.protopnet.tiny import LABELS, pictures, trained
from tests.prototypes.tiny import measurements
from twincam.explanations.prototypes.matches import best_matches
from twincam.explanations.prototypes.measurements import (
    read_measurements,
    write_measurements,
)


def test_similarities_of_the_sample_are_those_of_its_maps() -> None:
    found = measurements()
    assert found.sample.tolist() == list(range(16))
    assert found.sample_maps.max(axis=(2, 3)) == pytest.approx(found.evaluated_similarity, abs=1e-6)
    assert found.patches.tolist() == trained().patches.tolist()


def test_noise_and_jpeg_move_some_matches_and_not_all() -> None:
    found = measurements()
    assert (found.jpeg_cells == found.evaluated_cells).mean() > 0.5
    assert not np.array_equal(found.jpeg_similarity, found.evaluated_similarity)
    assert 0.3 < (found.noise_cells == found.evaluated_cells).mean() <= 1


def test_blurred_squares_are_drawn_anew_and_on_the_cat_lower_similarity_more() -> None:
    found = measurements()
    assert found.blurred_anywhere.shape == found.blurred_on_cat.shape == (DRAWS, 16, 6)
    assert not np.array_equal(found.blurred_anywhere[0], found.blurred_anywhere[1])
    own = LABELS[:, None] == trained().net.owner.numpy()
    assert found.blurred_on_cat[:, own].mean() < found.blurred_anywhere[:, own].mean()
    assert measurements(known=False).blurred_on_cat.shape == (DRAWS, 0, 6)


def test_changed_pictures_have_a_row_each() -> None:
    found = measurements()
    counts = found.changed.value_counts().to_dict()
    assert counts == {(0, "mark_erased"): 8, (1, "mark_planted"): 8, (1, "other_planted"): 8}
    assert found.changed_similarity.shape == (24, 6)
    none = measurements(known=False)
    assert (len(none.changed), none.changed_similarity.shape) == (0, (0, 6))


@pytest.mark.parametrize("known", [True, False])
def test_measurements_come_back_from_their_folder(tmp_path: Path, known: bool) -> None:
    written = measurements(known=known)
    write_measurements(tmp_path, written)
    for name, value in read_measurements(tmp_path)._asdict().items():
        expected = getattr(written, name)
        if isinstance(value, pd.DataFrame):
            assert value.to_dict("list") == expected.to_dict("list"), name
        else:
            assert np.array_equal(value, expected), name
    (tmp_path / "train_similarity.npy").write_text("damaged")
    assert "train_similarity.npy" in user_error(read_measurements, folder=tmp_path)


def test_what_the_trained_network_gives_is_what_is_measured() -> None:
    found = best_matches(trained().net, pictures()[0], np.array([3, 5]))
    measured = measurements().evaluated.of(np.array([3, 5]))
    assert found.similarity == pytest.approx(measured.similarity, abs=1e-6)
    assert np.array_equal(found.cells, measured.cells)
