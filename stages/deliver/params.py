"""The parameters of ``deliver``."""

from stages.common.params import Block
from stages.common.settings import Run


class Params(Block):
    """What ``deliver`` reads of ``params.yaml``."""

    run: Run
