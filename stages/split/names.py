"""Class folders whose names a person cannot tell apart."""

import unicodedata
from collections.abc import Iterable
from itertools import groupby


def look_alikes(labels: Iterable[str]) -> list[str]:
    """Return a line for every set of class names that look the same, or for a blank at an end.

    Names that differ only in case, in Unicode form (an accent may be one character or two), in
    blanks or in characters that nothing shows look the same. Each name is written in ASCII, which
    shows the difference.
    """
    lines = []
    for _, alike in groupby(sorted(labels, key=looks), key=looks):
        names = sorted(alike)
        shown = " and ".join(map(ascii, names))
        if len(names) > 1:
            lines.append(
                f"class folders {shown} look the same but count as {len(names)} classes; "
                "merge them if they are one"
            )
        elif names != [names[0].strip()]:
            lines.append(f"class folder {shown} has a blank at an end; rename it if none is meant")
    return lines


def looks(name: str) -> str:
    """Return the same text for names that look the same, see `look_alikes`."""
    visible = (letter for letter in name if unicodedata.category(letter) != "Cf")
    folded = unicodedata.normalize("NFKC", "".join(visible)).casefold()
    return " ".join(unicodedata.normalize("NFKC", folded).split())
