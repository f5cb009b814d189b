"""A classifier split into blocks, head and normalisation; the receptive field of its cells.

Every network here ends in global average pooling and one linear layer, so that for an image
``logits = head(mean over cells of feature_maps)``. With ``last_block`` the later blocks of its
architecture are left out.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from twincam.files.errors import UserError
from twincam.models.architectures import ARCHITECTURES, Normalisation


@dataclass(frozen=True)
class Network:
    """A classifier split into parts; ``blocks`` and ``head`` share their parameters with
    ``module``.

    ``blocks`` maps normalised images ``[N,3,H,W]`` to feature maps ``[N,C,h,w]``; ``head`` maps
    their means over cells ``[N,C]`` to logits ``[N,K]``. ``infer`` computes the same as ``blocks``
    without gradients; where it is compiled, it does not see later changes of weights.
    """

    arch: str
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    module: nn.Module
    blocks: nn.Sequential
    head: nn.Linear
    infer: Callable[[Tensor], Tensor]
    last_block: int | None = None


def create(arch: str, classes: Sequence[str], normalisation: Normalisation) -> Network:
    """Return a randomly initialised network with one output for each of ``classes``."""
    architecture = ARCHITECTURES[arch]
    module = architecture.build()
    old_head = getattr(module, architecture.HEAD)
    head = nn.Linear(old_head.in_features, len(classes))
    setattr(module, architecture.HEAD, head)
    blocks = nn.Sequential(*architecture.blocks(module))
    return Network(arch, tuple(classes), *normalisation, module, blocks, head, blocks)


def truncate(network: Network, last_block: int | None) -> Network:
    """Return ``network`` without the blocks after ``last_block``, with a new head.

    Args:
        network: on the CPU.
        last_block: from 0; null keeps the network as it is.
    """
    if last_block is None:
        return network
    blocks = network.blocks[: last_block + 1]
    with torch.no_grad():
        channels = blocks.eval()(torch.zeros(1, 3, 64, 64)).shape[1]
    head = nn.Linear(channels, len(network.classes))
    module = nn.ModuleDict({"blocks": blocks, "head": head})
    return replace(
        network, module=module, blocks=blocks, head=head, infer=blocks, last_block=last_block
    )


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


def pool(feature_maps: Tensor) -> Tensor:
    """Average feature maps ``[N,C,h,w]`` over cells: ``[N,C]``."""
    return feature_maps.mean(dim=(2, 3))


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
