"""The parameters of ``holdout``."""

from typing import Literal

from pydantic import Field

from stages.common.params import Block
from stages.common.settings import Trained


class Holdout(Block):
    """Block ``holdout``: what is left out of training in turn."""

    by: Literal["source", "family"]
    at_most: int = Field(ge=0, le=1000)


class Params(Trained):
    """What ``holdout`` reads of ``params.yaml``."""

    holdout: Holdout
