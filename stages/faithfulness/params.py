"""The parameters of this stage."""

from typing import Annotated

from pydantic import Field

from stages.common.params import Block
from stages.common.settings import Run


class Faithfulness(Block):
    """Block ``faithfulness``: how many evaluated images are measured; 0: none."""

    images: Annotated[int, Field(ge=0)]


class Params(Block):
    """The blocks this stage uses."""

    seed: int
    run: Run
    faithfulness: Faithfulness
