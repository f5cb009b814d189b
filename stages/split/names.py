"""What the names of folders mean: splits, and classes whose names a person cannot tell apart."""

import re
import unicodedata
from collections.abc import Iterable
from itertools import groupby

SPLITS = ("train", "val", "test")

_SPELLINGS = {
    "train": {"train", "training", "trn"},
    "val": {"val", "valid", "validation", "validate", "dev", "devel", "development"},
    "test": {"test", "testing", "tst"},
}
_DECORATION = re.compile(r"sets?$|data$|images?$|imgs?$|splits?$|\d+$|^\d+")


def split_of(name: str) -> str:
    """Return the split that a folder is named after, "" if none.

    Case, separators, years, and suffixes such as "set" are ignored: "Train", "training_set" and
    "val2017" mean train, train and val.
    """
    plain = re.sub(r"[\W_]", "", name.casefold())
    while plain and plain not in set().union(*_SPELLINGS.values()):
        shorter = _DECORATION.sub("", plain, count=1)
        if shorter == plain:
            return ""
        plain = shorter
    return next((split for split, names in _SPELLINGS.items() if plain in names), "")


def lookalikes(labels: Iterable[str]) -> list[str]:
    """Return a warning for each set of class names that look the same, or have stray spaces.

    Names look the same if they differ only in case, Unicode form (an accent may be one character
    or two), white space or invisible characters. The warning shows them in ASCII, which makes the
    difference visible.
    """
    lines = []
    for _, alike in groupby(sorted(labels, key=appearance), key=appearance):
        names = sorted(alike)
        shown = " and ".join(map(ascii, names))
        if len(names) > 1:
            lines.append(
                f"class folders {shown} look the same but count as {len(names)} classes; "
                "merge them if they are one"
            )
        elif names != [names[0].strip()]:
            lines.append(
                f"class folder {shown} begins or ends with white space; rename it if that is a "
                "mistake"
            )
    return lines


def appearance(name: str) -> str:
    """Return a key that is equal for names that look the same, see `lookalikes`."""
    visible = (letter for letter in name if unicodedata.category(letter) != "Cf")
    folded = unicodedata.normalize("NFKC", "".join(visible)).casefold()
    return " ".join(unicodedata.normalize("NFKC", folded).split())
