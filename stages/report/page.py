"""Fill the page's template with everything it shows, pictures inlined."""

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from PIL import Image

TEMPLATES = Path(__file__).parent / "templates"


def data_uri(path: Path) -> str:
    """Return a PNG as a ``data:`` address, so that the page needs no other file."""
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()


def compact_uri(path: Path) -> str:
    """Return a picture as a ``data:`` address of its WebP, a tenth of the PNG of photographs."""
    webp = io.BytesIO()
    Image.open(path).convert("RGB").save(webp, "WEBP", quality=85, method=4)
    return "data:image/webp;base64," + base64.b64encode(webp.getvalue()).decode()


def percent(value: float | None) -> str:
    """Return a share as ``93.3 %``, or a dash where there is none."""
    return "–" if value is None else f"{100 * value:.1f} %"


def panels_of(folder: Path, ids: Sequence[str]) -> list[Path]:
    """Return the panels of ``ids`` that ``folder`` holds, in the order of ``ids``."""
    return [path for path in (folder / f"{name}.png" for name in ids) if path.is_file()]


def render(context: dict[str, Any]) -> str:
    """Return the page for ``context``.

    Raises:
        jinja2.UndefinedError: the template asks for something that ``context`` lacks.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": percent, "data_uri": data_uri, "compact_uri": compact_uri}
    return environment.get_template("index.html").render(**context)


def fitting_figure(history: pd.DataFrame) -> Any:
    """Draw loss and accuracy of training and validation over the epochs."""
    from stages.common.figures import new_figure

    figure = new_figure(8.4, 3.2)
    for axes, what in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        for part in ("train", "val"):
            axes.plot(history["epoch"], history[f"{part}_{what}"], marker="o", label=part)
        axes.set(xlabel="epoch", title=what)
        axes.legend(frameon=False)
    return figure
