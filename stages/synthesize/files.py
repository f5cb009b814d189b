"""Render pairs in parallel and write them in the layout that the other stages read."""

import io
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from stages.synthesize.canvas import LABEL
from stages.synthesize.params import Shortcut, Synthesize
from stages.synthesize.render import Pair, render_pair
from stages.synthesize.workers import blocked_signals, process_pool
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
    """Write every pair, the manifest and the settings; the bytes do not depend on ``workers``."""
    roots = {"images": images, "info": info}
    folders = FOLDERS + (("info/marks/fake",) if settings.shortcut == "local" else ())
    for folder in folders:
        root, _, rest = folder.partition("/")
        (roots[root] / rest).mkdir(parents=True)
    rows: list[Row] = []
    with process_pool(workers) as pool:
        with blocked_signals():
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
    """Return the manifest's rows for the images of ``pair`` at the paths ``real`` and ``fake``."""
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
    """Return ``picture`` encoded as PNG, or as JPEG of quality 75 for the global shortcut."""
    buffer = io.BytesIO()
    if shortcut == "global":
        Image.fromarray(picture).save(buffer, "JPEG", quality=75)
    else:
        Image.fromarray(picture).save(buffer, "PNG", compress_level=6)
    return buffer.getvalue()
