"""The parameters of ``explain``."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from twincam.determinism import Run
from twincam.explanations.heatmaps import METHODS
from twincam.explanations.twins.spaces import SPACES
from twincam.files.params import Block, ShellPath, one_of
from twincam.models.params import Model, require_block


class Explain(Block):
    """Block ``explain``."""

    methods: Annotated[list[Annotated[str, one_of(METHODS)]], Field(min_length=1)]
    layer: Annotated[int, Field(ge=0)] | None
    space: Annotated[str, one_of(["auto", *SPACES])]
    clip: str
    clip_folder: ShellPath
    exact_neighbours_up_to: Annotated[int, Field(ge=1)]
    twins: Annotated[int, Field(ge=1, le=20)]
    influence_refits: Annotated[int, Field(ge=0, le=1000)]


class Params(Block):
    """The parameters that ``explain`` reads from ``params.yaml``."""

    seed: int
    run: Run
    model: Model
    explain: Explain

    @model_validator(mode="after")
    def _explains_a_block(self) -> Self:
        if self.explain.layer is not None:
            require_block(self.model, "explain.layer", self.explain.layer, first="null or 0")
        return self
