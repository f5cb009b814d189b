"""The shared heat adds up to the similarity that stands under the twin."""

import numpy as np
import pytest

from stages.explain.shared import shared_heat
from tests.seen import WEIGHT, embedded
from twincam.explanations.twins import SPACES
from twincam.models.embedded import Embedded

QUERY, TWIN = embedded(5), embedded(5)


@pytest.mark.parametrize("space", sorted(set(SPACES) - {"features_euclidean"}))
def test_it_adds_up(space: str) -> None:
    heat = shared_heat(QUERY, TWIN, WEIGHT, space)
    assert heat.shape == (5, 2, 3)
    shown = SPACES[space](QUERY, TWIN, WEIGHT).diagonal()
    assert heat.sum(axis=(1, 2)) == pytest.approx(shown)


def test_a_distance_has_no_such_map() -> None:
    assert not shared_heat(QUERY, TWIN, WEIGHT, "features_euclidean").any()


def test_heat_is_where_the_likeness_is() -> None:
    maps = np.zeros((1, 8, 2, 3))
    maps[0, :, 1, 2] = TWIN.features[0]
    query = Embedded(maps, maps.mean(axis=(2, 3)), maps.mean(axis=(2, 3)) @ WEIGHT.T)
    one = Embedded(*(part[:1] for part in TWIN))
    heat = shared_heat(query, one, WEIGHT, "features_cosine")[0]
    assert heat[1, 2] == pytest.approx(1)
    assert np.count_nonzero(heat) == 1
