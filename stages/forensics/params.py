"""The parameters of this stage."""

from typing import Annotated

from pydantic import Field

from twincam.determinism import Run
from twincam.files.params import Block, ShellPath


class Forensics(Block):
    """Block ``forensics``: the false positive rate, and photographs to set the threshold."""

    target_fpr: Annotated[float, Field(ge=0, le=0.5)]
    photographs: ShellPath


class Params(Block):
    """What this stage reads from ``params.yaml``."""

    seed: int
    run: Run
    real_class: str | None
    forensics: Forensics
