"""Initial prototypes: k-means centres of the patches that distinguish a class."""

import numpy as np
import torch
from scipy.ndimage import minimum_filter
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from stages.protopnet.examples import Examples
from stages.protopnet.params import ProtoPNet
from twincam.determinism import derived_seed, generator
from twincam.explanations.prototypes.matches import features_of
from twincam.explanations.prototypes.network import PrototypeNet
from twincam.models.forward import BATCH, batches
from twincam.models.network import Network
from twincam.statistics.sampling import turns

MAX_PATCHES = 25_000
MAX_IMAGES = 1000


def initial_net(
    network: Network, examples: Examples, settings: ProtoPNet, seed: int
) -> PrototypeNet:
    """Return the network before training, on the device of ``network``.

    Args:
        network: the fine-tuned classifier.
        examples: the images to train on.
        settings: block ``protopnet``.
        seed: of the choice of patches and of k-means.
    """
    net = PrototypeNet(
        network,
        settings.after_block,
        settings.channels,
        settings.prototypes_per_class,
        examples.images.shape[1],
    ).to(next(network.module.parameters()).device)
    place(net, examples, seed)
    return net


@torch.no_grad()
def place(net: PrototypeNet, examples: Examples, seed: int) -> None:
    """Initialise the add-on as a whitening, prototypes as centres of distinctive patches."""
    rows = examples.train[sample_images(examples.train_labels, seed)]
    labels = examples.labels[rows]
    maps = np.concatenate(
        [
            features_of(net, examples.images[rows[part]]).cpu().numpy()
            for part in batches(len(rows), BATCH)
        ]
    )
    maps = maps.transpose(0, 2, 3, 1)
    weight, bias = whitening(sample_patches(maps, seed, "all"), net.add_on.out_channels)
    net.add_on.weight.zero_()
    net.add_on.weight[: len(weight), :, 0, 0] = torch.from_numpy(weight).to(net.device)
    net.add_on.bias.zero_()  # type: ignore[union-attr]
    net.add_on.bias[: len(bias)] = torch.from_numpy(bias).to(net.device)  # type: ignore[index]
    patches = maps @ weight.T + bias
    unit = patches / np.maximum(np.linalg.norm(patches, axis=3, keepdims=True), 1e-12)
    samples = [sample_patches(unit[labels == k], seed, k) for k in range(len(net.bias))]
    for k in range(len(net.bias)):
        own = unit[labels == k]
        others = np.concatenate([patches for j, patches in enumerate(samples) if j != k])
        mine = net.owner == k
        count = int(mine.sum())
        centres = cluster_centres(distinctive(own, others, count), count, seed, k)
        net.vectors[mine] = 0
        net.vectors[mine, : centres.shape[1]] = torch.from_numpy(centres).float().to(net.device)


def whitening(patches: np.ndarray, channels: int) -> tuple[np.ndarray, np.ndarray]:
    """Return weight ``[D,C]`` and bias ``[D]`` that centre patches ``[M,C]`` and equalise
    variances.

    Keeps the ``channels`` directions of most variance (all, if there are fewer); a tenth of their
    mean variance is added to each, so that the weakest are not amplified too much.
    """
    mean = patches.mean(axis=0)
    values, vectors = np.linalg.eigh(np.cov(patches - mean, rowvar=False))
    values, vectors = values[::-1][:channels], vectors[:, ::-1][:, :channels]
    signs = np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(vectors.shape[1])])
    weight = (vectors * signs / np.sqrt(np.maximum(values, 0) + 0.1 * values.mean())).T
    return weight.astype(np.float32), (-weight @ mean).astype(np.float32)


def sample_images(labels: np.ndarray, seed: int) -> np.ndarray:
    """Return sorted positions among ``labels`` ``[N]``: balanced over classes, at most
    `MAX_IMAGES`.

    Enough for initialisation; the maps of a large training split would not fit into memory.
    """
    each = MAX_IMAGES // len(np.unique(labels))
    order = generator(seed, "images").permutation(len(labels))
    return np.sort(order[turns(labels, order) < each])


def sample_patches(maps: np.ndarray, seed: int, *names: object) -> np.ndarray:
    """Return the cells of maps ``[N,h,w,C]`` as ``[M,C]``, at most `MAX_PATCHES`, at random."""
    patches = maps.reshape(-1, maps.shape[-1])
    if len(patches) <= MAX_PATCHES:
        return np.asarray(patches)
    rng = generator(seed, "patches", *names)
    return np.asarray(patches[np.sort(rng.choice(len(patches), MAX_PATCHES, replace=False))])


def distinctive(own: np.ndarray, others: np.ndarray, least: int, share: float = 0.01) -> np.ndarray:
    """Return the ``share`` of patches ``own`` ``[N,h,w,D]`` that are least similar to ``others``.

    At least ``least`` of them, the number of centres they are for, and none that touches a more
    distinctive one: around a single striking place all patches are striking, and would crowd out
    the second. If classes share most of their content (a background, for example), centres of all
    patches would describe only that. Patches are unit vectors; ``others`` are ``[M,D]``; similarity
    is the cosine.
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

    One thread: the order in which threads sum would change the last bits.
    """
    state = derived_seed(seed, "k-means", *names) % 2**32
    with threadpool_limits(1):
        return np.asarray(KMeans(count, n_init=2, random_state=state).fit(patches).cluster_centers_)
