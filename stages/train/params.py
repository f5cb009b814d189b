"""The parameters of ``train``."""

from stages.common.setup import Trained


class Params(Trained):
    """What ``train`` reads of ``params.yaml``."""
