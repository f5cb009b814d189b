"""The parameters of ``deliver``."""

from stages.common.params import Block
from stages.common.settings import Prepare, Run


class Params(Block):
    """What ``deliver`` reads of ``params.yaml``."""

    run: Run
    prepare: Prepare
