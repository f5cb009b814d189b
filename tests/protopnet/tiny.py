"""A tiny set whose classes a patch tells apart, settings and a network for it."""

import numpy as np

from stages.common.backbones import HALF, Network, create
from stages.common.determinism import make_torch_deterministic
from stages.protopnet.params import ProtoPNet

SETTINGS = ProtoPNet(
    prototypes_per_class=3,
    after_block=2,
    channels=16,
    views=1,
    variations=[],
    activations_max_gb=1.0,
    warmup_epochs=3,
    joint_epochs=1,
    tied_epochs=2,
    batch_size=8,
    learning_rate=3e-3,
    joint_learning_rate=1e-4,
    cluster=0.8,
    anchor=1.0,
    separation=0.08,
    diversity=1.0,
    max_cosine=0.6,
    l1=0.0,
    ridge=0.1,
    guards="fail",
)
LABELS = np.array([0, 1] * 8)


def images() -> np.ndarray:
    """Class 0 carries a chequered patch, class 1 a striped one, anywhere."""
    rng = np.random.default_rng(0)
    pictures = rng.integers(90, 160, (16, 64, 64, 3), dtype=np.uint8)
    yy, xx = np.mgrid[:24, :24]
    patches = [((yy // 4 + xx // 4) % 2 * 255), (yy // 4 % 2 * 255)]
    for picture, label in zip(pictures, LABELS, strict=True):
        y, x = rng.integers(0, 40, 2)
        picture[y : y + 24, x : x + 24] = patches[label][..., None]
    return pictures


def network() -> Network:
    make_torch_deterministic(0, "test")
    made = create("resnet18", ("a", "b"), HALF)
    made.module.eval()
    return made
