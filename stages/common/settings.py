"""The parameter blocks that several rooms share; importing them loads no torch."""

from typing import Annotated, Literal

from pydantic import Field

from stages.common.params import Block


class Run(Block):
    """Block ``run``: by how many threads a stage computes; another number may round differently."""

    threads: Annotated[int, Field(ge=1, le=1024)]


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
