"""Block ``prepare``: how images are harmonised."""

from pydantic import Field

from twincam.files.params import Block


class Prepare(Block):
    """Block ``prepare``: the square that every image is turned into."""

    image_size: int = Field(ge=32, le=1024)
    harmonise: bool
    jpeg_quality: int = Field(ge=1, le=100)
