"""What the networks of torchvision share."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twincam.files.errors import UserError
from twincam.models.architectures._pinned import read_pinned

if TYPE_CHECKING:
    from torch import Tensor, nn


def resnet_blocks(module: Any) -> list["nn.Module"]:
    """Cut a ResNet into its stem and four stages."""
    from torch import nn

    stem = nn.Sequential(module.conv1, module.bn1, module.relu, module.maxpool)
    return [stem, module.layer1, module.layer2, module.layer3, module.layer4]


def downloaded_weights(arch: str, url: str, sha256: str) -> Mapping[str, "Tensor"]:
    """Return the state dict at ``url``, from torch's cache or downloaded into it.

    Raises:
        UserError: it cannot be downloaded, or its SHA-256 does not begin with ``sha256``.
    """
    import torch

    path = Path(torch.hub.get_dir(), "checkpoints", url.rpartition("/")[2])
    if not path.is_file():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(url, str(path), hash_prefix=sha256)
        except (OSError, RuntimeError) as error:
            raise UserError(
                f"model.weights=imagenet: the weights of {arch} cannot be downloaded ({error}); "
                "connect to the network, or set model.weights=file and model.weights_file, "
                "or model.arch=efficientnet_lite0 (its weights come with its package), "
                "or model.weights=none"
            ) from None
    return read_pinned(path, sha256, "remove the file, it is then downloaded again")
