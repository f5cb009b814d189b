"""The parameters of ``leave_one_source_out``."""

from typing import Literal

from pydantic import Field

from twincam.confidence.params import Evaluate
from twincam.files.params import Block
from twincam.images.params import Prepare
from twincam.training.params import ClassifierParams


class LeaveOneSourceOut(Block):
    """Block ``leave_one_source_out``: what is excluded from training, one at a time."""

    by: Literal["source", "family"]
    max_sources: int = Field(ge=0, le=1000)


class Params(ClassifierParams):
    """What ``leave_one_source_out`` reads from ``params.yaml``."""

    real_class: str | None
    prepare: Prepare
    evaluate: Evaluate
    leave_one_source_out: LeaveOneSourceOut
