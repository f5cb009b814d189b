"""The parameters of ``prepare``."""

from twincam.determinism import Run
from twincam.files.params import Block
from twincam.images.params import Prepare


class Params(Block):
    """What ``prepare`` reads of ``params.yaml``."""

    run: Run
    prepare: Prepare
