"""Block ``model``; importing it loads no torch."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from twincam.files.params import Block, ShellPath, one_of
from twincam.models.architectures import ARCHITECTURES, level_blocks


class Model(Block):
    """Block ``model``: the architecture, what its head reads, where its weights come from."""

    arch: Annotated[str, one_of(ARCHITECTURES)]
    weights: Literal["imagenet", "file", "none"]
    weights_file: ShellPath
    normalisation: Literal["native", "half"]
    last_block: Annotated[int, Field(ge=0)] | None
    levels: Annotated[int, Field(ge=1)]

    @model_validator(mode="after")
    def _ends_in_a_block(self) -> Self:
        if self.last_block is not None:
            whole = self.model_copy(update={"last_block": None})
            first = "null (the architecture's last) or 0"
            require_block(whole, "model.last_block", self.last_block, first=first)
        return self

    @model_validator(mode="after")
    def _has_the_levels(self) -> Self:
        most = len(level_blocks(self.arch, self.last_block))
        if self.levels > most:
            raise ValueError(
                f"model.levels is {self.levels}; allowed: 1 to {most} for model.arch={self.arch}"
                f"{_cut(self)}"
            )
        return self


def block_count(model: Model) -> int:
    """Return the number of blocks of the network of ``model``."""
    if model.last_block is None:
        return ARCHITECTURES[model.arch].BLOCK_COUNT
    return model.last_block + 1


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
    last = block_count(model) - (0 if past_last else 1)
    if not 0 <= number <= last:
        meaning = f" ({past_last})" if past_last else ""
        raise ValueError(
            f"{key} is {number}; allowed: {first} to {last}{meaning} "
            f"for model.arch={model.arch}{_cut(model)}"
        )


def _cut(model: Model) -> str:
    return "" if model.last_block is None else f", model.last_block={model.last_block}"
