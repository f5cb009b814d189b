"""The parameters of ``explain``."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from twincam.determinism import Run
from twincam.explanations.heatmaps import METHODS
from twincam.explanations.twins.spaces import SPACES
from twincam.files.params import Block, one_of
from twincam.models.params import BLOCKS, Model


class Explain(Block):
    """Block ``explain``."""

    methods: Annotated[list[Annotated[str, one_of(METHODS)]], Field(min_length=1)]
    layer: Annotated[int, Field(ge=0)] | None
    space: Annotated[str, one_of(["auto", *SPACES])]
    clip: str
    clip_folder: str
    twins: Annotated[int, Field(ge=1, le=20)]
    influence_refits: Annotated[int, Field(ge=0, le=1000)]


class Params(Block):
    """What ``explain`` reads of ``params.yaml``."""

    seed: int
    run: Run
    model: Model
    explain: Explain

    @model_validator(mode="after")
    def _explains_a_block(self) -> Self:
        layer, last = self.explain.layer, BLOCKS[self.model.arch] - 1
        if layer is not None and layer > last:
            raise ValueError(
                f"explain.layer is {layer}; allowed: null (the last block) or 0 to {last} for "
                f"model.arch={self.model.arch}"
            )
        return self
