"""The parameters of ``train``."""

from stages.common.settings import Trained


class Params(Trained):
    """What ``train`` reads of ``params.yaml``."""
