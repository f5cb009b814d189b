"""Text in pictures: names in any script, shortened to fit but still distinct."""

import sys
import unicodedata
import zlib
from collections import Counter
from collections.abc import Callable, Collection
from functools import cache, partial
from itertools import groupby, takewhile
from pathlib import Path
from typing import NamedTuple

from PIL import ImageFont

MAX_LABEL = 24
"""Maximum length of a name in a plot, in characters."""


class Face(NamedTuple):
    """How text in a picture looks: the size in pixels, and the weight."""

    size: int = 13
    bold: bool = False


REGULAR = Face()


def percent(share: float | None) -> str:
    """Return a share as ``93.3 %``, or a dash if it is None."""
    return "–" if share is None else f"{100 * share:.1f} %"


def certainty(probability: float) -> str:
    """Return a probability as `percent` does, but never as 100 %."""
    return "> 99.9 %" if probability >= 0.9995 else percent(probability)


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, such as ``1 image`` and ``2 images``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def font(face: Face) -> ImageFont.FreeTypeFont:
    """Return the font DejaVu Sans, which comes with Matplotlib."""
    return ImageFont.truetype(_font_file(face.bold), face.size)


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
    """Return ``text`` as one line that the font of the pictures can show.

    Control characters are escaped. A run of characters that the font lacks is transliterated to
    Latin letters, followed by four hexadecimal digits of its checksum to keep names distinct, as in
    ``Mao‹12ab›``. A process warns about the first such run on standard error.
    """
    parts = []
    for kind, characters in groupby(text, _kind_of):
        run = "".join(characters)
        parts.append(run if kind == "shown" else _REPLACED[kind](run))
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
    latin = f"{anyascii(run).strip()}‹{checksum:04x}›"
    _warn_once(run, latin)
    return latin


_REPLACED: dict[str, Callable[[str], str]] = {"control": _escaped, "missing": _in_latin}

_warned: list[str] = []


def _warn_once(run: str, latin: str) -> None:
    if not _warned:
        _warned.append(run)
        print(
            f"pictures: the font lacks some characters of names: {run!r} is written as {latin}, "
            "and others likewise; tables and pages keep the original names",
            file=sys.stderr,
        )


def shortened(names: Collection[str], fits: Callable[[str], bool]) -> dict[str, str]:
    """Return ``names``, with those that do not fit cut in the middle; all results are distinct.

    Names with the same beginning and end are cut around the place where they differ; those that
    would still look the same are numbered.
    """
    remaining, found = sorted(set(names)), dict[str, str]()
    cuts: list[Callable[[str], str]] = [
        *(partial(_cut, share=share, fits=fits) for share in (0.5, 0.25, 0.75)),
        partial(_around_difference, names=remaining, fits=fits),
    ]
    for cut in cuts:
        tried = {name: name if fits(name) else cut(name) for name in remaining}
        taken = Counter([*tried.values(), *found.values()])
        found |= {name: short for name, short in tried.items() if taken[short] == 1}
        remaining = [name for name in remaining if name not in found]
    number = f"{{:0{len(str(len(remaining)))}}}".format
    numbered = {
        name: number(n) + _cut(name, 0.0, lambda text: fits(number(0) + text))
        for n, name in enumerate(remaining, 1)
    }
    return found | numbered


def _cut(name: str, share: float, fits: Callable[[str], bool]) -> str:
    """Return the longest cut of ``name`` that fits, with ``share`` of it before the cut."""
    for kept in range(len(name) - 1, 0, -1):
        head = round(share * kept)
        short = f"{name[:head].rstrip()}…{name[len(name) - kept + head :].lstrip()}"
        if fits(short):
            return short
    return "…"


def _around_difference(name: str, names: Collection[str], fits: Callable[[str], bool]) -> str:
    common = max(_common_prefix(name, other) for other in names if other != name)
    return _cut(f"…{name[max(0, common - 2) :]}", 1.0, fits)


def _common_prefix(first: str, second: str) -> int:
    pairs = zip(first, second, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def fitted(names: Collection[str], width: int, face: Face = REGULAR) -> dict[str, str]:
    """Return ``names``, made `printable` and `shortened` to ``width`` pixels."""
    letters = font(face)
    shown = {name: printable(name) for name in names}
    short = shortened(shown.values(), lambda text: letters.getlength(text) <= width)
    return {name: short[text] for name, text in shown.items()}


def plot_labels(names: Collection[str]) -> dict[str, str]:
    """Return ``names`` for a plot, made `printable` and `shortened` to `MAX_LABEL` characters."""
    shown = {name: printable(name) for name in names}
    short = shortened(shown.values(), lambda text: len(text) <= MAX_LABEL)
    return {name: short[text] for name, text in shown.items()}


def wrapped(text: str, width: int, size: int) -> list[str]:
    """Return ``text`` in lines of at most ``width`` pixels, except for longer words."""
    letters, lines = font(Face(size)), [""]
    for word in printable(text).split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and letters.getlength(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines
