"""The parameters of ``protopnet``."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from twincam.determinism import Run
from twincam.files.params import Block
from twincam.models.params import Model, require_block
from twincam.training.params import AugmentedViews

Weight = Annotated[float, Field(ge=0, le=1000)]
Rate = Annotated[float, Field(gt=0, le=10)]


class ProtoPNet(AugmentedViews):
    """Block ``protopnet``: how prototypes are trained."""

    prototypes_per_class: Annotated[int, Field(ge=1, le=1000)]
    after_block: Annotated[int, Field(ge=0)] | None
    channels: Annotated[int, Field(ge=2, le=4096)]
    warmup_epochs: Annotated[int, Field(ge=0, le=10_000)]
    joint_epochs: Annotated[int, Field(ge=0, le=10_000)]
    tied_epochs: Annotated[int, Field(ge=0, le=10_000)]
    batch_size: Annotated[int, Field(ge=2, le=4096)]
    learning_rate: Rate
    joint_learning_rate: Rate
    cluster: Weight
    anchor: Weight
    separation: Weight
    diversity: Weight
    overlap: Weight
    max_cosine: Annotated[float, Field(ge=-1, le=1)]


class Params(Block):
    """The parameters that ``protopnet`` reads from ``params.yaml``."""

    seed: int
    run: Run
    model: Model
    protopnet: ProtoPNet

    @model_validator(mode="after")
    def _follows_a_block(self) -> Self:
        if self.protopnet.after_block is not None:
            require_block(self.model, "protopnet.after_block", self.protopnet.after_block)
        return self
