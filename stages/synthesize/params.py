"""The parameters of ``synthesize``."""

from typing import Literal

from pydantic import Field

from twincam.files.params import Block

Shortcut = Literal["none", "global", "local"]


class Synthesize(Block):
    """Block ``synthesize``: how many pairs to render, their size, and which shortcut to plant."""

    seed: int = Field(ge=0)
    pairs: int = Field(ge=2, le=100_000)
    image_size: int = Field(ge=64, le=1024)
    shortcut: Shortcut


class Params(Block):
    """What ``synthesize`` reads of ``params.yaml``."""

    synthesize: Synthesize
