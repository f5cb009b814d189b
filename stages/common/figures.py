"""Drawing: one type, one colour map, deterministic PNG, and names of any script in them."""

import io
import sys
import unicodedata
import zlib
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from functools import cache, partial
from itertools import groupby, takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont, PngImagePlugin

from stages.common.artifacts import write_bytes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, MUTED, PAPER = (28, 30, 34), (112, 118, 128), (255, 255, 255)
FOR, AGAINST = np.array([230, 97, 1]), np.array([60, 76, 170])
"""Colours of evidence for and against: orange and blue, apart for every kind of colour sight."""

LONGEST, LEGEND_ROWS = 24, 14
"""Characters of a name beside a plot, and entries in a column of a legend."""


def new_figure(width: float, height: float) -> "Figure":
    """Return an empty Matplotlib figure of ``width`` by ``height`` inches, without a window.

    A ``$`` in its text is a dollar sign, not mathematics, and 40 lines of a plot differ in colour
    or dashes.
    """
    from cycler import cycler
    from matplotlib import color_sequences, rcParams
    from matplotlib.figure import Figure

    lines = cycler(linestyle=["-", "--", ":", "-."]) * cycler(color=color_sequences["tab10"])
    rcParams.update({"font.size": 10, "axes.spines.top": False, "axes.spines.right": False})
    rcParams.update({"text.parse_math": False, "axes.prop_cycle": lines})
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


def shows_place(maps: np.ndarray) -> bool:
    """Tell whether maps ``[…,h,w]`` have more than one cell: of one alone no place is hotter."""
    return maps.shape[-2:] != (1, 1)


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
        heat: ``[h,w]``, signed; of a single cell nothing is laid over, for it shows no place.
        scale: the evidence that gets full colour; above 0.
    """
    share = np.clip(resize_map(heat, len(image)) / scale, -1, 1)[..., None]
    grey = np.asarray(Image.fromarray(image).convert("L"), np.float32)[..., None] * 0.85 + 25
    colour = np.where(share > 0, FOR, AGAINST).astype(np.float32)
    alpha = 0.75 * np.abs(share) if shows_place(heat) else 0.0
    return Image.fromarray((grey * (1 - alpha) + colour * alpha).round().astype(np.uint8))


def font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """Return DejaVu Sans, which comes with Matplotlib, at ``size`` pixels."""
    return ImageFont.truetype(_font_file(bold), size)


def _font_file(bold: bool) -> Path:
    import matplotlib

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name


@cache
def _glyphs() -> frozenset[int]:
    from matplotlib.ft2font import FT2Font

    plain, bold = (set(FT2Font(str(_font_file(bold))).get_charmap()) for bold in (False, True))
    return frozenset(plain & bold)


def printable(text: str) -> str:
    """Return ``text`` as one line that the pictures' font can show.

    Control characters become their escapes. A run of characters that the font lacks is written in
    Latin letters, followed by four hexadecimal digits of its checksum, so that two names that read
    alike stay different: ``猫`` becomes ``Mao‹12ab›``, say. The first such run of a process is said
    on standard error.
    """
    parts = []
    for kind, characters in groupby(text, _kind_of):
        run = "".join(characters)
        parts.append(run if kind == "shown" else _WRITTEN[kind](run))
    return "".join(parts)


def _kind_of(character: str) -> str:
    category = unicodedata.category(character)
    if category in ("Cc", "Zl", "Zp"):
        return "control"
    joins = character in "\u200c\u200d"
    return "shown" if ord(character) in _glyphs() and (category != "Cf" or joins) else "missing"


def _escaped(run: str) -> str:
    return run.encode("unicode_escape").decode()


def _in_latin(run: str) -> str:
    from anyascii import anyascii

    checksum = zlib.crc32(run.encode("utf-8", "surrogatepass")) & 0xFFFF
    written = f"{anyascii(run).strip()}‹{checksum:04x}›"
    _say_once(run, written)
    return written


_WRITTEN: dict[str, Callable[[str], str]] = {"control": _escaped, "missing": _in_latin}
_said: list[str] = []


def _say_once(run: str, written: str) -> None:
    if not _said:
        _said.append(run)
        print(
            f"pictures: their font lacks some characters of names: {run!r} is written {written}, "
            "and others likewise; tables and pages keep the names as they are",
            file=sys.stderr,
        )


def shortened(names: Collection[str], fits: Callable[[str], bool]) -> dict[str, str]:
    """Return each of ``names`` as it fits, cut in the middle where it must be; all stay different.

    Names that are alike at both ends are cut around the place where they differ; what still looks
    the same is numbered.
    """
    waiting, found = sorted(set(names)), dict[str, str]()
    ways: list[Callable[[str], str]] = [
        *(partial(_cut, share=share, fits=fits) for share in (0.5, 0.25, 0.75)),
        partial(_around_difference, names=waiting, fits=fits),
    ]
    for cut in ways:
        tried = {name: name if fits(name) else cut(name) for name in waiting}
        taken = Counter([*tried.values(), *found.values()])
        found |= {name: short for name, short in tried.items() if taken[short] == 1}
        waiting = [name for name in waiting if name not in found]
    number = f"{{:0{len(str(len(waiting)))}}}".format
    numbered = {
        name: number(n) + _cut(name, 0.0, lambda text: fits(number(0) + text))
        for n, name in enumerate(waiting, 1)
    }
    return found | numbered


def _cut(name: str, share: float, fits: Callable[[str], bool]) -> str:
    for kept in range(len(name) - 1, 0, -1):
        head = round(share * kept)
        short = f"{name[:head].rstrip()}…{name[len(name) - kept + head :].lstrip()}"
        if fits(short):
            return short
    return "…"


def _around_difference(name: str, names: Collection[str], fits: Callable[[str], bool]) -> str:
    alike = max(_shared_start(name, other) for other in names if other != name)
    return _cut(f"…{name[max(0, alike - 2) :]}", 1.0, fits)


def _shared_start(first: str, second: str) -> int:
    pairs = zip(first, second, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def fitted(
    names: Collection[str], width: int, size: int = 13, bold: bool = False
) -> dict[str, str]:
    """Return each of ``names`` `printable` and `shortened` to ``width`` pixels."""
    face = font(size, bold)
    shown = {name: printable(name) for name in names}
    short = shortened(shown.values(), lambda text: face.getlength(text) <= width)
    return {name: short[text] for name, text in shown.items()}


def beside_plot(names: Collection[str]) -> dict[str, str]:
    """Return each of ``names`` `printable` and `shortened` to `LONGEST` characters."""
    shown = {name: printable(name) for name in names}
    short = shortened(shown.values(), lambda text: len(text) <= LONGEST)
    return {name: short[text] for name, text in shown.items()}


def legend_beside(axes: "Axes", handles: Mapping[str, Any]) -> None:
    """Name ``handles`` in a legend right of the axes, in as many columns as it takes.

    Their names come from `beside_plot`. Those that begin with an underscore are shown, too.
    """
    axes.legend(
        list(handles.values()),
        list(handles),
        loc="upper left",
        bbox_to_anchor=(1, 1),
        frameon=False,
        ncols=-(-len(handles) // LEGEND_ROWS),
    )


def legend_width(names: Collection[str]) -> float:
    """Return the inches that the `legend_beside` of ``names`` needs."""
    longest = max(map(len, names))
    return -(-len(names) // LEGEND_ROWS) * (0.7 + 0.085 * longest)


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
    """Write one line of text, `fitted` to ``width``."""
    draw.text(at, fitted([text], width, size, bold)[text], font=font(size, bold), fill=ink)


def wrapped(text: str, width: int, size: int) -> list[str]:
    """Return ``text`` as lines that are at most ``width`` pixels long where words allow it."""
    face, lines = font(size), [""]
    for word in printable(text).split():
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
