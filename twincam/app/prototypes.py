"""A trained prototype network outside the pipeline: this patch of the image looks like that one."""

from pathlib import Path

import torch
from torch import Tensor

from twincam.app.model import ImageModel, require_model_file
from twincam.explanations.prototypes.network_file import Stored, read_prototype_net
from twincam.images.params import Prepare


class Prototypes(ImageModel):
    """A trained prototype network in evaluation mode, with its classes and its preprocessing.

    Attributes:
        net: the network itself.
        sources: of each prototype the file of its image and the centre ``(y, x)`` of its patch
            in the prepared image; empty if the file has none.
        field: the receptive fields of the cells, in pixels; their side is an upper bound.
    """

    def __init__(self, stored: Stored) -> None:
        """Wrap the network read from a file."""
        super().__init__(stored.net.classes, Prepare(**stored.preprocessing))
        self.net = stored.net
        self.sources = stored.sources
        self.field = stored.net.field

    @property
    def owner(self) -> Tensor:
        """The class of each prototype, as index among `classes`, ``[P]``."""
        return self.net.owner

    @property
    def weight(self) -> Tensor:
        """Contribution of a similarity of 1 to the logit of its class, ``[P]``; 0: pruned."""
        return self.net.weight

    @property
    def bias(self) -> Tensor:
        """The bias of each class's logit, ``[K]``."""
        return self.net.bias

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return probabilities ``[N,K]``, similarities ``[N,P]`` and their cells ``[N,P,2]``.

        A prototype's similarity is its largest cosine over the cells; the cell, the first of
        equals, is given as row and column. The contributions to the logit of its class,
        ``similarities * weight`` (`contributions`), add up to the logit with the bias.

        Args:
            images: bytes ``[N,size,size,3]``, each from `prepare`.

        Raises:
            UserError: anything else, for which the figures would be meaningless.
        """
        self.require_prepared(images)
        maps = self.net(images)
        similarities, first = maps.flatten(2).max(dim=2)
        width = maps.shape[3]
        cells = torch.stack([first.div(width, rounding_mode="floor"), first % width], dim=2)
        return self.net.logits(similarities).softmax(dim=1), similarities, cells

    def contributions(self, similarities: Tensor) -> Tensor:
        """Return each prototype's contribution to the logit of its class, ``[N,P]``."""
        return similarities * self.weight


def load_prototypes(path: Path | str) -> Prototypes:
    """Read a prototype network that the pipeline trained (``models/protopnet.safetensors``).

    ``prototypes = load_prototypes(path)``, then
    ``probabilities, similarities, cells = prototypes(prototypes.prepare("cat.jpg")[None])``.

    Raises:
        UserError: there is no such file, or it is not a prototype network of this program.
    """
    path = Path(path)
    require_model_file(path, "a prototype network", "models/protopnet.safetensors")
    return Prototypes(read_prototype_net(path)).eval()
