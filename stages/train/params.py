"""The parameters of ``train``."""

from twincam.images.params import Prepare
from twincam.training.params import Trained


class Params(Trained):
    """What ``train`` reads of ``params.yaml``."""

    prepare: Prepare
