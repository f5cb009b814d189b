"""The parameters of ``train``."""

from stages.common.settings import Prepare, Trained


class Params(Trained):
    """What ``train`` reads of ``params.yaml``."""

    prepare: Prepare
