"""Does Grad-CAM persist under noise, and change when the trained weights are destroyed?

Cascading parameter randomisation: Adebayo et al., Sanity Checks for Saliency Maps (NeurIPS 2018).
Every map here is Grad-CAM of the original margin at what the head reads, in closed form.
"""

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image

from stages.faithfulness.controls import Sample
from stages.faithfulness.summary import Score
from twincam import corruptions
from twincam.determinism import derived_seed, generator
from twincam.explanations.gradcam import margin_maps
from twincam.models.forward import BATCH, batches, embed_batch
from twincam.models.network import Network, maps_of
from twincam.statistics.ranking import rank_correlations

GREY_LEVELS, DRAWS = 2, 2
"""The noise's standard deviation, of 255, and its number of samples."""

Squares = Callable[[np.ndarray], np.ndarray]
"""Positions ``[B]`` to images, bytes ``[B,S,S,3]``."""


class Likeness(NamedTuple):
    """Spearman's correlations ``[N]`` of signed maps, and of their absolute values."""

    signed: np.ndarray
    absolute: np.ndarray


def sanity_scores(
    network: Network,
    squares: Squares,
    sample: Sample,
    original: np.ndarray,
    seed: int,
) -> tuple[dict[str, Score], dict[str, Likeness]]:
    """Compare each image's map with those under noise and those of randomised networks.

    Args:
        network: in evaluation mode; unchanged.
        squares: gives the N images.
        sample: the same images; their logits determine the classes of every margin, and a partner's
            original map is the control.
        original: `gradcam_maps` of the original images.
        seed: of noise and weights.

    Returns:
        ``noise_similarity`` and ``noise_cosine``, means over the samples of noise;
        ``randomisation_similarity``, the absolute correlation once everything is randomised;
        and the correlations after each part is randomised, in that order.
    """
    logits, ids, partner = sample
    other = original[partner]
    shaken = [
        gradcam_maps(network, noisy(squares, ids, draw, seed), logits) for draw in range(DRAWS)
    ]
    series = {}
    for name, drawn in randomised(network, seed):
        maps = gradcam_maps(drawn, squares, logits)
        series[name] = Likeness(
            rank_correlations(original, maps), rank_correlations(np.abs(original), np.abs(maps))
        )
    ones = np.ones(len(ids))
    scores = {
        name: Score(
            np.mean([compare(original, maps) for maps in shaken], axis=0),
            {"other_image": compare(original, other)},
            ones,
        )
        for name, compare in (("noise_similarity", rank_correlations), ("noise_cosine", cosines))
    }
    scores["randomisation_similarity"] = Score(
        np.abs(series[name].signed),
        {"other_image": np.abs(rank_correlations(original, other))},
        ones,
    )
    return scores, series


def gradcam_maps(network: Network, squares: Squares, logits: np.ndarray) -> np.ndarray:
    """Return the maps ``[N,h,w]`` that ``network`` gives the margin of ``logits`` ``[N,K]``.

    Args:
        network: in evaluation mode, on `twincam.models.network.device`.
        squares: gives the N images.
        logits: determine the two classes of each margin; may be another network's or image's.
    """
    weight = network.head.weight.detach().cpu().numpy()
    return np.concatenate(
        [
            margin_maps(embed_batch(network, squares(part)).maps, weight, logits[part])
            for part in batches(len(logits), BATCH)
        ]
    )


def noisy(squares: Squares, ids: np.ndarray, draw: int, seed: int) -> Squares:
    """Return the same images under Gaussian noise of `GREY_LEVELS` that depends on their ids."""

    def shown(part: np.ndarray) -> np.ndarray:
        rngs = [generator(seed, "faithfulness", "noisy", draw, name) for name in ids[part]]
        changed = [
            corruptions.noise(Image.fromarray(square), GREY_LEVELS, rng)
            for square, rng in zip(squares(part), rngs, strict=True)
        ]
        return np.stack([np.asarray(image) for image in changed])

    return shown


def randomised(network: Network, seed: int) -> Iterator[tuple[str, Network]]:
    """Yield a copy of ``network`` with one more part randomised each time, the head first.

    Every part, ``head`` and then ``block_<i>`` from the last to the first, is initialised as
    before training, statistics of batch normalisation included. ``network`` is unchanged.

    Args:
        network: in evaluation mode.
        seed: of the new weights.
    """
    drawn = copy.deepcopy(replace(network, infer=maps_of(network)))
    numbered = [(f"block_{index}", block) for index, block in enumerate(drawn.blocks)]
    for name, part in [("head", drawn.head), *reversed(numbered)]:
        torch.manual_seed(derived_seed(seed, "faithfulness", "randomised", name))
        for layer in part.modules():
            reset = getattr(layer, "reset_parameters", None)
            if reset:
                reset()
        yield name, drawn


def cosines(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the cosine ``[N]`` of maps ``[N,h,w]``; 0 where one of the two is blank."""
    return np.asarray((_unit(first) * _unit(second)).sum(axis=1))


def same_maps(first: np.ndarray, second: np.ndarray) -> bool:
    """Return whether maps ``[N,h,w]`` differ by no more than factors above 0 and rounding."""
    return first.shape == second.shape and np.allclose(_unit(first), _unit(second), atol=1e-3)


def _unit(maps: np.ndarray) -> np.ndarray:
    """Return maps ``[N,h,w]`` as vectors ``[N,h*w]`` of length 1, or 0 where they are blank."""
    vectors = maps.reshape(len(maps), -1).astype(np.float64)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(lengths > 0, lengths, 1))
