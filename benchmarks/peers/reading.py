"""Reading photographs: as pixels, and as the square that a network takes."""

import io
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from itertools import cycle, islice
from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor
from torchvision.io import ImageReadMode, decode_image
from torchvision.transforms.v2 import functional as F

from benchmarks.peers.timing import in_turn, print_times
from twincam.images.decoding import decode
from twincam.images.parallel import in_order
from twincam.images.params import Prepare
from twincam.images.reading import read_image

COUNT, LONGEST, QUALITY = 100, 1024, 90
ROUNDS = 5
SETTINGS = Prepare(image_size=224, harmonise=True, jpeg_quality=85)


def print_reading(photographs: Path) -> None:
    """Print the time of each way for `COUNT` JPEGs, made of the folder ``photographs``."""
    with tempfile.TemporaryDirectory() as scratch:
        paths = write_photographs(photographs, Path(scratch))
        size = np.mean([path.stat().st_size for path in paths]) / 1e3
        print(f"\n{COUNT} JPEGs, the longer side {LONGEST} pixels, {size:.0f} kB on average")
        ways: dict[str, Callable[[Path], object]] = {
            "TwinCAM, every pixel": decode,
            "Pillow, every pixel": pillow,
            "torchvision, every pixel": torchvision,
            "TwinCAM, the harmonised square": harmonised,
            "Pillow, the square": pillow_square,
            "Pillow, the square from a JPEG decoded at a fraction": pillow_draft,
            "torchvision, the square": torchvision_square,
        }
        calls: dict[str, Callable[[], object]] = {
            name: partial(read_all, way, paths) for name, way in ways.items()
        }
        calls["TwinCAM, the harmonised square, all processors"] = lambda: list(
            in_order(harmonised, paths, "read")
        )
        times = in_turn(calls, ROUNDS)
    print_times("reading", times, "Pillow, the square", COUNT, "an image")


def write_photographs(source: Path, folder: Path) -> list[Path]:
    """Write `COUNT` JPEGs to ``folder``, each a photograph below ``source`` scaled to `LONGEST`."""
    found = sorted(path for path in source.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg"))
    paths = [folder / f"{number:03d}.jpg" for number in range(COUNT)]
    for path, original in zip(paths, islice(cycle(found), COUNT), strict=True):
        with Image.open(original) as image:
            scale = LONGEST / max(image.size)
            size = round(image.width * scale), round(image.height * scale)
            image.convert("RGB").resize(size, Image.Resampling.LANCZOS).save(path, quality=QUALITY)
    return paths


def read_all(way: Callable[[Path], object], paths: Sequence[Path]) -> None:
    """Read one file after the other and keep none."""
    for path in paths:
        way(path)


def harmonised(path: Path) -> np.ndarray:
    """Return our square, ``[S,S,3]``; its centre is cut out and compressed, too."""
    return read_image(path, SETTINGS)[1]


def pillow(path: Path) -> np.ndarray:
    """Return the pixels ``[H,W,3]``."""
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def pillow_square(path: Path) -> np.ndarray:
    """Return the centre square, ``[S,S,3]``."""
    with Image.open(path) as image:
        return _centre(image)


def pillow_draft(path: Path) -> np.ndarray:
    """Return the centre square, decoded at a fraction of the size and compressed as ours is."""
    with Image.open(path) as image:
        image.draft(None, (2 * SETTINGS.image_size, 2 * SETTINGS.image_size))
        square = Image.fromarray(_centre(image))
    encoded = io.BytesIO()
    square.save(encoded, "JPEG", quality=SETTINGS.jpeg_quality)
    return np.asarray(Image.open(encoded))


def _centre(image: Image.Image) -> np.ndarray:
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    box = (left, top, left + side, top + side)
    size = (SETTINGS.image_size, SETTINGS.image_size)
    return np.asarray(image.convert("RGB").resize(size, Image.Resampling.LANCZOS, box))


def torchvision(path: Path) -> Tensor:
    """Return the pixels ``[3,H,W]``."""
    return decode_image(str(path), ImageReadMode.RGB)


def torchvision_square(path: Path) -> Tensor:
    """Return the centre square, ``[3,S,S]``."""
    image = torchvision(path)
    square = F.center_crop(image, [min(image.shape[1:])] * 2)
    return F.resize(square, [SETTINGS.image_size] * 2, antialias=True)
