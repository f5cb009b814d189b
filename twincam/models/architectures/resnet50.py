"""ResNet-50 of torchvision."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from twincam.models.architectures import IMAGENET
from twincam.models.architectures._torchvision import downloaded_weights, resnet_blocks

if TYPE_CHECKING:
    from torch import Tensor, nn

BLOCK_COUNT = 5

LEVELS = (1, 2, 3, 4)

HEAD = "fc"

NORMALISATION = IMAGENET

SHA256 = "0676ba61"
"""The first digits, which the name of torchvision's file gives."""


def build() -> "nn.Module":
    """Return the network with random weights."""
    from torchvision.models import resnet50

    return resnet50(weights=None)


def blocks(module: Any) -> list["nn.Module"]:
    """Return stem and four stages."""
    return resnet_blocks(module)


def imagenet() -> Mapping[str, "Tensor"]:
    """Return torchvision's weights."""
    from torchvision.models import ResNet50_Weights

    return downloaded_weights("resnet50", ResNet50_Weights.IMAGENET1K_V1.url, SHA256)
