"""The parameters of ``train``."""

from twincam.images.params import Prepare
from twincam.training.params import ClassifierParams


class Params(ClassifierParams):
    """What ``train`` reads from ``params.yaml``."""

    prepare: Prepare
