"""A classifier split into blocks, head and normalisation; the receptive field of its cells.

Every network here ends in global average pooling and one linear layer, so that for an image
``logits = head(mean over cells of feature_maps)``. The feature maps are those of one or several
blocks, the network's levels, whose means stand one after the other (as in the hypercolumns of
Hariharan et al., CVPR 2015). With ``last_block`` the later blocks of its architecture are left out.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from twincam.files.errors import UserError
from twincam.models.architectures import ARCHITECTURES, Normalisation, level_blocks


class Levels(nn.Module):
    """Blocks that run one after the other, and the maps of some of them, from the finest.

    Block -1 stands for the input.
    """

    def __init__(self, blocks: nn.Sequential, levels: Sequence[int]) -> None:
        """Share ``blocks``; ``levels`` are the numbers of those whose maps are returned."""
        super().__init__()
        self.blocks, self.levels = blocks, tuple(levels)

    def forward(self, activations: Tensor) -> tuple[Tensor, ...]:
        """Return the maps ``[N,C,h,w]`` of each level, for inputs ``[N,…]`` of the first block."""
        found = [activations] if -1 in self.levels else []
        for number, block in enumerate(self.blocks):
            activations = block(activations)
            if number in self.levels:
                found.append(activations)
        return tuple(found)


@dataclass(frozen=True)
class Network:
    """A classifier split into parts; ``blocks`` and ``head`` share the parameters of ``module``.

    ``blocks`` run on normalised images ``[N,3,H,W]``; ``levels`` are the numbers, ascending, of
    those whose feature maps the head reads: ``head`` maps their `pool` ``[N,C]`` to logits
    ``[N,K]``. The first ``finer`` of the features are of other levels than the last. ``infer``
    computes these maps without gradients, ``[N,C,h,w]`` of each level; where it is compiled, it
    does not see later changes of weights.
    """

    arch: str
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    module: nn.Module
    blocks: nn.Sequential
    head: nn.Linear
    levels: tuple[int, ...]
    infer: Callable[[Tensor], tuple[Tensor, ...]]
    last_block: int | None = None
    finer: int = 0


def create(arch: str, classes: Sequence[str], normalisation: Normalisation) -> Network:
    """Return a randomly initialised network with one output for each of ``classes``."""
    architecture = ARCHITECTURES[arch]
    module = architecture.build()
    old_head = getattr(module, architecture.HEAD)
    head = nn.Linear(old_head.in_features, len(classes))
    setattr(module, architecture.HEAD, head)
    blocks = nn.Sequential(*architecture.blocks(module))
    levels = level_blocks(arch, None, 1)
    maps = Levels(blocks, levels)
    return Network(arch, tuple(classes), *normalisation, module, blocks, head, levels, maps)


def with_head(network: Network, last_block: int | None, levels: int) -> Network:
    """Return ``network`` with a new head that reads other blocks.

    Args:
        network: on the CPU.
        last_block: the blocks after it are left out, from 0; null: none.
        levels: the number of resolutions whose last maps the head reads, from the coarsest. With 1
            and no ``last_block`` the network stays as it is.
    """
    if last_block is None and levels == 1:
        return network
    read = level_blocks(network.arch, last_block, levels)
    blocks = network.blocks[: read[-1] + 1]
    maps = Levels(blocks, read)
    with torch.no_grad():
        *others, last = (level.shape[1] for level in maps.eval()(torch.zeros(1, 3, 64, 64)))
    head = nn.Linear(sum(others) + last, len(network.classes))
    module = nn.ModuleDict({"blocks": blocks, "head": head})
    return replace(
        network,
        module=module,
        blocks=blocks,
        head=head,
        levels=read,
        infer=maps,
        last_block=last_block,
        finer=sum(others),
    )


class Logits(nn.Module):
    """The whole of ``network`` as one module, from normalised images to logits."""

    def __init__(self, network: Network) -> None:
        """Share the parameters of ``network``."""
        super().__init__()
        self.maps, self.head = maps_of(network), network.head

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits ``[N,K]`` of normalised images ``[N,3,H,W]``."""
        logits: Tensor = self.head(pool(self.maps(images)))
        return logits


def maps_of(network: Network) -> Levels:
    """Return the part of ``network`` before the head, not compiled."""
    return Levels(network.blocks, network.levels)


def device() -> torch.device:
    """Return the device a stage moves its network to: the GPU if there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def device_of(network: Network) -> torch.device:
    """Return the device that holds ``network``."""
    return network.head.weight.device


def normalise(network: Network, images: Tensor) -> Tensor:
    """Convert bytes ``[N,H,W,3]`` to the channels-last input ``[N,3,H,W]`` of ``network``.

    Raises:
        UserError: not bytes, or of another shape.
    """
    mean, std = (torch.tensor(part, device=images.device) for part in (network.mean, network.std))
    return standardise(images, mean, std)


def standardise(images: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Scale bytes ``[N,H,W,3]`` to 0 to 1, subtract ``mean`` ``[3]``, divide by ``std`` ``[3]``.

    Channels last, ``[N,3,H,W]``.

    Raises:
        UserError: not bytes, or of another shape.
    """
    if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[-1] != 3:
        raise UserError(
            f"expected images as bytes (uint8) [N,H,W,3], got {images.dtype} "
            f"{list(images.shape)}; give images as returned by `prepare`"
        )
    mean, std = mean.view(1, 3, 1, 1), std.view(1, 3, 1, 1)
    pixels = images.permute(0, 3, 1, 2).float().div(255).sub(mean).div(std)
    return pixels.contiguous(memory_format=torch.channels_last)


def pool(feature_maps: Sequence[Tensor]) -> Tensor:
    """Average the feature maps ``[N,C,h,w]`` of each level over cells: ``[N,C]`` of all levels."""
    return torch.cat([maps.mean(dim=(2, 3)) for maps in feature_maps], dim=1)


def receptive_field(blocks: nn.Sequential, after: int) -> tuple[int, int]:
    """Return receptive field and stride in pixels of a cell after ``blocks[after]``.

    Walks the longest path: ``field += (kernel - 1) * stride; stride *= layer's stride`` (Araujo,
    Norris, Sim: Computing Receptive Fields of Convolutional Neural Networks, Distill 2019).
    """
    field, stride = 1, 1
    for name, layer in blocks[: after + 1].named_modules():
        if isinstance(layer, nn.Conv2d | nn.MaxPool2d) and "downsample" not in name:
            kernel, step = (
                size[0] if isinstance(size, tuple) else size
                for size in (layer.kernel_size, layer.stride)
            )
            field += (int(kernel) - 1) * stride
            stride *= int(step)
    return field, stride
