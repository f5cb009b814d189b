"""The parameters of the stage."""

from typing import Literal

from pydantic import Field

from stages.common.params import Block

Shortcut = Literal["none", "global", "local"]


class Synthesize(Block):
    """How many pairs to render, how large, and which give-away to plant."""

    seed: int = Field(ge=0)
    pairs: int = Field(ge=2, le=100_000)
    image_size: int = Field(ge=64, le=1024)
    shortcut: Shortcut


class Params(Block):
    """What this stage reads from ``params.yaml``."""

    synthesize: Synthesize
