"""Block ``model``; importing it loads no torch."""

from typing import Literal

from twincam.files.params import Block

BLOCKS = {"efficientnet_lite0": 8, "resnet18": 5}
"""How many blocks `twincam.models.network` cuts each architecture into."""


class Model(Block):
    """Block ``model``: which network, and where its first weights come from."""

    arch: Literal["efficientnet_lite0", "resnet18"]
    weights: Literal["imagenet", "file", "none"]
    weights_file: str
    normalisation: Literal["native", "half"]
