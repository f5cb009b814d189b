"""Base of all models outside the pipeline: reads images and checks inputs."""

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
    """A model in evaluation mode that takes images as returned by `prepare`.

    Attributes:
        classes: the labels, in the order of the probabilities.
        preprocessing: what `prepare` did to the training images.
    """

    def __init__(self, classes: Sequence[str], preprocessing: Prepare) -> None:
        """Keep the description of inputs and outputs."""
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
            raise UserError(f"{path}: {error}; give a complete image file") from None
        return torch.from_numpy(square.copy())

    def train(self, mode: bool = True) -> Self:
        """Stay in evaluation mode, whatever ``mode``: results would differ in training mode."""
        return super().train(False)

    def require_prepared(self, images: Tensor) -> None:
        """Raise UserError unless ``images`` are bytes ``[N,size,size,3]``, as from `prepare`."""
        size = self.preprocessing.image_size
        if not isinstance(images, Tensor):
            given = type(images).__name__
        elif images.dtype != torch.uint8 or images.shape[1:] != (size, size, 3):
            given = f"{images.dtype} {list(images.shape)}"
        else:
            return
        raise UserError(
            f"expected bytes (torch.uint8) [N,{size},{size},3] from `prepare`, got {given}; read "
            "each file with `model.prepare(path)` and stack the results (`[None]` for one)"
        )


def require_model_file(path: Path, what: str, output: str) -> None:
    """Raise UserError unless a file is at ``path``.

    Args:
        path: of the model.
        what: the expected kind of file, "a classifier" for example.
        output: the file that the pipeline writes it to.
    """
    if not path.is_file():
        found = "a folder" if path.is_dir() else "nothing"
        raise UserError(
            f"{path}: expected {what} of this pipeline, found {found}; give its path, or "
            f"run `dvc repro` (or `dvc pull`) to get {output}"
        )
