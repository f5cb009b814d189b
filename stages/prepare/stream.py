"""Write a ``.npy`` file row by row, so that memory does not grow with the number of rows."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from twincam.files.atomic import atomic_path


@contextmanager
def npy_rows(target: Path, shape: tuple[int, ...]) -> Iterator[Callable[[np.ndarray], object]]:
    """Yield a function that appends a row to a uint8 array of ``shape``.

    The caller must append exactly ``shape[0]`` rows of ``shape[1:]``. The file is then the one that
    `numpy.save` would write; it is moved to ``target`` at the end of the block.
    """
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    with atomic_path(target) as partial, partial.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        yield lambda row: file.write(np.ascontiguousarray(row, np.uint8).data)
