"""Where prototypes start, by k-means, and where they end: on patches of training images."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.ndimage import minimum_filter
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from twincam.determinism import derived_seed, generator
from twincam.files.errors import UserError

MAX_PATCHES = 25_000
MAX_IMAGES = 1000


def require_images(labels: np.ndarray, classes: Sequence[str], per_class: int) -> None:
    """Check that every prototype of a class can have a training image of its own.

    Args:
        labels: class indices of the training images, ``[N]``.
        classes: their names.
        per_class: prototypes asked for in each class.

    Raises:
        UserError: a class has fewer images.
    """
    counts = np.bincount(labels, minlength=len(classes))
    least = int(counts.argmin())
    if counts[least] < per_class:
        raise UserError(
            f"protopnet.prototypes_per_class is {per_class}, but {classes[least]} has only "
            f"{counts[least]} training images and each prototype needs one of its own; "
            f"ask for at most {counts[least]}"
        )


def whitening(patches: np.ndarray, channels: int) -> tuple[np.ndarray, np.ndarray]:
    """Return weight ``[D,C]`` and bias ``[D]`` that centre patches ``[M,C]`` and level variances.

    Keeps the ``channels`` directions of most variance (all, if there are fewer); a tenth of their
    mean variance is added to each, so that the weakest are not blown up.
    """
    mean = patches.mean(axis=0)
    values, vectors = np.linalg.eigh(np.cov(patches - mean, rowvar=False))
    values, vectors = values[::-1][:channels], vectors[:, ::-1][:, :channels]
    signs = np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(vectors.shape[1])])
    weight = (vectors * signs / np.sqrt(np.maximum(values, 0) + 0.1 * values.mean())).T
    return weight.astype(np.float32), (-weight @ mean).astype(np.float32)


def sample_images(labels: np.ndarray, seed: int) -> np.ndarray:
    """Return positions among ``labels`` ``[N]``, sorted: of each class alike, at most `MAX_IMAGES`.

    Enough to start from; the maps of a large training split would not fit into memory.
    """
    each = MAX_IMAGES // len(np.unique(labels))
    order = generator(seed, "images").permutation(len(labels))
    turn = pd.Series(labels[order]).groupby(labels[order]).cumcount().to_numpy()
    return np.sort(order[turn < each])


def sample_patches(maps: np.ndarray, seed: int, *names: object) -> np.ndarray:
    """Return the cells of maps ``[N,h,w,C]`` as ``[M,C]``, at most `MAX_PATCHES` drawn by seed."""
    patches = maps.reshape(-1, maps.shape[-1])
    if len(patches) <= MAX_PATCHES:
        return np.asarray(patches)
    rng = generator(seed, "patches", *names)
    return np.asarray(patches[np.sort(rng.choice(len(patches), MAX_PATCHES, replace=False))])


def distinctive(own: np.ndarray, others: np.ndarray, least: int, share: float = 0.01) -> np.ndarray:
    """Return the ``share`` of patches ``own`` ``[N,h,w,D]`` that are least like any of ``others``.

    At least ``least`` of them, which is how many centres they are for, and none that touches one
    less like the others: around a single striking place all patches are striking, and would crowd
    out the second.

    Where classes share most of what they show (a background, say), centres of all patches would
    describe just that. Patches are unit vectors; ``others`` are ``[M,D]``; likeness is the cosine.
    """
    flat = own.reshape(-1, own.shape[-1])
    nearest = np.concatenate(
        [(flat[start : start + 512] @ others.T).max(axis=1) for start in range(0, len(flat), 512)]
    )
    around = minimum_filter(nearest.reshape(own.shape[:3]), size=(1, 3, 3), mode="nearest")
    ranked = np.lexsort((nearest, nearest > around.ravel()))
    kept = max(least, int(share * len(flat)) + 1)
    return np.asarray(flat[np.sort(ranked[:kept])])


def cluster_centres(patches: np.ndarray, count: int, seed: int, *names: object) -> np.ndarray:
    """Return ``count`` k-means centres ``[count,D]`` of unit patches ``[M,D]``.

    One thread: the order in which threads add up would show in the last bits.
    """
    state = derived_seed(seed, "k-means", *names) % 2**32
    with threadpool_limits(1):
        return np.asarray(KMeans(count, n_init=2, random_state=state).fit(patches).cluster_centers_)


def assign_images(best: np.ndarray, owner: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return for each prototype the training image ``[P]`` that it is projected onto.

    Within its own class and each onto another image, with the largest possible sum of similarities
    (an assignment problem).

    Args:
        best: best similarities of images and prototypes, ``[N,P]``.
        owner: the class of each prototype, ``[P]``.
        labels: of the images, ``[N]``.
    """
    images = np.empty(len(owner), int)
    for name in np.unique(owner):
        own, candidates = np.flatnonzero(owner == name), np.flatnonzero(labels == name)
        rows, columns = linear_sum_assignment(-best[np.ix_(candidates, own)])
        images[own[columns]] = candidates[rows]
    return images
