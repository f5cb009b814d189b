"""A decision read patch by patch adds up to the logit that decided."""

import numpy as np
import pytest

from stages.protopnet.decisions import (
    LastLayer,
    account,
    choose_shown,
    evidence_figures,
    last_layer,
)
from stages.protopnet.panels import Prototype, Reading, draw_decisions, draw_reading
from stages.protopnet.patches import Patch, cell_centre, cut_out, draw_frames, field_box
from stages.protopnet.prototypes import nearest_patches, prototype_table
from tests.protopnet.tiny import FIELDS, LABELS, ROWS, STRIDE, fitted, scene

LAYER = LastLayer(
    np.repeat([0, 1], 5), np.array([1, 2, 0, 4, 5, 1, 0, 0, 0, 0.0]), np.array([3, -3])
)


def test_every_account_of_a_fitted_network_adds_up_to_its_logit() -> None:
    net, seen = fitted().net, fitted().seen
    for n, k in np.ndindex(*fitted().refitted.shape):
        found = account(seen.similarity[n], seen.cells[n], last_layer(net), k)
        assert found.logit == pytest.approx(fitted().refitted[n, k], abs=1e-4)


def test_an_account_names_the_three_that_give_most_and_sums_the_rest() -> None:
    similar = np.array([0.5, 0.9, 0.99, 0.5, 0.1, 0.9, 0.9, 0.9, 0.9, 0.9])
    cells = np.arange(20).reshape(10, 2)
    found = account(similar, cells, LAYER, 0)
    assert [term.prototype for term in found.terms] == [3, 1, 0]
    assert [term.points for term in found.terms] == pytest.approx([2.0, 1.8, 0.5])
    assert all(term.points == term.similarity * term.weight for term in found.terms)
    assert found.terms[0].cell.tolist() == [6, 7]
    assert found.others == 1
    assert found.others_points == pytest.approx(0.5)
    assert found.logit == pytest.approx(2.0 + 1.8 + 0.5 + 0.5 + 3)
    lone = account(similar, cells, LAYER, 1)
    assert [term.prototype for term in lone.terms] == [5]
    assert lone.logit == pytest.approx(0.9 - 3)


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


def evidence(own: float, foreign: float) -> dict[str, dict[str, float]]:
    """Class 0's prototype rises by ``own`` on its images, class 1's by ``foreign`` on its own."""
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 40)
    similar = rng.normal(0.2, 0.01, (80, 2))
    similar[labels == 0, 0] += own
    similar[labels == 1, 1] += foreign
    layer = LastLayer(np.array([0, 1]), np.array([2.0, 2.0]), np.array([1.0, -1.0]))
    return evidence_figures(similar, labels, layer, ["real", "fake"], 0)


def test_a_class_without_a_sign_of_its_own_is_told_by_absence_and_bias() -> None:
    found = evidence(0.0, 0.5)
    assert found["real"]["presence"] < 0.1
    assert found["real"]["presence_high"] < 0.1
    assert found["real"]["mainly_bias"]
    assert found["real"]["points"] == pytest.approx(0.4, abs=0.01)
    assert found["fake"]["presence"] > 0.9
    assert not found["fake"]["mainly_bias"]


def test_a_class_with_a_sign_of_its_own_is_told_by_presence() -> None:
    found = evidence(0.5, 0.0)
    assert found["real"]["presence_low"] > 0.9
    assert not found["real"]["mainly_bias"]
    assert evidence(0.3, 0.3)["real"]["presence"] == pytest.approx(0.5, abs=0.05)


def test_what_tells_nothing_has_no_share() -> None:
    layer = LastLayer(np.array([0, 1]), np.zeros(2), np.zeros(2))
    found = evidence_figures(np.ones((8, 2)), LABELS[:8], layer, ["a", "b"], 0)
    assert np.isnan(found["a"]["presence"])
    assert np.isnan(found["a"]["presence_low"])


def test_a_field_is_cut_at_the_border_and_its_centre_is_the_cells() -> None:
    assert cell_centre(np.array([2, 0]), 8) == (20, 4)
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


def test_a_wrong_decision_has_the_right_classs_account_besides() -> None:
    near = [nearest_patches(fitted().seen, ROWS, fitted().source[:, 0])] * 2
    described = prototype_table(scene(), fitted(), (43, STRIDE), FIELDS, near, {})
    first, second = draw_decisions(scene(), fitted(), described, (43, STRIDE), np.array([0, 1]))
    assert first.size == second.size
    seen, layer = fitted().seen, last_layer(fitted().net)
    accounts = [account(seen.similarity[0], seen.cells[0], layer, k) for k in (1, 0)]
    image = scene().images[0]
    prototypes = [Prototype(Patch(image, (9, 9), 1.0, "a"), "a/0.png")] * 6
    wrong, right = (
        draw_reading(
            Reading(image, "a/0.png", "a", "b", 0.8, accounts[:count]),
            prototypes,
            ["a", "b"],
            (43, STRIDE),
        )
        for count in (2, 1)
    )
    assert wrong.height > right.height + 250
    assert wrong.width == right.width == first.width
