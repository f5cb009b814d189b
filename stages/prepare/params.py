"""The parameters of this stage."""

from stages.common.params import Block
from stages.common.settings import Prepare


class Params(Block):
    """The blocks this stage uses."""

    prepare: Prepare
