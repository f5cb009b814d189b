"""The parameters of ``explain``."""

from typing import Annotated, Literal

from pydantic import Field

from stages.common.params import Block


class Explain(Block):
    """Block ``explain``."""

    space: Literal["features_cosine", "features_euclidean", "contributions"]
    twins: Annotated[int, Field(ge=1, le=20)]
    correct_panels: Annotated[int, Field(ge=0, le=10_000)]


class Params(Block):
    """What ``explain`` reads of ``params.yaml``."""

    seed: int
    explain: Explain
