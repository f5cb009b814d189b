"""The parameters of this stage."""

from typing import Annotated

from pydantic import Field

from twincam.determinism import Run
from twincam.files.params import Block


class Forensics(Block):
    """Block ``forensics``: the rate of false alarms, and further photographs that bear on it."""

    target_fpr: Annotated[float, Field(ge=0, le=0.5)]
    photographs: str


class Params(Block):
    """What this stage reads of ``params.yaml``."""

    seed: int
    run: Run
    real_class: str | None
    forensics: Forensics
