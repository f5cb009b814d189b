"""The network before training, and the name of a run."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import torch

from stages.common.backbones import (
    ARCHITECTURES,
    HALF,
    Network,
    create,
    device,
    load_pretrained,
)
from stages.common.params import Block
from stages.common.settings import Model


def initial_network(model: Model, weights_file: Path, classes: Sequence[str]) -> Network:
    """Return the network before training, on the device that trains it.

    Raises:
        UserError: the weights cannot be had.
    """
    normalisation = ARCHITECTURES[model.arch].normalisation
    network = create(model.arch, classes, HALF if model.normalisation == "half" else normalisation)
    load_pretrained(network, model.weights, weights_file)
    network.module.to(device()).to(memory_format=torch.channels_last)
    return network


def run_key(params: Block, inputs: Sequence[Path]) -> str:
    """Return a name for a training run: the hash of its parameters and input files."""
    digest = hashlib.sha256(params.model_dump_json().encode() + torch.__version__.encode())
    for path in inputs:
        if path.is_file():
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]
