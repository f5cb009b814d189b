"""A decision patch by patch, and what sets a class apart."""

import numpy as np
import pytest

from stages.prototypes.evidence import evidence_figures
from stages.prototypes.panels import (
    MOST_WRONG,
    Decision,
    Prototype,
    choose_shown,
    draw_decision,
    draw_decisions,
)
from stages.prototypes.patches import Patch, cut_out, draw_frames
from stages.prototypes.table import nearest_of, prototype_table
from tests.protopnet.tiny import LABELS
from tests.prototypes.tiny import fits, net, run
from twincam.explanations.prototypes.contributions import LastLayer, decompose
from twincam.explanations.prototypes.places import Field, cell_centre, field_box
from twincam.files.metrics import spelled


def test_every_error_and_a_balanced_choice_of_the_rest_is_shown() -> None:
    labels = np.array([0] * 30 + [1] * 5)
    predicted = labels.copy()
    predicted[[3, 33]] = 1, 0
    wrong, correct = choose_shown(labels, predicted, 6, 0)
    assert wrong.tolist() == [3, 33]
    assert np.bincount(labels[correct]).tolist() == [3, 3]
    assert not set(correct) & {3, 33}
    again = choose_shown(labels, predicted, 6, 0)[1]
    assert np.array_equal(correct, again)
    assert not np.array_equal(correct, choose_shown(labels, predicted, 6, 1)[1])
    assert len(choose_shown(labels, predicted, 100, 0)[1]) == 33
    assert len(choose_shown(labels, predicted, 0, 0)[1]) == 0
    many = choose_shown(np.zeros(500, int), np.ones(500, int), 6, 0)[0]
    assert len(set(many)) == MOST_WRONG


def evidence(own: float, foreign: float) -> dict[str, dict[str, float]]:
    """Class 0's prototype rises by ``own`` on its images, class 1's by ``foreign`` on its own."""
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 40)
    similar = rng.normal(0.2, 0.01, (80, 2))
    similar[labels == 0, 0] += own
    similar[labels == 1, 1] += foreign
    layer = LastLayer(np.array([0, 1]), np.array([2.0, 2.0]), np.array([1.0, -1.0]))
    return spelled(evidence_figures(similar, labels, layer, ["real", "fake"], 0))


def test_a_class_without_features_of_its_own_is_recognised_by_absence_and_bias() -> None:
    found = evidence(0.0, 0.5)
    assert found["real"]["presence"] < 0.1
    assert found["real"]["presence_high"] < 0.1
    assert found["real"]["mainly_bias"]
    assert found["real"]["contribution"] == pytest.approx(0.4, abs=0.01)
    assert found["fake"]["presence"] > 0.9
    assert not found["fake"]["mainly_bias"]


def test_a_class_with_features_of_its_own_is_recognised_by_presence() -> None:
    found = evidence(0.5, 0.0)
    assert found["real"]["presence_low"] > 0.9
    assert not found["real"]["mainly_bias"]
    assert evidence(0.3, 0.3)["real"]["presence"] == pytest.approx(0.5, abs=0.05)


def test_what_sets_no_class_apart_has_no_share() -> None:
    layer = LastLayer(np.array([0, 1]), np.zeros(2), np.zeros(2))
    found = spelled(evidence_figures(np.ones((8, 2)), LABELS[:8], layer, ["a", "b"], 0))
    assert np.isnan(found["a"]["presence"])
    assert np.isnan(found["a"]["presence_low"])


def test_a_field_is_cut_at_the_border_and_its_centre_is_the_cells() -> None:
    assert cell_centre(np.array([2, 0]), Field(21, 8, 4, 8)) == (20, 4)
    assert field_box((20, 4), 21, 64) == (0, 10, 15, 31)
    image = np.full((64, 64, 3), 200, np.uint8)
    image[20:31, 4:15] = 0
    cut = np.asarray(cut_out(Patch(image, (20, 4), 1.0, ""), 21, 63))
    assert cut.shape == (63, 63, 3)
    assert cut[:, 0].min() == 255, "the field is narrower than high: the square's sides stay empty"


def test_frames_are_drawn_around_what_each_cell_sees() -> None:
    image = np.zeros((64, 64, 3), np.uint8)
    one = np.asarray(draw_frames(image, [(32, 32)], 21, 64))
    assert one[32, 23].any()
    assert one[22, 32].any()
    assert not one[:20].any()
    assert not one[:, 45:].any()
    assert draw_frames(image, [(32, 32), (10, 10)], 21, 64).tobytes() != one.tobytes()


def test_a_wrong_decision_shows_the_right_classs_sum_besides() -> None:
    some, fit, field = run(), fits().kept, net().field
    table = prototype_table(some, fit.layer, field, nearest_of(some), {})
    first, second = draw_decisions(some, fit, table, field, np.array([0, 1]))
    assert first.size == second.size
    sums = [decompose(some.measured.evaluated, 0, fit.layer, k) for k in (1, 0)]
    image = some.images[0]
    prototypes = [Prototype(Patch(image, (9, 9), 1.0, "a"), "a/0.png")] * 6
    wrong, right = (
        draw_decision(
            Decision(image, "a/0.png", "a", "b", 0.8, sums[:count]), prototypes, ["a", "b"], field
        )
        for count in (2, 1)
    )
    assert wrong.height > right.height + 250
    assert wrong.width == right.width == first.width
