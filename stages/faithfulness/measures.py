"""The classifier's output as pixels are deleted or inserted in the order of a heat map.

Deletion and insertion: Petsiuk et al., RISE (BMVC 2018). ROAD: Rong et al. (ICML 2022). Average
drop and increase in confidence: Chattopadhay et al., Grad-CAM++ (WACV 2018). The first three use
the margin of the original prediction, with both of its classes fixed, the last two the probability
of the predicted class.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from stages.faithfulness.controls import BLIND, CONTROLS, Sample, controls
from stages.faithfulness.imputation import NOISE, impute
from stages.faithfulness.orders import baselines, count_of, kept_shares, pixel_ranks
from twincam.determinism import generator
from twincam.models.network import Network, pool
from twincam.statistics.margins import margin_classes, margins

Classify = Callable[[Tensor], Tensor]
"""Normalised inputs ``[B,3,S,S]`` to logits ``[B,K]``."""

FRACTIONS = tuple(step / 8 for step in range(9))
"""Fractions of the pixels deleted or inserted at the points of a curve, including both ends."""
ROAD_FRACTIONS = (0.1, 0.3, 0.5, 0.7, 0.9)
"""Fractions of the pixels removed; their mean is that of the published 10, 20, … 90 %."""
BASELINES = ("blur", "mean")
KINDS = ("deletion", "insertion")


class Subject(NamedTuple):
    """A batch of images, and the values needed before any map is measured.

    ``inputs`` ``[B,3,S,S]`` are normalised, ``pairs`` ``[B,2]`` the predicted class and its
    runner-up; ``margin`` ``[B]`` that of the original images; ``emptied`` the margins ``[B]`` of
    each baseline alone; ``noise`` ``[B,3,S,S]`` is added to imputed pixels.
    """

    inputs: Tensor
    pairs: Tensor
    margin: np.ndarray
    baselines: Mapping[str, Tensor]
    emptied: Mapping[str, np.ndarray]
    noise: Tensor


class Measured(NamedTuple):
    """The measurements of ``M`` maps of each of ``B`` images; margins in logits.

    ``curves`` ``[M, baseline, kind, fraction, B]`` are margins at `FRACTIONS`; ``road`` ``[M,B]``
    is half the difference in margin between removing the least and the most relevant pixels,
    averaged over `ROAD_FRACTIONS`; ``kept`` ``[M,B]`` is the predicted class's probability of the
    image times the map.
    """

    curves: np.ndarray
    road: np.ndarray
    kept: np.ndarray


def classify_with(network: Network) -> Classify:
    """Return the classifier as a function, without gradients; it must be in evaluation mode."""

    @torch.inference_mode()
    def classify(inputs: Tensor) -> Tensor:
        pixels = inputs.contiguous(memory_format=torch.channels_last)
        return network.head(pool(network.infer(pixels)))

    return classify


def measure_batch(
    classify: Classify,
    inputs: Tensor,
    sample: Sample,
    heat: Mapping[str, np.ndarray],
    positions: np.ndarray,
    seed: int,
) -> dict[str, Measured]:
    """Measure the maps of every method and their controls on a batch of images.

    The controls that do not use the maps are measured once for all methods with maps of one size.

    Args:
        classify: runs twice, and 117 times for each method and 78 times for each size of maps.
        inputs: the images of the batch, normalised, ``[B,3,S,S]``.
        sample: all N images; a partner's map is the control ``other_image``.
        heat: maps ``[N,h,w]`` by method.
        positions: of the batch among the N images, ``[B]``.
        seed: of the controls and of the noise on imputed pixels.

    Returns:
        The measurements by method, of its own maps first and then of its `CONTROLS`.
    """
    ids = sample.ids[positions]
    subject = subject_of(classify, inputs, sample.logits[positions], ids, seed)
    blind: dict[tuple[int, ...], Measured] = {}
    found = {}
    for method, maps in heat.items():
        others = controls(maps, sample.partner, sample.ids, positions, seed)
        ties, size = others["noise"], maps.shape[1:]
        if size not in blind:
            blind[size] = measure(classify, subject, [others[name] for name in BLIND], ties)
        tried = [maps[positions], *(others[name] for name in CONTROLS if name not in BLIND)]
        seeing = measure(classify, subject, tried, ties)
        found[method] = Measured(*map(np.concatenate, zip(seeing, blind[size], strict=True)))
    return found


def join_batches(found: Iterable[Mapping[str, Measured]]) -> dict[str, Measured]:
    """Return the measurements of all images by method, from those of each batch."""
    batches = list(found)
    return {
        method: Measured(
            *(
                np.concatenate(field, axis=-1)
                for field in zip(*(batch[method] for batch in batches), strict=True)
            )
        )
        for method in batches[0]
    }


def subject_of(
    classify: Classify, inputs: Tensor, logits: np.ndarray, ids: np.ndarray, seed: int
) -> Subject:
    """Prepare a batch before any map is measured.

    Args:
        classify: runs once for each baseline.
        inputs: normalised, ``[B,3,S,S]``.
        logits: of the same original images, ``[B,K]``.
        ids: of the images ``[B]``; an image's noise depends on its id and on ``seed``.
        seed: of the noise.
    """
    pairs = np.stack(margin_classes(logits), axis=1)
    both = torch.from_numpy(pairs).to(inputs.device)
    noise = [
        generator(seed, "faithfulness", "road", name).normal(0, NOISE, inputs.shape[1:])
        for name in ids
    ]
    empty = baselines(inputs)
    return Subject(
        inputs=inputs,
        pairs=both,
        margin=margins(logits),
        baselines=empty,
        emptied={name: _margins(classify(empty[name]), both) for name in BASELINES},
        noise=torch.from_numpy(np.array(noise, np.float32)).to(inputs.device),
    )


def measure(
    classify: Classify, subject: Subject, maps: Sequence[np.ndarray], ties: np.ndarray
) -> Measured:
    """Measure each of the maps on each image.

    Args:
        classify: runs 39 times for each map.
        subject: the B images.
        maps: M times ``[B,h,w]``.
        ties: ``[B,h,w]``, decide between pixels of equal relevance.
    """
    size = subject.inputs.shape[-1]
    curves, road, kept = [], [], []
    for own in maps:
        ranks = pixel_ranks(own, ties, size).to(subject.inputs.device)
        curves.append(margin_curves(classify, subject, ranks))
        road.append(road_gains(classify, subject, ranks))
        kept.append(kept_probabilities(classify, subject, own))
    return Measured(np.stack(curves), np.stack(road), np.stack(kept))


def margin_curves(classify: Classify, subject: Subject, ranks: Tensor) -> np.ndarray:
    """Return the margins ``[baseline, kind, fraction, B]`` as pixels are deleted or inserted.

    The ends need no pass: they are the original image and the baseline alone.

    Args:
        classify: runs 28 times.
        subject: the B images.
        ranks: of the pixels ``[B,1,S,S]``, 0 the most relevant.
    """
    size = ranks.shape[-1]
    found = []
    for name in BASELINES:
        empty = subject.baselines[name]
        deleted, inserted = [subject.margin], [subject.emptied[name]]
        for fraction in FRACTIONS[1:-1]:
            first = ranks < count_of(fraction, size)
            for curve, shown in ((deleted, ~first), (inserted, first)):
                mixed = torch.where(shown, subject.inputs, empty)
                curve.append(_margins(classify(mixed), subject.pairs))
        found.append(np.stack([[*deleted, subject.emptied[name]], [*inserted, subject.margin]]))
    return np.stack(found)


def road_gains(classify: Classify, subject: Subject, ranks: Tensor) -> np.ndarray:
    """Return, ``[B]``, half the mean margin of the least relevant removed minus the most relevant.

    Args:
        classify: runs twice for each of `ROAD_FRACTIONS`.
        subject: the B images.
        ranks: of the pixels ``[B,1,S,S]``, 0 the most relevant.
    """
    size = ranks.shape[-1]
    gains = []
    for fraction in ROAD_FRACTIONS:
        count = count_of(fraction, size)
        most, least = (
            _margins(classify(impute(subject.inputs, removed, subject.noise)), subject.pairs)
            for removed in (ranks < count, ranks >= size * size - count)
        )
        gains.append((least - most) / 2)
    return np.asarray(np.mean(gains, axis=0))


def kept_probabilities(classify: Classify, subject: Subject, maps: np.ndarray) -> np.ndarray:
    """Return the predicted class's probability ``[B]`` of the normalised input times the map."""
    share = kept_shares(maps, subject.inputs.shape[-1]).to(subject.inputs.device)
    logits = classify(subject.inputs * share).double()
    return logits.softmax(dim=1).gather(1, subject.pairs[:, :1])[:, 0].cpu().numpy()


def _margins(logits: Tensor, pairs: Tensor) -> np.ndarray:
    predicted, rival = logits.gather(1, pairs).unbind(dim=1)
    return (predicted - rival).cpu().numpy()
