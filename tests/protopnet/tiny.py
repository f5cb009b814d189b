"""A tiny set whose classes a patch tells apart, and a prototype network fitted to it."""

from functools import cache

import numpy as np

from stages.protopnet.examples import Examples
from stages.protopnet.params import ProtoPNet
from stages.protopnet.training import Trained, fit_prototypes
from twincam.determinism import make_torch_deterministic
from twincam.models.architectures import HALF
from twincam.models.network import Network, create

SETTINGS = ProtoPNet(
    prototypes_per_class=3,
    after_block=2,
    channels=16,
    views=1,
    augmentations=[],
    activation_cache_gb=1.0,
    warmup_epochs=3,
    joint_epochs=1,
    tied_epochs=2,
    batch_size=8,
    learning_rate=3e-3,
    joint_learning_rate=1e-4,
    cluster=0.8,
    anchor=1.0,
    separation=0.08,
    overlap=0.1,
    diversity=1.0,
    max_cosine=0.6,
)
LABELS = np.array([0, 1] * 8)
ROWS = np.arange(16)


def pictures() -> tuple[np.ndarray, np.ndarray]:
    """Return images and masks of their patch: class 0 carries chequers, class 1 stripes."""
    rng = np.random.default_rng(0)
    images = rng.integers(90, 160, (16, 64, 64, 3), dtype=np.uint8)
    masks = np.zeros((16, 64, 64), np.uint8)
    yy, xx = np.mgrid[:24, :24]
    patches = [((yy // 4 + xx // 4) % 2 * 255), (yy // 4 % 2 * 255)]
    for image, mask, label in zip(images, masks, LABELS, strict=True):
        y, x = rng.integers(0, 40, 2)
        image[y : y + 24, x : x + 24] = patches[label][..., None]
        mask[y : y + 24, x : x + 24] = 255
    return images, masks


def network(classes: tuple[str, ...] = ("a", "b")) -> Network:
    """Return a network with random weights, the same at each call."""
    make_torch_deterministic(0, "test", threads=1)
    made = create("resnet18", classes, HALF)
    made.module.eval()
    return made


def examples(rows: np.ndarray = ROWS) -> Examples:
    """Return the set, ``rows`` of it to learn from, all of it evaluated."""
    return Examples(pictures()[0], LABELS, rows, ROWS)


@cache
def trained() -> Trained:
    """Return a prototype network fitted to the set; do not change it."""
    return fit_prototypes(network(), examples(), SETTINGS, 0)
