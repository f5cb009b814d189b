"""A picture is unlike anything seen if each training image has a nearer one than it has."""

import numpy as np

from twincam.explainer.novelty import distances, is_unlike, novelty
from twincam.models.embedded import Embedded


def embedded(features: np.ndarray) -> Embedded:
    return Embedded((), features, np.zeros((len(features), 2)))


def at_angles(*degrees: float) -> Embedded:
    angles = np.radians(degrees)
    return embedded(np.stack([np.cos(angles), np.sin(angles)], axis=1))


def test_distances_are_to_the_nearest_other_image() -> None:
    found = distances(at_angles(0, 10, 30))
    expected = 1 - np.cos(np.radians([10, 10, 20]))
    np.testing.assert_allclose(found, expected)


def test_the_quantile_is_the_share_of_training_images_that_are_nearer() -> None:
    references = at_angles(0, 10, 30)
    known = distances(references)
    for angle, share in ((5, 0), (45, 2 / 3), (60, 1)):
        distance, quantile = novelty(at_angles(angle), references, known)
        np.testing.assert_allclose(
            distance, 1 - np.cos(np.radians(min(abs(angle - a) for a in (0, 10, 30))))
        )
        assert quantile == share
        assert is_unlike(quantile) == (angle == 60)
