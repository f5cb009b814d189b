"""Names and sentences in pictures: any script, cut to fit, all different."""

import sys
import unicodedata
import zlib
from collections import Counter
from collections.abc import Callable, Collection
from functools import cache, partial
from itertools import groupby, takewhile
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import ImageFont

if TYPE_CHECKING:
    pass

LONGEST = 24
"""Characters of a name beside a plot."""


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
