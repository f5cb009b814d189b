"""Render many pairs side by side and write them in the layout of the other stages' inputs."""

import io
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from pathlib import Path
from threading import Thread

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from stages.synthesize.canvas import LABEL
from stages.synthesize.params import Shortcut, Synthesize
from stages.synthesize.render import Pair, render_pair
from twincam.files.params import write_settings
from twincam.files.tables import write_table

FOLDERS = ("images/real", "images/fake", "info/masks/fake", "info/parts/real", "info/parts/fake")
COLUMNS = (
    "path",
    "group",
    "source",
    "family",
    "partner",
    "coat",
    "pattern",
    "background",
    "pose",
    "marked",
)
Row = dict[str, str | int]


def write_pairs(settings: Synthesize, images: Path, info: Path, workers: int) -> None:
    """Write every pair's files, the manifest and the settings; the same for any ``workers``."""
    roots = {"images": images, "info": info}
    folders = FOLDERS + (("info/marks/fake",) if settings.shortcut == "local" else ())
    for folder in folders:
        root, _, rest = folder.partition("/")
        (roots[root] / rest).mkdir(parents=True)
    rows: list[Row] = []
    with _pool(workers) as pool:
        with _signals_held():
            futures = [
                pool.submit(write_pair, settings, index, images, info)
                for index in range(settings.pairs)
            ]
        for future in tqdm(futures, desc="synthesize", unit="pair", disable=None):
            rows += future.result()
    rows.sort(key=lambda row: (row["group"], row["source"]))
    write_table(info / "manifest.csv", pd.DataFrame(rows, columns=list(COLUMNS)))
    write_settings(info / "rendered_with.json", settings.model_dump())
    parts = pd.DataFrame({"value": list(LABEL.values()), "name": list(LABEL)})
    write_table(info / "parts.csv", parts)


def write_pair(settings: Synthesize, index: int, images: Path, info: Path) -> list[Row]:
    """Render one pair, write its files and return its two rows of the manifest."""
    pair = render_pair(settings.seed, index, settings.image_size, settings.shortcut)
    name = f"scene-{index:05d}"
    fake_name = f"{name}{'.jpg' if settings.shortcut == 'global' else '.png'}"
    files = {
        images / "real" / f"{name}.png": encoded(pair.real),
        images / "fake" / fake_name: encoded(pair.fake, settings.shortcut),
        info / "masks" / "fake" / f"{name}.png": encoded(pair.mask),
        info / "parts" / "real" / f"{name}.png": encoded(pair.real_parts),
        info / "parts" / "fake" / f"{name}.png": encoded(pair.fake_parts),
    }
    if pair.mark is not None:
        files[info / "marks" / "fake" / f"{name}.png"] = encoded(pair.mark)
    for path, content in files.items():
        path.write_bytes(content)
    return manifest_rows(pair, f"real/{name}.png", f"fake/{fake_name}")


def manifest_rows(pair: Pair, real: str, fake: str) -> list[Row]:
    """Return what the manifest says of the images at the paths ``real`` and ``fake``."""
    scene = pair.scene
    shared: Row = {
        "group": f"scene-{scene.index:05d}",
        "coat": scene.coat.name,
        "pattern": scene.coat.pattern,
        "background": scene.backdrop,
        "pose": scene.pose,
    }
    return [
        {"path": real, "source": "render", "family": "", "partner": fake, "marked": 0, **shared},
        {
            "path": fake,
            "source": f"render-{scene.family}",
            "family": scene.family,
            "partner": real,
            "marked": int(pair.mark is not None),
            **shared,
        },
    ]


def encoded(picture: NDArray[np.uint8], shortcut: Shortcut = "none") -> bytes:
    """Return ``picture`` as PNG, or as JPEG of quality 75 for the global shortcut."""
    buffer = io.BytesIO()
    if shortcut == "global":
        Image.fromarray(picture).save(buffer, "JPEG", quality=75)
    else:
        Image.fromarray(picture).save(buffer, "PNG", compress_level=6)
    return buffer.getvalue()


def processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def _pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Yield a pool of processes that an interrupt ends after the scenes in hand."""
    pool = ProcessPoolExecutor(workers, get_context("spawn"), _watch_parent)
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _signals_held() -> Iterator[None]:
    """Hold interrupts back; processes started meanwhile hold them back for good."""
    held = {signal.SIGINT, signal.SIGTERM}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, held)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _watch_parent() -> None:
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
