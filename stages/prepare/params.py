"""The parameters of this stage."""

from twincam.files.params import Block
from twincam.images.params import Prepare


class Params(Block):
    """The blocks this stage uses."""

    prepare: Prepare
