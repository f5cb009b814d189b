"""What the page shows that no earlier stage has drawn or chosen."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

PAGE = Path(__file__).with_name("index.html")


def panels_of(folder: Path, ids: Sequence[str]) -> list[Path]:
    """Return the panels of ``ids`` that ``folder`` holds, in the order of ``ids``."""
    return [path for path in (folder / f"{name}.png" for name in ids) if path.is_file()]


def fitting_figure(history: pd.DataFrame) -> Any:
    """Draw loss and accuracy of training and validation over the epochs."""
    from twincam.figures.drawing import new_figure

    figure = new_figure(8.4, 3.2)
    for axes, what in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        for part in ("train", "val"):
            axes.plot(history["epoch"], history[f"{part}_{what}"], marker="o", label=part)
        axes.set(xlabel="epoch", title=what)
        axes.legend(frameon=False)
    return figure
