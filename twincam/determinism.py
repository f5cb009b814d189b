"""Reproducible randomness: every random choice has a name and a seed derived from ``seed``."""

import contextlib
import ctypes
import hashlib
import os
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from twincam.files.params import Block


def derived_seed(seed: int, *names: object) -> int:
    """Return a 63-bit seed for the choice named ``names``, independent of those of other names."""
    digest = hashlib.sha256(repr((seed, *map(str, names))).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def generator(seed: int, *names: object) -> np.random.Generator:
    """Return a NumPy generator for the choice named ``names``."""
    return np.random.default_rng(derived_seed(seed, *names))


def make_torch_deterministic(seed: int, *names: object, threads: int) -> None:
    """Seed torch for the choice named ``names`` and allow only deterministic algorithms.

    Torch, BLAS and OpenMP use ``threads`` threads on any machine, since sums round differently when
    divided among another number of threads. Freed memory is also kept for the next batch, and new
    memory is not filled before it is written to, which changes no result.

    `torch.use_deterministic_algorithms` would do the same, but loads torch's compiler, which takes
    as long as loading torch.
    """
    _keep_freed_memory()
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    import torch
    import torch.utils.deterministic
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(threads)
    threadpool_limits(threads)
    torch.manual_seed(derived_seed(seed, *names))
    torch.set_deterministic_debug_mode("error")
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = False


def _keep_freed_memory() -> None:
    """Make glibc keep large freed blocks: clearing new ones costs a fifth of CPU training time."""
    with contextlib.suppress(OSError, AttributeError):
        trim_threshold, mmap_threshold = -1, -3
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(mmap_threshold, 2**30)
        libc.mallopt(trim_threshold, 2**31 - 1)


class Run(Block):
    """Block ``run``: engine, threads and runtime of a stage; the last two may round differently."""

    engine: Literal["local", "ray"]
    threads: Annotated[int, Field(ge=1, le=1024)]
    runtime: Literal["auto", "torch", "onnxruntime"]
