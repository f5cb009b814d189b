"""Names of any kind are shown in pictures: unchanged if possible, in one line, and distinct."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image, ImageDraw

from stages.evaluate.figures import confusion_figure, roc_figure
from stages.evaluate.left_out import left_out_figure
from stages.evaluate.scores import roc
from stages.forensics.figures import scores_figure
from twincam.figures import text as pictured
from twincam.figures.drawing import save_figure, write_line
from twincam.figures.text import Face, fitted, font, plot_labels, printable, shortened, wrapped
from twincam.files.predictions import predictions

AS_THEY_ARE = ["$a$", r"\\frac{$", "50 % $x_$", "_cat", "__", "قطط", "ß Ж é"]
LATIN = ["猫", "毛", "ねこ", "แมว", "बिल्ली", "고양이", "🦄", "\u202ecat", "\udcff"]
ALIKE = [f"cat_generated_by_model_{number}" for number in range(12)]


def table(classes: list[str]) -> pd.DataFrame:
    n = 20 * len(classes)
    split = pd.DataFrame({"id": [f"{row:04d}" for row in range(n)], "path": "x", "split": "val"})
    split = split.assign(source="_s$o$urce", label=np.array(classes)[np.arange(n) % len(classes)])
    return predictions(split, np.random.default_rng(0).normal(size=(n, len(classes))), classes)


def left_out(names: list[str]) -> dict[str, Any]:
    one = {"recall": 0.5, "recall_low": 0.4, "recall_high": 0.6, "n": 9}
    return {name: {"per_class": dict.fromkeys(names, one)} for name in names}


DRAWN: dict[str, Callable[[list[str]], Figure]] = {
    "confusion": lambda names: confusion_figure(table(names), names),
    "roc": lambda names: roc_figure(roc(table(names), names)),
    "leave_one_source_out": lambda names: left_out_figure(left_out(names)),
    "traces": lambda names: scores_figure(table(names).assign(score=0.1), 0.5, names[0]),
}


def written(figure: Figure, path: Path) -> list[str]:
    """Return every text of a figure once it is drawn; a glyph that is missing is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        save_figure(path, figure)
    return [text.get_text() for text in figure.findobj(Text) if isinstance(text, Text)]


@pytest.mark.parametrize("kind", DRAWN)
def test_a_plot_shows_names_unchanged(kind: str, tmp_path: Path) -> None:
    texts = written(DRAWN[kind](sorted(AS_THEY_ARE)), tmp_path / "x.png")
    for name in AS_THEY_ARE:
        assert any(name in text for text in texts), name


@pytest.mark.parametrize("kind", DRAWN)
@pytest.mark.parametrize("names", [LATIN, ALIKE, ["a\nb", "a b", "a\r\tb"]])
def test_a_plot_keeps_names_distinct(kind: str, names: list[str], tmp_path: Path) -> None:
    texts = written(DRAWN[kind](sorted(names)), tmp_path / "x.png")
    shown = plot_labels(names).values()
    assert len(set(shown)) == len(names)
    for name in shown:
        assert any(name in text for text in texts), name


def test_curves_of_forty_classes_differ_and_no_figure_grows_with_its_classes(
    tmp_path: Path,
) -> None:
    many = [f"class {number:03d}" for number in range(90)]
    figure = roc_figure(roc(table(many[:40]), many[:40]))
    lines = figure.axes[0].get_lines()[1:]
    assert len({(line.get_color(), line.get_linestyle()) for line in lines}) == 40
    legend = figure.axes[0].get_legend()
    assert legend is not None
    written(figure, tmp_path / "x.png")
    assert legend.get_window_extent().x0 >= figure.axes[0].get_window_extent().x1 - 1
    for drawn in DRAWN.values():
        assert drawn(many).get_size_inches().max() < 60


def test_a_name_that_the_font_has_is_unchanged_and_any_other_is_transliterated(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictured, "_warned", [])
    assert [printable(name) for name in AS_THEY_ARE] == AS_THEY_ARE
    assert capsys.readouterr().err == ""
    shown = [printable(name) for name in LATIN]
    assert len(set(shown)) == len(LATIN)
    assert [name.split("‹")[0] for name in shown[:4]] == ["Mao", "Mao", "neko", "aemw"]
    assert [printable(name) for name in shown] == shown
    assert capsys.readouterr().err.count("\n") == 1
    assert printable("a\nb\x1b") == r"a\nb\x1b"


@pytest.mark.parametrize(
    "names",
    [
        ALIKE,
        [f"{name}_at_512px" for name in ALIKE],
        ["a" * 60 + "b" + "c" * 60, "a" * 60 + "c" * 61],
        ["a" * 60 + f"{number % 2}" + "c" * number for number in range(60, 70)],
    ],
)
def test_names_that_are_too_long_are_cut_and_stay_distinct(names: list[str]) -> None:
    short = fitted(names, 62, Face(12, bold=True))
    assert len(set(short.values())) == len(names)
    assert all(font(Face(12, bold=True)).getlength(text) <= 62 for text in short.values())
    assert fitted(["fake", "real"], 62) == {"fake": "fake", "real": "real"}


def test_the_end_of_a_name_is_kept() -> None:
    short = shortened(ALIKE[:2], lambda text: len(text) <= 9)
    assert short == {ALIKE[0]: "cat_…el_0", ALIKE[1]: "cat_…el_1"}
    others = [f"generated_by_model_{number}_at_512px" for number in (1, 2)]
    mixed = shortened([*ALIKE[:2], *others], lambda text: len(text) <= 9)
    assert mixed == {**short, others[0]: "…l_1_at_…", others[1]: "…l_2_at_…"}


@pytest.mark.parametrize("name", [*AS_THEY_ARE, *LATIN, "a\nb", "x" * 500])
def test_pillow_writes_any_name_in_one_line(name: str) -> None:
    picture = Image.new("RGB", (200, 60), "white")
    write_line(ImageDraw.Draw(picture), (0, 0), name, width=180)
    rows, columns = np.nonzero(np.asarray(picture.convert("L")) < 255)
    assert rows.max() < 22
    assert columns.max() <= 190
    assert wrapped(f"classes {name}", 180, 12)[0].startswith("classes")
