"""The parameters of ``embed``."""

from stages.common.params import Block
from stages.common.settings import Run


class Params(Block):
    """What ``embed`` reads of ``params.yaml``."""

    run: Run
