"""The parameters of the stage."""

from stages.common.params import Block
from stages.common.settings import Synthesize


class Params(Block):
    """What this stage reads from ``params.yaml``."""

    synthesize: Synthesize
