"""What the parameters say of verdicts."""

from typing import Annotated

from pydantic import Field

from twincam.files.params import Block


class Evaluate(Block):
    """Block ``evaluate``: the error rate of prediction sets, and the share of unsure verdicts."""

    alpha: Annotated[float, Field(gt=0, lt=1)]
    max_abstention: Annotated[float, Field(gt=0, lt=1)]
