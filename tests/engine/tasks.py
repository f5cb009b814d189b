"""What the tests run as tasks: a worker imports them."""

import time
from pathlib import Path

import numpy as np
from PIL import Image

from twincam.files.errors import UserError
from twincam.images.decoding import decode


def square_after(seconds: float, number: int) -> int:
    """Return the square of ``number``; number 0 takes longest."""
    time.sleep(0 if number else seconds)
    return number * number


def refuse_odd(number: int) -> int:
    """Return an even ``number``."""
    if number % 2:
        raise UserError(f"item {number} is odd; give an even one")
    return number


def read(path: str) -> str:
    """Return the text in a file."""
    return Path(path).read_text()


def photographs(folder: Path, count: int) -> list[dict[str, object]]:
    """Write images, and return their rows of split.csv."""
    rows = []
    for number in range(count):
        pixels = np.random.default_rng(number).integers(0, 256, (40, 50, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
        found = decode(folder / f"{number}.png")
        rows.append({"path": f"{number}.png", "sha256": found.sha256, "width": 50, "height": 40})
    return rows
