"""A trained classifier outside the pipeline: from its file to probabilities and heat maps."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from twincam.app.model import ImageModel, require_model_file
from twincam.images.params import Prepare
from twincam.models.classifier import read_classifier, read_preprocessing
from twincam.models.levels import overlaps
from twincam.models.network import Network, normalise, pool


class Classifier(ImageModel):
    """A trained classifier in evaluation mode, with its classes and its preprocessing."""

    def __init__(self, network: Network, preprocessing: Prepare) -> None:
        """Wrap ``network``, which is in evaluation mode and not compiled."""
        super().__init__(network.classes, preprocessing)
        self.network = network.module
        self._parts = network

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return probabilities ``[N,K]`` and the margin's signed Grad-CAM maps ``[N,h,w]``.

        The map is that of `margin_maps` in `twincam.explanations.gradcam`: its mean plus the
        difference of the biases is the predicted logit minus the runner-up's.

        Args:
            images: bytes ``[N,size,size,3]``, each from `prepare`.

        Raises:
            UserError: anything else, for which the figures would be meaningless.
        """
        self.require_prepared(images)
        maps = self._parts.infer(normalise(self._parts, images))
        logits = self._parts.head(pool(maps))
        best = logits.topk(2, dim=1).indices
        weight = self._parts.head.weight
        rows = weight[best[:, 0]] - weight[best[:, 1]]
        parts = rows.split([level.shape[1] for level in maps], dim=1)
        heat = [
            (level * part[:, :, None, None]).sum(dim=1)
            for level, part in zip(maps, parts, strict=True)
        ]
        return logits.softmax(dim=1), _added(heat)


def _added(levels: Sequence[Tensor]) -> Tensor:
    """Return the sum of maps ``[N,h,w]`` on the grid of the first, as `cell_sums` does."""
    total = levels[0]
    for level in levels[1:]:
        rows, columns = (
            torch.from_numpy(overlaps(*sides)).to(level)
            for sides in zip(total.shape[1:], level.shape[1:], strict=True)
        )
        total = total + rows @ level @ columns.T
    return total


def load_classifier(path: Path | str) -> Classifier:
    """Read a classifier that the pipeline trained (``models/classifier.safetensors``).

    ``classifier = load_classifier(path)``, then
    ``probabilities, maps = classifier(classifier.prepare("cat.jpg")[None])``.

    Raises:
        UserError: there is no such file, or it is not a classifier of this program.
    """
    path = Path(path)
    require_model_file(path, "a classifier", "models/classifier.safetensors")
    return Classifier(read_classifier(path), Prepare(**read_preprocessing(path))).eval()
