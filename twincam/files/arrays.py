"""Read and write ``.npy`` arrays; reading memory-maps them."""

import os
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike

from twincam.files.atomic import atomic_path
from twincam.files.errors import UserError


def write_array(path: Path, array: np.ndarray) -> None:
    """Write ``array`` as ``.npy``."""
    with atomic_path(path) as partial, partial.open("wb") as file:
        np.save(file, np.ascontiguousarray(array), allow_pickle=False)


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


def read_finite(path: Path) -> np.ndarray:
    """Open a ``.npy`` file as `read_array` does.

    Raises:
        UserError: the file is not an array, or holds NaN or infinity.
    """
    array = read_array(path)
    if not np.isfinite(array).all():
        raise UserError(not_finite_message(path))
    return array


def temporary_array(shape: tuple[int, ...], dtype: DTypeLike) -> np.ndarray:
    """Return an array on disk, whose file is gone once nothing refers to the array.

    Where the system can, its space is reserved, so that a full disk is an OSError: writing to
    memory that is mapped to one would end the process.
    """
    with tempfile.TemporaryFile() as file:
        count = int(np.prod(shape)) * np.dtype(dtype).itemsize
        try:
            if hasattr(os, "posix_fallocate"):  # neither macOS nor Windows has it
                os.posix_fallocate(file.fileno(), 0, max(1, count))
            else:
                file.truncate(max(1, count))
        except OSError as error:
            error.filename = tempfile.gettempdir()
            raise
        return np.memmap(file, dtype, "r+", shape=shape)


def not_finite_message(path: Path) -> str:
    """Return the message for a missing or infinite number in the file at ``path``."""
    return (
        f"{path}: expected finite numbers, got a missing or infinite one; remove it and run "
        "`dvc repro` (if the training diverged, lower train.learning_rate)"
    )
