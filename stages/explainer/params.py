"""The parameters of ``explainer``."""

from twincam.determinism import Run
from twincam.files.params import Block


class Params(Block):
    """What ``explainer`` reads of ``params.yaml``."""

    run: Run
    real_class: str | None
