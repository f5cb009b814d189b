"""Blocks ``train`` and what else trains a classifier; importing them loads no torch."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from twincam.determinism import Run
from twincam.files.params import Block
from twincam.models.params import BLOCKS, Model


class Views(Block):
    """How training images are varied, and how much of the frozen blocks' output is kept."""

    views: Annotated[int, Field(ge=1, le=64)]
    augmentations: list[
        Literal[
            "flip",
            "crop",
            "compress",
            "blur",
            "rescale",
            "noise",
            "brightness",
            "strong_crop",
            "strong_compress",
            "strong_blur",
        ]
    ]
    activation_cache_gb: Annotated[float, Field(ge=0)]


class Training(Views):
    """Block ``train``: how a classifier is fitted."""

    unfreeze_from: Annotated[int, Field(ge=0)]
    epochs: Annotated[int, Field(ge=1, le=10_000)]
    batch_size: Annotated[int, Field(ge=2, le=4096)]
    optimizer: Literal["adamw", "adam", "sgd"]
    learning_rate: Annotated[float, Field(gt=0, le=10)]
    weight_decay: Annotated[float, Field(ge=0, le=10)]
    schedule: Literal["cosine", "constant"]
    label_smoothing: Annotated[float, Field(ge=0, lt=1)]


class Trained(Block):
    """What a stage reads of ``params.yaml`` that trains classifiers."""

    seed: int
    run: Run
    model: Model
    train: Training

    @model_validator(mode="after")
    def _cuts_where_a_block_is(self) -> Self:
        last = BLOCKS[self.model.arch]
        if self.train.unfreeze_from > last:
            raise ValueError(
                f"train.unfreeze_from is {self.train.unfreeze_from}; allowed: 0 (train everything) "
                f"to {last} (train the head alone) for model.arch={self.model.arch}"
            )
        return self
