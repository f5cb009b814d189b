"""Arrays of many rows in shards: files of at most `SHARD_BYTES`, in one folder.

The rows of a label start a shard of their own. Where new images are last of their class by name, as
with numbered ones, they change the last shard of a class, and a remote receives that one alone.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import groupby, repeat
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np

from twincam.files.arrays import read_array
from twincam.files.atomic import atomic_folder
from twincam.files.errors import UserError

SHARD_BYTES = 2**29


class Rows(Protocol):
    """What arrays and `Shards` have in common: rows that can be read some at a time."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The number of rows, and the shape of one."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: Any, /) -> Any: ...


class Shards:
    """Shards as one array of N rows, of which only those that are asked for are in memory."""

    def __init__(self, files: Sequence[Path], lengths: Sequence[int], row: np.ndarray) -> None:
        """Join ``files`` of as many rows as ``lengths`` says, each of shape and type of ``row``."""
        self.files, self.lengths, self.row = files, lengths, row
        self.ends = np.cumsum(lengths)

    @property
    def shape(self) -> tuple[int, ...]:
        """The number of rows, and the shape of one."""
        return (int(self.ends[-1]), *self.row.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> np.ndarray:
        """Return the row or rows at ``index``: an integer, a slice, integers, or bools ``[N]``."""
        rows = np.arange(len(self))[index]
        where = np.searchsorted(self.ends, rows, side="right")
        found = np.empty((*rows.shape, *self.row.shape), self.row.dtype)
        for shard in np.unique(where):
            start = self.ends[shard] - self.lengths[shard]
            found[where == shard] = read_array(self.files[shard])[rows[where == shard] - start]
        return found


def read_shards(folder: Path) -> Shards:
    """Open the shards in ``folder``.

    Raises:
        UserError: the folder has no shards, or their rows differ in shape.
    """
    files = sorted(folder.glob("*.npy"))
    arrays = [read_array(path) for path in files]
    if len({array.shape[1:] for array in arrays}) != 1:
        raise UserError(
            f"{folder}: expected a folder of arrays with rows of one shape, found "
            f"{len(arrays)} arrays; remove it and run `dvc repro`"
        )
    row = np.empty(arrays[0].shape[1:], arrays[0].dtype)
    return Shards(files, [len(array) for array in arrays], row)


def read_masks(folder: Path, rows: np.ndarray, size: int) -> np.ndarray:
    """Read the masks ``[N,size,size]`` at ``rows``, all 0 if the folder has none.

    Raises:
        UserError: the folder has no shards.
    """
    masks = read_shards(folder)
    return masks[rows] if len(masks) else np.zeros((len(rows), size, size), np.uint8)


@contextmanager
def write_shards(
    folder: Path, labels: Sequence[str], row: tuple[int, ...]
) -> Iterator[Callable[[np.ndarray], object]]:
    """Yield a function that appends a row; memory does not grow with their number.

    The caller must append exactly one uint8 row for each label. Each file is then the one that
    `numpy.save` would write; the folder appears at the end of the block.

    Args:
        folder: to write; without labels it gets one shard without rows.
        labels: of the rows, in order.
        row: the shape of a row.
    """
    lengths = shard_lengths(labels, int(np.prod(row)))
    with atomic_folder(folder) as partial, closing(_files(partial, lengths, row)) as files:
        yield lambda one: next(files).write(np.ascontiguousarray(one, np.uint8).data)
        if next(files, None) is not None:
            raise ValueError(f"{folder}: fewer rows than the {len(labels)} announced")


def _files(
    folder: Path, lengths: Sequence[int], row: tuple[int, ...]
) -> Generator[BinaryIO, None, None]:
    """Yield for each row the shard to append it to, opened after its header."""
    for number, length in enumerate(lengths):
        header = {"descr": "|u1", "fortran_order": False, "shape": (length, *row)}
        with (folder / f"{number:05}.npy").open("wb") as file:
            np.lib.format.write_array_header_1_0(file, header)
            yield from repeat(file, length)


def shard_lengths(labels: Sequence[str], row_bytes: int) -> list[int]:
    """Return the number of rows of each shard: each run of one label, cut at `SHARD_BYTES`."""
    most = max(1, SHARD_BYTES // row_bytes)
    runs = [len(list(run)) for _, run in groupby(labels)]
    return [min(most, run - start) for run in runs for start in range(0, run, most)] or [0]
