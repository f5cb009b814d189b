"""A decision adds up to the logit that decided."""

import numpy as np
import pytest

from tests.prototypes.tiny import fits, run
from twincam.explanations.prototypes.best_cells import Matches
from twincam.explanations.prototypes.contributions import LastLayer, decompose, layer_logits

LAYER = LastLayer(
    np.repeat([0, 1], 5),
    np.array([1, 2, 0, 4, 5, 1, 0, 0, 0, 0], np.float32),
    np.array([3, -3], np.float32),
)


def test_every_decomposition_of_a_fitted_network_adds_up_to_its_logit() -> None:
    fit = fits().kept
    for n, k in np.ndindex(*fit.logits.shape):
        found = decompose(run().measured.evaluated, n, fit.layer, k)
        assert found.logit == pytest.approx(fit.logits[n, k], abs=1e-4)


def test_logits_are_weights_times_similarities_summed_by_class() -> None:
    best = np.random.default_rng(0).normal(size=(4, 10)).astype(np.float32)
    given = best * LAYER.weight
    by_hand = np.stack([given[:, :5].sum(axis=1), given[:, 5:].sum(axis=1)], axis=1) + LAYER.bias
    assert layer_logits(LAYER, best) == pytest.approx(by_hand, rel=1e-5)


def test_a_decomposition_lists_the_three_largest_and_sums_the_rest() -> None:
    similar = np.array([0.5, 0.9, 0.99, 0.5, 0.1, 0.9, 0.9, 0.9, 0.9, 0.9])
    cells = np.arange(20).reshape(10, 2)
    matches = Matches(similar[None], cells[None])
    found = decompose(matches, 0, LAYER, 0)
    assert [term.prototype for term in found.largest] == [3, 1, 0]
    assert [term.value for term in found.largest] == pytest.approx([2.0, 1.8, 0.5])
    assert all(term.value == term.similarity * term.weight for term in found.largest)
    assert found.largest[0].cell.tolist() == [6, 7]
    assert found.others == 1
    assert found.others_sum == pytest.approx(0.5)
    assert found.logit == pytest.approx(2.0 + 1.8 + 0.5 + 0.5 + 3)
    lone = decompose(matches, 0, LAYER, 1)
    assert [term.prototype for term in lone.largest] == [5]
    assert lone.logit == pytest.approx(0.9 - 3)
