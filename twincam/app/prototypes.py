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
            in the prepared image; empty where the file names none.
        receptive_field: pixels that a cell sees, at most.
        stride: pixels from a cell to the next; its centre is at ``cell * stride + stride // 2``.
    """

    def __init__(self, stored: Stored) -> None:
        """Wrap the network that a file holds."""
        super().__init__(stored.net.classes, Prepare(**stored.preprocessing))
        self.net = stored.net
        self.sources = stored.sources
        self.receptive_field, self.stride = stored.net.field

    @property
    def owner(self) -> Tensor:
        """The class of each prototype, as index among `classes`, ``[P]``."""
        return self.net.owner

    @property
    def weight(self) -> Tensor:
        """What a similarity of 1 adds to the logit of the prototype's class, ``[P]``; 0: pruned."""
        return self.net.weight

    @property
    def bias(self) -> Tensor:
        """What each class's logit starts from, ``[K]``."""
        return self.net.bias

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return probabilities ``[N,K]``, similarities ``[N,P]`` and their cells ``[N,P,2]``.

        A prototype's similarity is the best cosine of any cell, given as row and column; of equals
        the first. What it contributes to the logit of its class is ``similarities * weight``
        (`contributions`): with the bias these add up to it.

        Args:
            images: bytes ``[N,size,size,3]``, each from `prepare`.

        Raises:
            UserError: anything else, of which the figures would mean nothing.
        """
        self.require_prepared(images)
        maps = self.net(images)
        similarities, first = maps.flatten(2).max(dim=2)
        width = maps.shape[3]
        cells = torch.stack([first.div(width, rounding_mode="floor"), first % width], dim=2)
        return self.net.logits(similarities).softmax(dim=1), similarities, cells

    def contributions(self, similarities: Tensor) -> Tensor:
        """Return what each prototype adds to the logit of its class, ``[N,P]``."""
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
