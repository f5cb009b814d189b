"""The parameters of ``train``."""

from stages.common.fitting import Training
from stages.common.params import Block
from stages.common.setup import Model


class Params(Block):
    """What ``train`` reads of ``params.yaml``."""

    seed: int
    model: Model
    train: Training
