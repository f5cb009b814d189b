"""The parameters of this stage."""

from stages.common.params import Block


class Params(Block):
    """What this stage reads of ``params.yaml``."""

    seed: int
