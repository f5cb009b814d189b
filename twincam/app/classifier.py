"""A trained classifier outside the pipeline: from its file to probabilities and heat maps."""

from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn

from twincam.files.errors import UserError
from twincam.images.decoding import BadImageError
from twincam.images.params import Prepare
from twincam.images.reading import read_image
from twincam.models.classifier import read_classifier, read_preprocessing
from twincam.models.network import Network, normalise, pool


class Classifier(nn.Module):
    """A trained classifier in evaluation mode, with its classes and its preprocessing.

    Attributes:
        classes: the labels, in the order of the probabilities.
        preprocessing: what `prepare` did to the training images.
    """

    def __init__(self, network: Network, preprocessing: Prepare) -> None:
        """Wrap ``network``, which is in evaluation mode."""
        super().__init__()
        self.network = network.module
        self.classes = network.classes
        self.preprocessing = preprocessing
        self._parts = network

    def prepare(self, path: Path | str) -> Tensor:
        """Read an image file as the training images were read: bytes ``[size,size,3]``, RGB.

        Raises:
            UserError: the file is no readable image.
        """
        try:
            _, square = read_image(Path(path), self.preprocessing)
        except BadImageError as error:
            raise UserError(f"{path}: {error}; give a whole image file") from None
        return torch.from_numpy(square.copy())

    def train(self, mode: bool = True) -> Self:
        """Stay in evaluation mode, whatever ``mode``: in training mode the figures are others."""
        return super().train(False)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return probabilities ``[N,K]`` and the margin's signed Grad-CAM maps ``[N,h,w]``.

        The map is that of `margin_maps` in `twincam.explanations.gradcam`: its mean plus the
        difference of the biases is the predicted logit minus the runner-up's.

        Args:
            images: bytes ``[N,size,size,3]``, each from `prepare`.

        Raises:
            UserError: anything else, of which the figures would mean nothing.
        """
        self._check(images)
        maps = self._parts.blocks(normalise(self._parts, images))
        logits = self._parts.head(pool(maps))
        best = logits.topk(2, dim=1).indices
        weight = self._parts.head.weight
        rows = weight[best[:, 0]] - weight[best[:, 1]]
        return logits.softmax(dim=1), (maps * rows[:, :, None, None]).sum(dim=1)

    def _check(self, images: Tensor) -> None:
        size = self.preprocessing.image_size
        if not isinstance(images, Tensor):
            came = type(images).__name__
        elif images.dtype != torch.uint8 or images.shape[1:] != (size, size, 3):
            came = f"{images.dtype} {list(images.shape)}"
        else:
            return
        raise UserError(
            f"expected bytes (torch.uint8) [N,{size},{size},3] from `prepare`, got {came}; read "
            "each file with `classifier.prepare(path)` and stack the results (`[None]` for one)"
        )


def load_classifier(path: Path | str) -> Classifier:
    """Read a classifier that the pipeline trained (``models/classifier.safetensors``).

    ``classifier = load_classifier(path)``, then
    ``probabilities, maps = classifier(classifier.prepare("cat.jpg")[None])``.

    Raises:
        UserError: there is no such file, or it is no classifier of this program.
    """
    path = Path(path)
    if not path.is_file():
        found = "a folder" if path.is_dir() else "nothing"
        raise UserError(
            f"{path}: expected a classifier of this pipeline, found {found}; name its file, or "
            "run `dvc repro` (or `dvc pull`) so that models/classifier.safetensors is there"
        )
    return Classifier(read_classifier(path), Prepare(**read_preprocessing(path))).eval()
