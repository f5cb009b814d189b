"""The parameters of ``train``."""

from typing import Any

from twincam.training.params import ClassifierParams


class Params(ClassifierParams):
    """What ``train`` reads from ``params.yaml``."""

    prepare: dict[str, Any]
