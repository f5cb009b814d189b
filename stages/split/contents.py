"""Open every file once: is it an image, what is in it, and what does it look like."""

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from scipy.fft import dctn

from stages.common.errors import UserError
from stages.common.images import BadImageError, check_name, decode, image_id, in_order, printable
from stages.split.listing import Entry

FLAT = 2**64 - 1


def read_contents(
    root: Path, entries: list[Entry], max_pixels: int
) -> tuple[pd.DataFrame, list[dict[str, str]]]:
    """Decode every file.

    Returns:
        A row per good image (id, path, label, split, sha256, phash, width, height, format, bytes),
        in the order of ``entries``; and path and reason of each bad one.
    """
    good, bad = [], []
    outcomes = in_order(partial(_inspect, root, max_pixels), entries, "split")
    for entry, outcome in zip(entries, outcomes, strict=True):
        if isinstance(outcome, str):
            bad.append({"path": printable(entry.path), "reason": printable(outcome)})
        else:
            good.append({"path": entry.path, "label": entry.label, "split": entry.split, **outcome})
    columns = ["id", "path", "label", "split", *_CONTENT]
    return pd.DataFrame(good, columns=columns).astype({"phash": np.uint64}), bad


_CONTENT = ("sha256", "phash", "width", "height", "format", "bytes")


def _inspect(root: Path, max_pixels: int, entry: Entry) -> dict[str, object] | str:
    if entry.fault:
        return entry.fault
    try:
        check_name(entry.path)
        found = decode(root / entry.path, max_pixels, at_least=128)
    except BadImageError as error:
        return str(error)
    content = {name: getattr(found, name) for name in _CONTENT if name != "phash"}
    return {"id": image_id(entry.path), "phash": perceptual_hash(found.image), **content}


def perceptual_hash(image: Image.Image) -> int:
    """Return 64 bits that change little when an image is resized, re-encoded or brightened.

    The classic DCT hash: 32×32 grey (Lanczos), the 8×8 lowest frequencies including the mean, each
    against their median. At most 32 bits are set. `FLAT` stands for an image without structure,
    of which such a hash would be noise.
    """
    small = image.convert("L").resize((32, 32), Image.Resampling.LANCZOS, reducing_gap=3.0)
    pixels = np.asarray(small, dtype=np.float64)
    if pixels.std() < 1:
        return FLAT
    lowest = dctn(pixels, norm="ortho")[:8, :8].round(3)
    return int.from_bytes(np.packbits(lowest > np.median(lowest)).tobytes(), "big")


def check_bad(bad: list[dict[str, str]], total: int, max_bad_fraction: float) -> None:
    """Raise UserError where too large a part of all files is bad."""
    if len(bad) <= max_bad_fraction * total:
        return
    first = "; ".join(f"{item['path']}: {item['reason']}" for item in bad[:3])
    raise UserError(
        f"{len(bad)} of {total} files are no usable images, more than "
        f"data.max_bad_fraction={max_bad_fraction:g} ({first}{'; …' if len(bad) > 3 else ''}); "
        "mend or remove them, or raise data.max_bad_fraction"
    )


def check_classes(images: pd.DataFrame, labels: list[str]) -> None:
    """Raise UserError where one of ``labels`` has no good image."""
    if empty := [label for label in labels if label not in set(images["label"])]:
        raise UserError(f"class {empty[0]!r} has no usable image; add some or remove its folder")
