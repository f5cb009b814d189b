"""The parameters of ``stability``."""

from twincam.determinism import Run
from twincam.files.params import Block
from twincam.images.params import Prepare


class Params(Block):
    """What ``stability`` reads from ``params.yaml``."""

    run: Run
    prepare: Prepare
