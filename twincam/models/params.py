"""Block ``model``; importing it loads no torch."""

from typing import Annotated, Literal

from twincam.files.params import Block, one_of
from twincam.models.architectures import ARCHITECTURES


class Model(Block):
    """Block ``model``: the architecture, and where its initial weights come from."""

    arch: Annotated[str, one_of(ARCHITECTURES)]
    weights: Literal["imagenet", "file", "none"]
    weights_file: str
    normalisation: Literal["native", "half"]


def require_block(
    model: Model, key: str, number: int, *, first: str = "0", past_last: str = ""
) -> None:
    """Check that the network of ``model`` has the block ``number``, from 0.

    Args:
        model: names the architecture.
        key: the parameter that holds ``number``.
        number: of a block.
        first: the smallest allowed value, as worded in the message.
        past_last: the meaning of the number after the last block's, if it is allowed.

    Raises:
        ValueError: it has no such block.
    """
    last = ARCHITECTURES[model.arch].BLOCK_COUNT - (0 if past_last else 1)
    if not 0 <= number <= last:
        meaning = f" ({past_last})" if past_last else ""
        raise ValueError(
            f"{key} is {number}; allowed: {first} to {last}{meaning} for model.arch={model.arch}"
        )
