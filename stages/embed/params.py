"""The parameters of ``embed``."""

from twincam.determinism import Run
from twincam.files.params import Block


class Params(Block):
    """What ``embed`` reads of ``params.yaml``."""

    run: Run
