"""The parameters of this stage."""

from twincam.confidence.params import Evaluate
from twincam.files.params import Block


class Params(Block):
    """What this stage reads from ``params.yaml``."""

    seed: int
    real_class: str | None
    evaluate: Evaluate
