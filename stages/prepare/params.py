"""The parameters of this stage."""

from pydantic import Field

from stages.common.params import Block


class Prepare(Block):
    """The square that every image becomes."""

    image_size: int = Field(ge=32, le=1024)
    harmonise: bool
    jpeg_quality: int = Field(ge=1, le=100)


class Params(Block):
    """The blocks this stage uses."""

    prepare: Prepare
