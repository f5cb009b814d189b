"""Drawing: one type, one colour map, deterministic PNG."""

import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont, PngImagePlugin

from stages.common.artifacts import write_bytes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK, MUTED, PAPER = (28, 30, 34), (112, 118, 128), (255, 255, 255)
FOR, AGAINST = np.array([230, 97, 1]), np.array([60, 76, 170])
"""Colours of evidence for and against: orange and blue, apart for every kind of colour sight."""


def new_figure(width: float, height: float) -> "Figure":
    """Return an empty Matplotlib figure of ``width`` by ``height`` inches, without a window."""
    from matplotlib import rcParams
    from matplotlib.figure import Figure

    rcParams.update({"font.size": 10, "axes.spines.top": False, "axes.spines.right": False})
    return Figure(figsize=(width, height), layout="constrained")


def save_figure(path: Path, figure: "Figure") -> None:
    """Write a Matplotlib figure as PNG without time or version in it."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    write_bytes(path, buffer.getvalue())


def save_picture(path: Path, picture: Image.Image) -> None:
    """Write a picture as PNG."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", pnginfo=PngImagePlugin.PngInfo())
    write_bytes(path, buffer.getvalue())


def resize_map(heat: np.ndarray, size: int) -> np.ndarray:
    """Scale a map ``[h,w]`` to ``[size,size]``, bilinear between the cells' centres; float32."""
    image = Image.fromarray(np.ascontiguousarray(heat, dtype=np.float32))
    return np.asarray(image.resize((size, size), Image.Resampling.BILINEAR))


def centred_map(height: int, width: int) -> np.ndarray:
    """Return a Gaussian around the centre, ``[height,width]``: half the side within two sigma."""
    y, x = ((np.arange(count) + 0.5) / count - 0.5 for count in (height, width))
    return np.asarray(np.exp(-(y[:, None] ** 2 + x**2) / (2 * 0.125**2)))


def heat_overlay(image: np.ndarray, heat: np.ndarray, scale: float) -> Image.Image:
    """Lay signed evidence over an image, orange for and blue against the prediction.

    Args:
        image: bytes ``[S,S,3]``; shown in grey so that colour means evidence alone.
        heat: ``[h,w]``, signed.
        scale: the evidence that gets full colour; above 0.
    """
    share = np.clip(resize_map(heat, len(image)) / scale, -1, 1)[..., None]
    grey = np.asarray(Image.fromarray(image).convert("L"), np.float32)[..., None] * 0.85 + 25
    colour = np.where(share > 0, FOR, AGAINST).astype(np.float32)
    alpha = 0.75 * np.abs(share)
    return Image.fromarray((grey * (1 - alpha) + colour * alpha).round().astype(np.uint8))


def font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """Return DejaVu Sans, which comes with Matplotlib, at ``size`` pixels."""
    import matplotlib

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name, size)


def write_line(
    draw: ImageDraw.ImageDraw,
    at: tuple[int, int],
    text: str,
    *,
    width: int,
    size: int = 13,
    bold: bool = False,
    ink: tuple[int, int, int] = INK,
) -> None:
    """Write one line of text, cut with an ellipsis where it would be longer than ``width``."""
    face = font(size, bold)
    shown = text
    while face.getlength(shown) > width and len(shown) > 1:
        shown = shown[:-2].rstrip() + "…"
    draw.text(at, shown, font=face, fill=ink)


def wrapped(text: str, width: int, size: int) -> list[str]:
    """Return ``text`` as lines that are at most ``width`` pixels long where words allow it."""
    face, lines = font(size), [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and face.getlength(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def sentence_picture(sentence: str) -> Image.Image:
    """Return a strip with one sentence, for a picture that has nothing else to show."""
    strip = Image.new("RGB", (960, 52), PAPER)
    write_line(ImageDraw.Draw(strip), (16, 18), sentence, width=928)
    return strip
