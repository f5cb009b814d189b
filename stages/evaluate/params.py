"""The parameters of this stage."""

from typing import Annotated

from pydantic import Field

from stages.common.params import Block


class Evaluate(Block):
    """Block ``evaluate``: the error rate of sets; ``external`` is what ``deliver`` reads."""

    alpha: Annotated[float, Field(gt=0, lt=1)]
    external: str


class Params(Block):
    """What this stage reads of ``params.yaml``."""

    seed: int
    authentic: str | None
    evaluate: Evaluate
