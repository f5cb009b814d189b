"""The parameters of ``split``."""

import re
from typing import Any, Self

from pydantic import Field, field_validator, model_validator

from stages.split.layout import Layout
from twincam.determinism import Run
from twincam.files.params import Block, ShellPath


class Data(Block):
    """Block ``data``: where the images are and which of them are acceptable."""

    root: ShellPath
    layout: Layout
    info: ShellPath
    external: ShellPath
    max_pixels: int = Field(ge=1)
    max_bad_fraction: float = Field(ge=0, le=1)
    source_pattern: re.Pattern[str] | None

    @field_validator("source_pattern", mode="before")
    @classmethod
    def _compiles(cls, value: object) -> object:
        try:
            return re.compile(value) if isinstance(value, str) else value
        except (re.error, OverflowError, RecursionError):
            raise ValueError("a valid regular expression") from None


class Split(Block):
    """Block ``split``: how images are divided; ignored if the root has its own train/ and val/."""

    seed: int = Field(ge=0)
    val_fraction: float = Field(gt=0, lt=1)
    test_fraction: float = Field(ge=0, lt=1)
    near_duplicate_distance: int = Field(ge=-1, le=32)

    @model_validator(mode="after")
    def _leaves_training_images(self) -> Self:
        if self.val_fraction + self.test_fraction >= 1:
            raise ValueError("val_fraction + test_fraction below 1, the rest is for training")
        return self


class Params(Block):
    """What ``split`` reads of ``params.yaml``."""

    run: Run
    synthesize: dict[str, Any]
    data: Data
    split: Split
