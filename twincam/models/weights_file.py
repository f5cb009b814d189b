"""The file of a model: safetensors with one sorted JSON of metadata."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from twincam.files.atomic import write_bytes
from twincam.files.errors import UserError
from twincam.models.architectures import ARCHITECTURES


def write_weights(path: Path, module: nn.Module, about: Mapping[str, Any]) -> None:
    """Write the state dict of ``module``, and ``about`` as its metadata."""
    state = {name: t.detach().cpu().contiguous() for name, t in module.state_dict().items()}
    metadata = {"twincam": json.dumps(about, sort_keys=True)}
    write_bytes(path, safetensors.torch.save(state, metadata=metadata))


def read_weights(path: Path) -> dict[str, Tensor]:
    """Return the state dict in a file that `read_about` accepts, on the CPU."""
    with safe_open(path, "pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def read_about(path: Path, version: str, expected: str, stage: str) -> dict[str, Any]:
    """Read the metadata that `write_weights` wrote.

    Args:
        path: of the file.
        version: the ``format`` that the metadata must name.
        expected: what the file should be, for the message.
        stage: the stage that writes it.

    Raises:
        UserError: the file is of another kind or format, or its ``arch`` is unknown.
    """
    try:
        with safe_open(path, "pt") as file:
            about = json.loads(file.metadata()["twincam"])
    except (SafetensorError, TypeError, KeyError):
        about = {}
    if about.get("format") != version or about.get("arch") not in ARCHITECTURES:
        raise UserError(f"{path}: expected {expected} of this pipeline; run `dvc repro {stage}`")
    return dict(about)
