"""Self-contained HTML pages that open without a network: one style, all pictures inlined."""

import base64
import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image

from twincam.figures.text import certainty, percent

WEBP_LIMIT = 16383
"""Maximum width and height of a WebP image, in pixels."""


def data_uri(path: Path) -> str:
    """Return a PNG file as a ``data:`` URI."""
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()


def picture_uri(picture: Image.Image, quality: int = 85) -> str:
    """Return a picture as a ``data:`` URI of WebP, for photographs a tenth of the size of PNG.

    A picture larger than `WEBP_LIMIT` is scaled down to it. ``quality`` is WebP's, 0 to 100.
    """
    webp, shown = io.BytesIO(), picture.convert("RGB")
    shown.thumbnail((WEBP_LIMIT, WEBP_LIMIT))
    shown.save(webp, "WEBP", quality=quality, method=4)
    return "data:image/webp;base64," + base64.b64encode(webp.getvalue()).decode()


def compact_uri(path: Path) -> str:
    """Return the `picture_uri` of the picture in a file."""
    return picture_uri(Image.open(path))


def markdown_text(value: object) -> str:
    """Return ``value`` escaped for Markdown, in one line, so that it also fits a table cell."""
    special = r"[\\`*<&|~$\[\]]|(?<![^\W_])_|_(?![^\W_])"
    return re.sub(special, r"\\\g<0>", " ".join(str(value).splitlines()))


def web(name: str) -> Markup:
    """Return a script or style sheet of ``web/`` to be inlined as it is."""
    return Markup((Path(__file__).parent / "web" / name).read_text(encoding="utf-8"))


def render(template: Path, context: Mapping[str, Any]) -> str:
    """Return ``template`` rendered with ``context``; HTML templates may extend ``page.html``.

    Raises:
        jinja2.UndefinedError: the template uses a name that ``context`` lacks.
    """
    environment = Environment(
        loader=FileSystemLoader([template.parent, Path(__file__).parent]),
        autoescape=template.suffix == ".html",
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": percent,
        "certainty": certainty,
        "data_uri": data_uri,
        "picture_uri": picture_uri,
        "compact_uri": compact_uri,
        "markdown_text": markdown_text,
    }
    environment.globals["web"] = web
    return environment.get_template(template.name).render(**context)
