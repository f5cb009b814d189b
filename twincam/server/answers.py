"""What the app answers with, and what it needs: a function that explains the bytes of a file."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from twincam.pages.explanation import Explanation


class Explained(NamedTuple):
    """A picture's explanation.

    ``images`` are the pictures that the record names, as ``data:`` URIs; ``row`` is its row in a
    table of verdicts.
    """

    record: Explanation
    images: Mapping[str, str]
    row: Mapping[str, Any]


class Model(NamedTuple):
    """A model that is ready to explain.

    Attributes:
        explain: takes the content of a file; raises UserError for what is no complete picture.
        classes: that it tells apart.
    """

    explain: Callable[[bytes], Explained]
    classes: Sequence[str]


class RefusedError(Exception):
    """A request that is not served: a status of HTTP and one line that says why."""

    def __init__(self, status: int, reason: str) -> None:
        """Keep both."""
        super().__init__(reason)
        self.status, self.reason = status, reason


class Limits(NamedTuple):
    """What the app takes.

    Attributes:
        bytes: of a file.
        pixels: of a picture, as its header states them.
        waiting: requests at a time; further ones are asked to come back.
        read: files held in memory at a time.
        seconds: for a file to arrive, and again for its explanation.
    """

    bytes: int = 25_000_000
    pixels: int = 64_000_000
    waiting: int = 32
    read: int = 8
    seconds: float = 30.0


DEFAULT = Limits()
"""What the app takes unless told otherwise."""
