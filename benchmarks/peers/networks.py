"""The two networks that all peers run: untrained heads, since speed does not depend on weights."""

from pathlib import Path

from torch import nn

from twincam.models.network import Network
from twincam.models.params import Model
from twincam.models.weights import initial_network

WEIGHTS = {"efficientnet_lite0": "imagenet", "resnet18": "none"}
LAST = {"efficientnet_lite0": "bn2", "resnet18": "layer4"}
"""The name of the layer whose output the head averages."""


def network_of(arch: str) -> Network:
    """Return a network of two classes in evaluation mode; both kinds of weights need no network."""
    settings = {"arch": arch, "weights": WEIGHTS[arch], "weights_file": ""}
    model = Model.model_validate({**settings, "normalisation": "native", "last_block": None})
    network = initial_network(model, Path(), ("fake", "real"))
    network.module.eval()
    return network


def last_layer(network: Network) -> nn.Module:
    """Return the layer that every peer explains."""
    return network.module.get_submodule(LAST[network.arch])
