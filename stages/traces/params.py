"""The parameters of this stage."""

from typing import Annotated

from pydantic import Field

from stages.common.params import Block
from stages.common.settings import Run


class Traces(Block):
    """Block ``traces``: the rate of false alarms, and further photographs that bear on it."""

    false_alarms: Annotated[float, Field(ge=0, le=0.5)]
    photographs: str


class Params(Block):
    """What this stage reads of ``params.yaml``."""

    seed: int
    run: Run
    authentic: str | None
    traces: Traces
