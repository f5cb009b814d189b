"""The file of a trained classifier: safetensors whose metadata is one sorted JSON."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twincam.files.errors import UserError
from twincam.files.shards import Rows
from twincam.models.network import Network, create, with_head
from twincam.models.weights import load_weights
from twincam.models.weights_file import read_about, read_weights, write_weights

FORMAT = "twincam-classifier-5"


def save_classifier(path: Path, network: Network, preprocessing: Mapping[str, Any]) -> None:
    """Write the weights of ``network`` under the names of its library, and what rebuilds it.

    ``preprocessing`` is how `prepare` made the training images, so that others are prepared in the
    same way.
    """
    about = {
        "format": FORMAT,
        "arch": network.arch,
        "last_block": network.last_block,
        "levels": len(network.levels),
        "classes": network.classes,
        "mean": network.mean,
        "std": network.std,
        "preprocessing": preprocessing,
    }
    write_weights(path, network.module, about)


def read_classifier(path: Path) -> Network:
    """Read what `save_classifier` wrote, in evaluation mode.

    Raises:
        UserError: the file is not a classifier of this program.
    """
    about = _about(path)
    normalisation = tuple(about["mean"]), tuple(about["std"])
    whole = create(about["arch"], about["classes"], normalisation)
    network = with_head(whole, about["last_block"], about["levels"])
    load_weights(network, read_weights(path), str(path))
    network.module.eval()
    return network


def read_preprocessing(path: Path) -> dict[str, Any]:
    """Read the ``preprocessing`` that `save_classifier` wrote.

    Raises:
        UserError: the file is not a classifier of this program.
    """
    return dict(_about(path)["preprocessing"])


def check_images(path: Path, images: Rows) -> None:
    """Raise UserError unless ``images`` have the size of the classifier's training images."""
    require_side(path, read_preprocessing(path), images)


def require_side(path: Path, preprocessing: Mapping[str, Any], images: Rows) -> None:
    """Raise UserError unless ``images`` have the size in the model's ``preprocessing``."""
    side = preprocessing.get("image_size")
    if side and images.shape[1:] != (side, side, 3):
        raise UserError(
            f"{path}: trained on images [N,{side},{side},3], got {list(images.shape)}; run "
            "`dvc repro` to make model and images match"
        )


def check_preprocessing(path: Path, preprocessing: Mapping[str, Any]) -> None:
    """Raise UserError unless the classifier's training images were prepared like this."""
    for name, value in read_preprocessing(path).items():
        if preprocessing.get(name) != value:
            raise UserError(
                f"{path}: trained on images prepared with {name}={value}, got "
                f"{preprocessing.get(name)}; run `dvc repro` to make both match"
            )


def _about(path: Path) -> dict[str, Any]:
    return read_about(path, FORMAT, "a classifier", "train")
