"""Block ``train`` and the other settings of training; importing them loads no torch."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from twincam.determinism import Run
from twincam.files.params import Block, one_of
from twincam.models.architectures import level_blocks
from twincam.models.params import Model, require_block
from twincam.training.augmentations import AUGMENTATIONS


class AugmentedViews(Block):
    """How training images are augmented, and how much of the frozen blocks' output is kept."""

    views: Annotated[int, Field(ge=1, le=64)]
    augmentations: list[Annotated[str, one_of(AUGMENTATIONS)]]
    activation_cache_gb: Annotated[float, Field(ge=0)]


class Training(AugmentedViews):
    """Block ``train``: how a classifier is fitted.

    A linear probe uses the views only.
    """

    method: Literal["fine_tune", "linear_probe"]
    unfreeze_from: Annotated[int, Field(ge=0)]
    epochs: Annotated[int, Field(ge=1, le=10_000)]
    batch_size: Annotated[int, Field(ge=2, le=4096)]
    optimizer: Literal["adamw", "adam", "sgd"]
    learning_rate: Annotated[float, Field(gt=0, le=10)]
    weight_decay: Annotated[float, Field(ge=0, le=10)]
    schedule: Literal["cosine", "constant"]
    label_smoothing: Annotated[float, Field(ge=0, lt=1)]
    workers: Annotated[int, Field(ge=1, le=1024)]


class ClassifierParams(Block):
    """The blocks read by a stage that trains classifiers."""

    seed: int
    run: Run
    model: Model
    train: Training

    @model_validator(mode="after")
    def _unfreezes_from_a_block(self) -> Self:
        require_block(
            self.model,
            "train.unfreeze_from",
            self.train.unfreeze_from,
            first="0 (train everything)",
            past_last="train the head alone",
        )
        return self

    @model_validator(mode="after")
    def _trains_what_the_head_reads(self) -> Self:
        model, cut = self.model, self.train.unfreeze_from
        first = level_blocks(model.arch, model.last_block, model.levels)[0]
        if self.train.method == "fine_tune" and cut > first + 1:
            raise ValueError(
                f"train.unfreeze_from is {cut}; allowed: 0 to {first + 1}, as the head reads block "
                f"{first} (model.levels={model.levels})"
            )
        return self

    @model_validator(mode="after")
    def _divides_fine_tuning_on_ray(self) -> Self:
        workers = self.train.workers
        if workers > 1 and (self.run.engine != "ray" or self.train.method != "fine_tune"):
            raise ValueError(
                f"train.workers is {workers}; allowed: 1, or more with run.engine=ray and "
                "train.method=fine_tune"
            )
        return self
