"""What all models share outside the pipeline: they read images and check what they are given."""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn

from twincam.files.errors import UserError
from twincam.images.decoding import BadImageError
from twincam.images.params import Prepare
from twincam.images.reading import read_image


class ImageModel(nn.Module):
    """A model in evaluation mode that takes images as `prepare` gives them.

    Attributes:
        classes: the labels, in the order of the probabilities.
        preprocessing: what `prepare` did to the training images.
    """

    def __init__(self, classes: Sequence[str], preprocessing: Prepare) -> None:
        """Keep what tells how images come in and what comes out."""
        super().__init__()
        self.classes = tuple(classes)
        self.preprocessing = preprocessing

    def prepare(self, path: Path | str) -> Tensor:
        """Read an image file as the training images were read: bytes ``[size,size,3]``, RGB.

        Raises:
            UserError: the file is not a readable image.
        """
        try:
            _, square = read_image(Path(path), self.preprocessing)
        except BadImageError as error:
            raise UserError(f"{path}: {error}; give a whole image file") from None
        return torch.from_numpy(square.copy())

    def train(self, mode: bool = True) -> Self:
        """Stay in evaluation mode, whatever ``mode``: in training mode the figures are others."""
        return super().train(False)

    def require_prepared(self, images: Tensor) -> None:
        """Raise UserError unless ``images`` are bytes ``[N,size,size,3]``, as from `prepare`."""
        size = self.preprocessing.image_size
        if not isinstance(images, Tensor):
            came = type(images).__name__
        elif images.dtype != torch.uint8 or images.shape[1:] != (size, size, 3):
            came = f"{images.dtype} {list(images.shape)}"
        else:
            return
        raise UserError(
            f"expected bytes (torch.uint8) [N,{size},{size},3] from `prepare`, got {came}; read "
            "each file with `model.prepare(path)` and stack the results (`[None]` for one)"
        )


def require_model_file(path: Path, what: str, output: str) -> None:
    """Raise UserError unless a file is at ``path``.

    Args:
        path: of the model.
        what: it should be, "a classifier" say.
        output: the file that the pipeline writes it to.
    """
    if not path.is_file():
        found = "a folder" if path.is_dir() else "nothing"
        raise UserError(
            f"{path}: expected {what} of this pipeline, found {found}; name its file, or "
            f"run `dvc repro` (or `dvc pull`) so that {output} is there"
        )
