"""Published weights, known by their SHA-256."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from twincam.files.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor


def read_pinned(path: Path, sha256: str, remedy: str) -> Mapping[str, "Tensor"]:
    """Read a state dict whose SHA-256 begins with ``sha256``.

    Raises:
        UserError: it does not; ``remedy`` says what to do.
    """
    import torch

    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if not found.startswith(sha256):
        raise UserError(
            f"{path}: expected weights whose SHA-256 begins with {sha256[:8]}, got {found[:8]}: "
            f"damaged or other weights; {remedy}"
        )
    weights: Mapping[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return weights
