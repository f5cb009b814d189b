"""Read and write ``.npy`` arrays; reading memory-maps them."""

import io
from pathlib import Path

import numpy as np

from twincam.files.atomic import write_bytes
from twincam.files.errors import UserError


def write_array(path: Path, array: np.ndarray) -> None:
    """Write ``array`` as ``.npy``."""
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(array), allow_pickle=False)
    write_bytes(path, buffer.getvalue())


def read_array(path: Path) -> np.ndarray:
    """Open a ``.npy`` file memory-mapped, read-only.

    Raises:
        UserError: the file is not an array.
    """
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except ValueError:
        try:
            return np.load(path, allow_pickle=False)
        except ValueError:
            raise UserError(f"{path}: not a .npy array; remove it and run `dvc repro`") from None


def read_masks(path: Path, rows: np.ndarray, size: int) -> np.ndarray:
    """Read the masks ``[N,size,size]`` at ``rows``, all 0 if the file has none.

    Raises:
        UserError: the file is not an array.
    """
    masks = read_array(path)
    return masks[rows] if len(masks) else np.zeros((len(rows), size, size), np.uint8)


def read_finite(path: Path) -> np.ndarray:
    """Open a ``.npy`` file as `read_array` does.

    Raises:
        UserError: the file is not an array, or holds NaN or infinity.
    """
    array = read_array(path)
    if not np.isfinite(array).all():
        raise UserError(not_finite_message(path))
    return array


def not_finite_message(path: Path) -> str:
    """Return the message for a missing or infinite number in the file at ``path``."""
    return (
        f"{path}: expected finite numbers, got a missing or infinite one; remove it and run "
        "`dvc repro` (if the training diverged, lower train.learning_rate)"
    )
