"""The architectures, a module each, whose name is what ``model.arch`` says.

A module holds what `Architecture` asks for. Adding one adds an architecture; nothing else names it.
Importing it loads no torch, so that parameters are read without. Modules whose names begin with an
underscore hold what several share.
"""

import pkgutil
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, cast

if TYPE_CHECKING:
    from torch import Tensor, nn

Normalisation = tuple[tuple[float, ...], tuple[float, ...]]
"""Mean and standard deviation of each channel, of pixels from 0 to 1."""

HALF: Normalisation = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))

IMAGENET: Normalisation = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


class Architecture(Protocol):
    """How to build a network and take it apart.

    Attributes:
        BLOCK_COUNT: how many blocks `blocks` gives.
        LEVELS: the last block at each resolution, from the finest.
        HEAD: name of the linear head in the module.
        NORMALISATION: of the inputs that the ImageNet weights expect.
    """

    BLOCK_COUNT: int
    LEVELS: tuple[int, ...]
    HEAD: str
    NORMALISATION: Normalisation

    def build(self) -> "nn.Module":
        """Return the network with random weights and a head of any size."""

    def blocks(self, module: Any) -> list["nn.Module"]:
        """Cut ``module`` into blocks that run one after the other, up to the last feature maps."""

    def imagenet(self) -> Mapping[str, "Tensor"]:
        """Return the state dict of the network trained on ImageNet.

        Raises:
            UserError: the weights are not available, or damaged.
        """


def registered() -> dict[str, Architecture]:
    """Return the architectures of this package by name, in alphabetical order."""
    return {
        module.name: cast(Architecture, import_module(f"{__name__}.{module.name}"))
        for module in pkgutil.iter_modules(__path__)
        if not module.name.startswith("_")
    }


ARCHITECTURES = registered()


def level_blocks(arch: str, last_block: int | None, levels: int | None = None) -> tuple[int, ...]:
    """Return the last block at each of the ``levels`` coarsest resolutions, from the finest.

    Args:
        arch: a key of `ARCHITECTURES`.
        last_block: where the network ends, from 0; null: where the architecture does.
        levels: at least 1; null: all.
    """
    ends = ARCHITECTURES[arch].LEVELS
    if last_block is not None:
        ends = (*(end for end in ends if end < last_block), last_block)
    return ends if levels is None else ends[-levels:]
