"""Explanations add up to what they explain, and searches find what trying everything finds."""

from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from twincam.explanations.counterfactuals import minimal_swap
from twincam.explanations.prototypes.best_cells import Matches
from twincam.explanations.prototypes.contributions import LastLayer, decompose, layer_logits
from twincam.explanations.twins.spaces import SPACES, shared_map, similarity
from twincam.models.embedded import Embedded
from twincam.near_duplicates.hashes import FLAT
from twincam.near_duplicates.pairs import near_pairs

SUBSETS = np.array(list(product([False, True], repeat=4))).reshape(-1, 2, 2)
EIGHTHS = st.integers(-16, 16).map(lambda number: number / 8)
NUMBERS = st.floats(-4, 4, width=32)


@given(st.data(), st.integers(2, 4))
def test_no_smaller_swap_turns_the_prediction(data: st.DataObject, classes: int) -> None:
    query, partner = data.draw(arrays(float, (2, 1, classes, 2, 2), elements=EIGHTHS))
    bias = data.draw(arrays(float, classes, elements=EIGHTHS))

    def leads(cells: np.ndarray) -> np.ndarray:
        """Return by how much the best other class is ahead of the predicted one."""
        logits = np.where(cells[:, None], partner, query).mean(axis=(2, 3)) + bias
        return np.delete(logits, predicted, axis=1).max(axis=1) - logits[:, predicted]

    predicted = int((query[0].mean(axis=(1, 2)) + bias).argmax())
    turned = leads(SUBSETS) > 0
    assume(turned[-1])
    swap = minimal_swap(query, partner, bias)
    assert swap.needed[0] == SUBSETS.sum(axis=(1, 2))[turned].min() == swap.cells.sum()
    assert leads(swap.cells)[0] > 0
    assert swap.reached[0] != predicted


@given(st.data(), st.integers(1, 12), st.integers(2, 3))
def test_points_and_bias_add_up_to_the_logit(data: st.DataObject, count: int, classes: int) -> None:
    layer = LastLayer(
        data.draw(arrays(int, count, elements=st.integers(0, classes - 1))),
        data.draw(arrays(np.float32, count, elements=st.floats(0, 4, width=32))),
        data.draw(arrays(np.float32, classes, elements=NUMBERS)),
    )
    similarity = data.draw(arrays(np.float32, (1, count), elements=st.floats(-1, 1, width=32)))
    matches = Matches(similarity, np.zeros((1, count, 2), int))
    logits = layer_logits(layer, similarity)[0]
    for owner in range(classes):
        assert decompose(matches, 0, layer, owner).logit == pytest.approx(logits[owner], abs=1e-4)


@given(st.data(), st.sampled_from(sorted(name for name in SPACES if SPACES[name].shared_map)))
def test_a_shared_map_adds_up_to_the_similarity(data: st.DataObject, space: str) -> None:
    weight = data.draw(arrays(float, (3, 4), elements=EIGHTHS))

    def seen() -> Embedded:
        maps = data.draw(arrays(float, (2, 4, 2, 3), elements=EIGHTHS.map(abs)))
        features = maps.mean(axis=(2, 3))
        return Embedded((maps,), features, features @ weight.T)

    queries, twins = seen(), seen()
    shown = similarity(space, queries, twins, weight).diagonal()
    heat = shared_map(space, queries, twins, weight)
    assert heat.sum(axis=(1, 2)) == pytest.approx(shown, abs=1e-5)


@given(
    st.lists(st.integers(0, 40).map(lambda bits: (1 << bits) - 1), max_size=60),
    st.integers(-1, 32),
)
def test_near_duplicates_are_those_of_brute_force(values: list[int], distance: int) -> None:
    hashes = np.array([*values, FLAT, FLAT], np.uint64)
    found = sorted(tuple(pair) for some in near_pairs(hashes, distance) for pair in some.tolist())
    near = [
        (i, j)
        for j in range(len(values))
        for i in range(j)
        if (values[i] ^ values[j]).bit_count() <= distance
    ]
    assert found == sorted(near)
