"""A small training set, its table and settings, and a network before training."""

import numpy as np
import pandas as pd
import torch

from twincam.determinism import make_torch_deterministic
from twincam.models.architectures import HALF
from twincam.models.network import Network, create
from twincam.models.params import Model
from twincam.training.params import Training

IMAGES = np.random.default_rng(0).integers(0, 256, (12, 64, 64, 3), dtype=np.uint8)
LABELS = torch.tensor([0, 1] * 6)
SPLIT = pd.DataFrame({"label": ["a", "b"] * 6, "group": range(12), "source": ""})
MODEL = Model(
    arch="resnet18",
    weights="none",
    weights_file="",
    normalisation="half",
    last_block=None,
    levels=1,
)
SETTINGS = Training(
    method="fine_tune",
    unfreeze_from=3,
    views=3,
    augmentations=["flip", "crop", "compress", "blur"],
    epochs=3,
    batch_size=5,
    optimizer="adamw",
    learning_rate=1e-3,
    weight_decay=0.01,
    schedule="cosine",
    label_smoothing=0.1,
    activation_cache_gb=1.0,
    workers=1,
)


def network() -> Network:
    """Return a network with random weights, the same at each call."""
    make_torch_deterministic(0, "test", threads=1)
    return create("resnet18", ("a", "b"), HALF)
