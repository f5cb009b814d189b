"""The file of a prototype network: safetensors with one sorted JSON of metadata."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from twincam.explanations.prototypes.network import PrototypeNet
from twincam.files.errors import UserError
from twincam.models.architectures import HALF
from twincam.models.network import create, with_head
from twincam.models.weights import not_finite
from twincam.models.weights_file import read_about, read_weights, write_weights

FORMAT = "twincam-protopnet-4"


class Source(NamedTuple):
    """The patch that a prototype is: its image's file, and the centre of its cell in pixels."""

    path: str
    centre: tuple[int, int]


class Stored(NamedTuple):
    """The content of a file: the network, its preprocessing, and the prototypes' sources.

    ``sources`` is empty if none were written.
    """

    net: PrototypeNet
    preprocessing: dict[str, Any]
    sources: tuple[Source, ...]


def save_prototype_net(
    path: Path, net: PrototypeNet, preprocessing: Mapping[str, Any], sources: Sequence[Source] = ()
) -> None:
    """Write the weights and, as sorted JSON, what rebuilds the network.

    Args:
        path: of the file.
        net: the network.
        preprocessing: what `prepare` did to the images.
        sources: of the P prototypes, or none.
    """
    about = {
        "format": FORMAT,
        "arch": net.arch,
        "classes": net.classes,
        "after_block": net.after_block,
        "last_block": net.last_block,
        "levels": net.levels,
        "preprocessing": preprocessing,
        "sources": [source._asdict() for source in sources],
    }
    write_weights(path, net, about)


def read_prototype_net(path: Path) -> Stored:
    """Read what `save_prototype_net` wrote, in evaluation mode, on the CPU.

    Raises:
        UserError: the file is not a prototype network of this program, or is damaged.
    """
    about = read_about(path, FORMAT, "a prototype network", "prototypes")
    state = read_weights(path)
    count, channels = state["vectors"].shape
    whole = create(about["arch"], about["classes"], HALF)
    network = with_head(whole, about["last_block"], about["levels"])
    per_class, size = count // len(about["classes"]), about["preprocessing"]["image_size"]
    net = PrototypeNet(network, about["after_block"], channels, per_class, size)
    try:
        net.load_state_dict(state)
    except RuntimeError:
        raise UserError(
            f"{path}: the weights do not fit {about['arch']} up to block {about['after_block']}; "
            "run `dvc repro prototypes`"
        ) from None
    if name := not_finite(state):
        raise UserError(f"{path}: {name} is not finite, expected numbers; train again")
    sources = tuple(Source(one["path"], tuple(one["centre"])) for one in about["sources"])
    return Stored(net.eval(), about["preprocessing"], sources)
