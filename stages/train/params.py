"""The parameters of ``train``."""

from typing import Literal

from stages.common.fitting import Training
from stages.common.params import Block


class Model(Block):
    """Block ``model``: which network, and where its first weights come from."""

    arch: Literal["efficientnet_lite0", "resnet18"]
    weights: Literal["imagenet", "file", "none"]
    weights_file: str
    normalisation: Literal["native", "half"]


class Params(Block):
    """What ``train`` reads of ``params.yaml``."""

    seed: int
    model: Model
    train: Training
