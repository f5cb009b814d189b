"""The parameters of ``panels``."""

from typing import Annotated

from pydantic import Field

from twincam.files.params import Block


class Panels(Block):
    """Block ``panels``: how many correct predictions are shown, besides the wrong ones."""

    correct: Annotated[int, Field(ge=0, le=10_000)]


class Params(Block):
    """The parameters that ``panels`` reads from ``params.yaml``."""

    seed: int
    panels: Panels
