"""The parameter blocks that several rooms share; importing them loads no torch."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from stages.common.params import Block

Shortcut = Literal["none", "global", "local"]


class Synthesize(Block):
    """Block ``synthesize``: how many pairs to render, how large, which give-away to plant."""

    seed: int = Field(ge=0)
    pairs: int = Field(ge=2, le=100_000)
    image_size: int = Field(ge=64, le=1024)
    shortcut: Shortcut


class Prepare(Block):
    """Block ``prepare``: the square that every image becomes."""

    image_size: int = Field(ge=32, le=1024)
    harmonise: bool
    jpeg_quality: int = Field(ge=1, le=100)


class Run(Block):
    """Block ``run``: by how many threads a stage computes; another number may round differently."""

    threads: Annotated[int, Field(ge=1, le=1024)]


BLOCKS = {"efficientnet_lite0": 8, "resnet18": 5}
"""How many blocks `stages.common.backbones` cuts each architecture into."""


class Model(Block):
    """Block ``model``: which network, and where its first weights come from."""

    arch: Literal["efficientnet_lite0", "resnet18"]
    weights: Literal["imagenet", "file", "none"]
    weights_file: str
    normalisation: Literal["native", "half"]


class Views(Block):
    """How training images are varied, and how much of the frozen blocks' output is kept."""

    views: Annotated[int, Field(ge=1, le=64)]
    variations: list[
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
    activations_max_gb: Annotated[float, Field(ge=0)]


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
