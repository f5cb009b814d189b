"""The parameters of ``prototypes``."""

from typing import Annotated, Literal

from pydantic import Field

from twincam.determinism import Run
from twincam.files.params import Block

Weight = Annotated[float, Field(ge=0, le=1000)]


class Removal(Block):
    """A prototype that a person removes, by its number in ``reports/prototypes.csv``, and why."""

    id: Annotated[int, Field(ge=0)]
    reason: Annotated[str, Field(min_length=1)]


class Prototypes(Block):
    """Block ``prototypes``: the last layer of a trained prototype network, and the panels."""

    l1: Weight
    ridge: Weight
    on_collapse: Literal["fail", "warn"]
    decisions: Annotated[int, Field(ge=0, le=10_000)]
    remove: list[Removal]


class Params(Block):
    """The parameters that ``prototypes`` reads from ``params.yaml``."""

    seed: int
    run: Run
    real_class: str | None
    prototypes: Prototypes
