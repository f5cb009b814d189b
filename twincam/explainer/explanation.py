"""One explanation: its record and pictures, as a page, a figure, plain data or a rich display."""

import base64
import html
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from twincam.explainer.text import headline_of
from twincam.pages.explanation import Explanation as Record
from twincam.pages.explanation import explanation_page, pictures_named

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FIGURE_TWINS = 3
"""Twins drawn in a figure."""


@dataclass(frozen=True, repr=False)
class Explanation:
    """The explanation of one picture.

    Attributes:
        record: all of it as plain data (docs/record.md).
        square: the picture as the classifier sees it, bytes ``[S,S,3]``.
        thumbnails: of the training images, WebP by id.
    """

    record: Record
    square: np.ndarray
    thumbnails: Mapping[str, bytes]

    @property
    def statement(self) -> str:
        """The verdict as a sentence."""
        return self.record["verdict"]["statement"]

    @property
    def html(self) -> str:
        """A self-contained page: needs no network, opens from disk."""
        return explanation_page([self.record], self.uris(), self.record["name"])

    def to_dict(self) -> dict[str, Any]:
        """Return the record as a new dictionary, ready for JSON."""
        return dict(self.record)

    def uris(self) -> dict[str, str]:
        """Return the pictures that the record names as ``data:`` URIs of WebP."""
        named = pictures_named([self.record]) - {self.record["image"]}
        found = {key: self.thumbnails[key] for key in sorted(named) if key in self.thumbnails}
        found[self.record["image"]] = _webp(self.square)
        return {
            key: f"data:image/webp;base64,{base64.b64encode(content).decode()}"
            for key, content in found.items()
        }

    def figure(self) -> "Figure":
        """Return a figure of the picture, its heat map, its twins and its counterfactual."""
        from matplotlib.figure import Figure

        from twincam.figures.heat import heat_overlay

        record = self.record
        tiles: list[tuple[Any, str]] = [(self.square, record["name"])]
        for one in record["heat"]:
            scale = one["scale"] or max(abs(v) for row in one["map"] for v in row) or 1.0
            tiles.append((heat_overlay(self.square, np.array(one["map"]), scale), one["method"]))
        for twin in record["twins"][:FIGURE_TWINS]:
            tiles.append((self.picture(twin["image"]), f"twin: {twin['label']}"))
        if other := record["counterfactual"]:
            title = f"nearest {other['predicted']}: {len(other['cells'])} cells"
            tiles.append((self.picture(other["image"]), title))
        drawn = Figure(figsize=(2.4 * len(tiles), 3.1), layout="constrained")
        for place, (picture, title) in zip(
            np.atleast_1d(drawn.subplots(1, len(tiles))), tiles, strict=True
        ):
            place.imshow(picture)
            place.set_title(title, fontsize=9, parse_math=False, wrap=True)
            place.set_axis_off()
        drawn.suptitle(headline_of(record), fontsize=11, parse_math=False, wrap=True)
        return drawn

    def picture(self, key: str) -> Image.Image:
        """Return a picture that the record names by ``key``."""
        if key == self.record["image"]:
            return Image.fromarray(self.square)
        return Image.open(io.BytesIO(self.thumbnails[key]))

    def __repr__(self) -> str:
        return f"Explanation({self.record['name']}: {self.statement})"

    def _repr_html_(self) -> str:
        """Return the page in a frame of its own, for notebooks."""
        page = html.escape(self.html, quote=True)
        return f'<iframe srcdoc="{page}" style="width:100%;height:48em;border:0"></iframe>'


def _webp(square: np.ndarray) -> bytes:
    content = io.BytesIO()
    Image.fromarray(square).save(content, "WEBP", quality=85, method=4)
    return content.getvalue()
