"""Which images are measured, and the control maps, which do not know where its evidence is."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from twincam.determinism import generator
from twincam.explanations.maps import centred_map
from twincam.statistics.sampling import sample_balanced

BLIND = ("centre", "noise")
"""Controls that do not depend on the maps."""
CONTROLS = ("other_image", "rolled", *BLIND)


class Sample(NamedTuple):
    """The N images measured: their logits ``[N,K]``, ids ``[N]``, and the `partners` of each."""

    logits: np.ndarray
    ids: np.ndarray
    partner: np.ndarray


def choose(evaluated: pd.DataFrame, most: int, seed: int) -> np.ndarray:
    """Sample at most ``most`` of the evaluated images, with the classes alternating.

    Args:
        evaluated: rows of ``data/split.csv``; has ``label``.
        most: at least 0.
        seed: of the sample.

    Returns:
        Positions among ``evaluated``, in order.
    """
    return sample_balanced(evaluated["label"].to_numpy(), most, seed, "faithfulness", "images")


def partners(predicted: np.ndarray, seed: int) -> np.ndarray:
    """Return another image for each, ``[N]``: a permutation without a fixed point.

    The partner has the same prediction, unless no other image does: such an image is grouped with
    the most common prediction.

    Args:
        predicted: indices of the classes ``[N]``, N at least 2.
        seed: of the permutation.
    """
    counts = np.bincount(predicted)
    rings = np.where(counts[predicted] > 1, predicted, counts.argmax())
    order = generator(seed, "faithfulness", "partners").permutation(len(predicted))
    found = np.empty(len(predicted), int)
    for ring in np.unique(rings):
        members = order[rings[order] == ring]
        found[members] = np.roll(members, 1)
    return found


def controls(
    maps: np.ndarray, partner: np.ndarray, ids: np.ndarray, positions: np.ndarray, seed: int
) -> Mapping[str, np.ndarray]:
    """Return the maps ``[B,h,w]`` (float32) of each of `CONTROLS`.

    ``other_image`` is the map of the partner; ``rolled`` the image's own map shifted cyclically by
    a quarter to three quarters of each side; ``centre`` a Gaussian around the middle, half the side
    within two sigma; ``noise`` is uniform in each cell. Random values for an image depend on its id
    only.

    Args:
        maps: of all images measured, ``[N,h,w]``.
        partner: of each image, ``[N]``.
        ids: of each image, ``[N]``.
        positions: of the images whose controls are returned, ``[B]``.
        seed: of the random values.
    """
    height, width = maps.shape[1:]
    centre = centred_map(height, width)
    shifts = [
        generator(seed, "faithfulness", "rolled", name).integers(*_middle(height, width))
        for name in ids[positions]
    ]
    rolled = [
        np.roll(maps[i], shift, axis=(0, 1)) for i, shift in zip(positions, shifts, strict=True)
    ]
    noise = [
        generator(seed, "faithfulness", "noise", name).random((height, width))
        for name in ids[positions]
    ]
    found = (maps[partner[positions]], rolled, [centre] * len(positions), noise)
    return {name: np.array(own, np.float32) for name, own in zip(CONTROLS, found, strict=True)}


def _middle(*sides: int) -> tuple[list[int], list[int]]:
    """Return the least shift of each side, a quarter of it, and one more than the largest."""
    least = [-(-side // 4) for side in sides]
    return least, [max(low, side - low) + 1 for low, side in zip(least, sides, strict=True)]
