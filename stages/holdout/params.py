"""The parameters of ``holdout``."""

from typing import Literal

from pydantic import Field

from stages.common.fitting import Training
from stages.common.params import Block
from stages.common.setup import Model


class Holdout(Block):
    """Block ``holdout``: what is left out of training in turn."""

    by: Literal["source", "family"]
    at_most: int = Field(ge=0, le=1000)


class Params(Block):
    """What ``holdout`` reads of ``params.yaml``."""

    seed: int
    model: Model
    train: Training
    holdout: Holdout
