"""The parameters of this stage."""

from typing import Annotated

from pydantic import Field

from twincam.determinism import Run
from twincam.files.params import Block


class Faithfulness(Block):
    """Block ``faithfulness``: how many evaluated images are measured; 0: none."""

    images: Annotated[int, Field(ge=0)]


class Params(Block):
    """The blocks this stage uses."""

    seed: int
    run: Run
    faithfulness: Faithfulness
