"""The parameters of this stage."""

from typing import Annotated

from pydantic import Field

from twincam.files.params import Block
from twincam.images.params import Prepare


class Audit(Block):
    """Block ``audit``."""

    permutations: Annotated[int, Field(ge=20, le=10_000)]
    max_shortcut_accuracy: Annotated[float, Field(gt=0, le=1)] | None


class Params(Block):
    """The blocks this stage uses."""

    seed: int
    prepare: Prepare
    audit: Audit
