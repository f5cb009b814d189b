"""The parameters of ``crossval``."""

from pydantic import Field, field_validator

from twincam.files.params import Block
from twincam.images.params import Prepare
from twincam.training.params import ClassifierParams


class Crossval(Block):
    """Block ``crossval``: the number of folds and of repeats."""

    folds: int = Field(ge=0, le=100)
    repeats: int = Field(ge=1, le=100)

    @field_validator("folds")
    @classmethod
    def _divides(cls, folds: int) -> int:
        if folds == 1:
            raise ValueError("0 (no cross-validation) or 2 and more")
        return folds


class Params(ClassifierParams):
    """What ``crossval`` reads from ``params.yaml``."""

    prepare: Prepare
    crossval: Crossval
