"""A run of twelve images, explained by a network with random weights."""

import numpy as np
import pandas as pd
import torch

from stages.explain.run import Run, described
from tests.fitted import IMAGES, network
from twincam.models.forward import embed, logits_of
from twincam.models.network import with_head

EVALUATED, TRAIN = np.arange(8, 12), np.arange(8)


def tiny_run(levels: int = 1) -> Run:
    """Return a run whose evaluated images are the last four."""
    made = with_head(network(), None, levels)
    made.module.eval()
    everyone = np.arange(12)
    with torch.no_grad():  # so that both classes are predicted
        made.head.bias.sub_(torch.from_numpy(logits_of(made, IMAGES).mean(axis=0)))
    embedded = embed(made, IMAGES, everyone, maps=False)
    split = pd.DataFrame(
        {
            "id": [f"{row:02d}" for row in range(12)],
            "path": [f"{row:02d}.png" for row in range(12)],
            "label": np.array(made.classes)[[0, 1] * 6],
            "split": ["train"] * 8 + ["val"] * 4,
            "group": [f"g{row // 2}" for row in range(12)],
            "family": ["", "ear"] * 6,
        }
    )
    nothing = np.zeros((len(EVALUATED), *IMAGES.shape[1:3]), np.uint8)
    return Run(
        network=made,
        table=described(split, embedded.logits),
        attributes=pd.DataFrame({"coat": ["grey"] * 6 + [""] * 6, "family": split["family"]}),
        images=IMAGES,
        evaluated=EVALUATED,
        train=TRAIN,
        embedded=embedded,
        maps=embed(made, IMAGES, TRAIN, maps=True).maps,
        clip=np.zeros((12, 0), np.float32),
        masks=nothing,
        marks=nothing.copy(),
    )
