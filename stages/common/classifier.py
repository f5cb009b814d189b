"""The trained classifier as a file: safetensors with one sorted JSON of metadata."""

import json
from pathlib import Path

import safetensors.torch
from safetensors import SafetensorError, safe_open

from stages.common.artifacts import write_bytes
from stages.common.backbones import ARCHITECTURES, Network, create, load_weights
from stages.common.errors import UserError

FORMAT = "twincam-classifier-1"


def save_classifier(path: Path, network: Network) -> None:
    """Write the weights of ``network`` under the names of its library, and what rebuilds it."""
    about = {
        "format": FORMAT,
        "arch": network.arch,
        "classes": network.classes,
        "mean": network.mean,
        "std": network.std,
    }
    state = {name: t.detach().cpu().contiguous() for name, t in network.module.state_dict().items()}
    metadata = {"twincam": json.dumps(about, sort_keys=True)}
    write_bytes(path, safetensors.torch.save(state, metadata=metadata))


def read_classifier(path: Path) -> Network:
    """Read what `save_classifier` wrote, in evaluation mode.

    Raises:
        UserError: the file is no classifier of this program.
    """
    try:
        with safe_open(path, "pt") as file:
            about = json.loads(file.metadata()["twincam"])
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, TypeError, KeyError):
        about, state = {}, {}
    if about.get("format") != FORMAT or about.get("arch") not in ARCHITECTURES:
        raise UserError(f"{path}: expected a classifier of this pipeline; run `dvc repro train`")
    network = create(about["arch"], about["classes"], (tuple(about["mean"]), tuple(about["std"])))
    load_weights(network, state, str(path))
    network.module.eval()
    return network
