"""Is what the prototypes say worth reading? Each figure of the network beside its controls."""

from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

from stages.protopnet.deletion import deletion_figures
from stages.protopnet.interpretability import (
    distinctiveness,
    kept_figures,
    sparsity,
    top_prototypes,
)
from stages.protopnet.masks import family_prototypes, heat_figures
from stages.protopnet.parts import part_figures
from stages.protopnet.scene import Scene
from stages.protopnet.training import (
    Fitted,
    Strongest,
    best_similarities,
    logits,
    similarity_maps,
    strongest,
)
from twincam.corruptions import jpeg, noise
from twincam.determinism import generator
from twincam.models.network import Network

MOST = 200
"""Evaluated images that are looked at, drawn by seed where there are more."""

DEVIATION = 12
"""Grey levels of the Gaussian noise that stability is tried with."""

QUALITY = 50
"""Of the JPEG that a decision is tried with."""


def quality_figures(
    scene: Scene, fitted: Fitted, network: Network, stride: int, seed: int
) -> dict[str, Any]:
    """Return the figures of `interpretability`, `parts`, `masks` and `deletion`, group by group.

    Of prototypes that give points, on the evaluated images; ``families`` on the training images.
    A group that the data cannot answer says so under ``skipped``.

    Args:
        scene: the images.
        fitted: the prototype network.
        network: whose blocks it stands on.
        stride: of a cell in pixels.
        seed: of noise, draws and bootstraps.
    """
    net, images = fitted.net, scene.images
    some = np.sort(generator(seed, "quality").permutation(len(scene.watched))[:MOST])
    rows, seen = scene.watched[some], Strongest(*(part[some] for part in fitted.seen))
    predicted = fitted.refitted[some].argmax(axis=1)
    owner, points = net.owner.cpu().numpy(), net.points.cpu().numpy()
    live = np.flatnonzero(points > 0)
    top = top_prototypes(seen.similarity, points, owner, predicted)
    each, labels = np.arange(len(rows)), scene.labels[rows]
    parts, masks = (scene.maps(name, rows) for name in ("parts", "masks"))

    def again(change: Callable[[Image.Image, int], Image.Image]) -> Strongest:
        changed = [change(Image.fromarray(images[row]), int(row)) for row in rows]
        return strongest(net, network, np.stack([np.asarray(one) for one in changed]), each)

    def noised(image: Image.Image, row: int) -> Image.Image:
        return noise(image, DEVIATION, generator(seed, "quality noise", row))

    noisy = again(noised).cells[:, live]
    packed = again(lambda image, _row: jpeg(image, QUALITY))
    top_packed = top_prototypes(
        packed.similarity, points, owner, logits(net, packed.similarity).argmax(axis=1)
    )
    heat = _top_maps(fitted, network, images, rows, top)

    def judge(batch: np.ndarray) -> np.ndarray:
        return logits(net, best_similarities(net, network, batch, np.arange(len(batch))))

    groups = {
        "parts": part_figures(
            seen.similarity[:, live],
            seen.cells[:, live],
            noisy,
            parts,
            labels,
            owner[live],
            stride,
            seed,
        ),
        "on_cat": heat_figures(heat, parts > 0, stride, seed),
        "on_masks": heat_figures(heat, masks, stride, seed),
        "distinctiveness": distinctiveness(
            net.vectors.detach().cpu().numpy()[live],
            seen.cells[:, live],
            labels,
            owner[live],
            seed,
        ),
        "sparsity": sparsity(seen.similarity, points, owner, predicted, seed),
        "deletion": deletion_figures(
            judge, images, rows, seen.cells[each, top], parts > 0, stride, seed
        ),
        "jpeg": kept_figures("jpeg", top, top_packed, seen.cells, packed.cells, seed),
        "families": family_figures(scene, fitted, stride),
    }
    for name, (figure, reason) in _NEEDS.items():
        if figure not in groups[name]:
            groups[name]["skipped"] = reason
    return {"n": len(rows), "prototypes": len(live), **groups}


def family_figures(scene: Scene, fitted: Fitted, stride: int) -> dict[str, Any]:
    """Return `family_prototypes` of those that give points; arguments as of `quality_figures`."""
    live = np.flatnonzero(fitted.net.points.cpu().numpy() > 0)
    source = fitted.source[live]
    return family_prototypes(
        fitted.known.similarity[:, live],
        scene.split["family"].to_numpy()[scene.train],
        scene.train,
        source,
        scene.maps("masks", source[:, 0]),
        scene.maps("parts", source[:, 0]) > 0,
        stride,
    )


_NEEDS = {
    "parts": ("purity", "no parts are known of the evaluated images, or no prototype gives points"),
    "on_cat": ("on_mask", "the parts of fewer than two evaluated images are known"),
    "on_masks": ("on_mask", "fewer than two evaluated images have a mask"),
    "distinctiveness": ("cosine", "no class has two prototypes that give points"),
    "sparsity": ("carriers_share", "no prototype gives points"),
    "deletion": ("deletion", "fewer than two evaluated images"),
    "jpeg": ("jpeg_same", "fewer than two evaluated images"),
    "families": ("found", "no family is known of the training images"),
}
"""By group a figure that it has if it was measured, and why it may not."""


def _top_maps(
    fitted: Fitted, network: Network, images: np.ndarray, rows: np.ndarray, top: np.ndarray
) -> np.ndarray:
    """Return the cosines ``[N,h,w]`` of each image and its own top prototype ``[N]``."""
    chunks, start = [], 0
    for chunk in similarity_maps(fitted.net, network, images, rows):
        chunks.append(chunk[np.arange(len(chunk)), top[start : start + len(chunk)]])
        start += len(chunk)
    return np.concatenate(chunks)
