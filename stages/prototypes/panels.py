"""Choose and draw decisions: this looks like that, and the resulting sum."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw
from scipy.special import softmax

from stages.prototypes.last_layer import Fit
from stages.prototypes.patches import COLOURS, Patch, cut_out, draw_frames
from stages.prototypes.run import Run
from twincam.determinism import generator
from twincam.explanations.prototypes.contributions import Decomposition, decompose
from twincam.explanations.prototypes.places import Field, cell_centre
from twincam.figures.drawing import INK, MUTED, PAPER, write_line
from twincam.figures.text import Face, certainty, font
from twincam.statistics.sampling import alternate_classes

BIG, TILE, GAP, LINE = 252, 84, 14, 20
TEXT = 290
HEADER, TITLE, CAPTION = 62, 24, 20
MOST_WRONG = 40
RIGHT, WRONG = (20, 110, 60), (176, 32, 32)


@dataclass(frozen=True)
class Prototype:
    """A prototype as shown: its patch and the file of its image."""

    patch: Patch
    path: str


@dataclass(frozen=True)
class Decision:
    """The content of one image's panel: bytes ``[S,S,3]``, its file, labels, and the sums of
    logits.

    The first of ``sums`` is the predicted class's; one more may follow.
    """

    image: np.ndarray
    path: str
    label: str
    predicted: str
    confidence: float
    sums: Sequence[Decomposition]


def choose_shown(
    labels: np.ndarray, predicted: np.ndarray, correct: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return positions of the wrong predictions, of at most `MOST_WRONG` chosen at random, and of
    ``correct`` correct ones, classes alternating.

    Args:
        labels: class indices ``[N]``.
        predicted: ``[N]``.
        correct: the most correct ones shown.
        seed: of the choice.
    """
    order = generator(seed, "decisions").permutation(len(labels))
    right = order[(labels == predicted)[order]]
    wrong = order[(labels != predicted)[order]][:MOST_WRONG]
    return np.sort(wrong), alternate_classes(labels, right)[:correct]


def draw_decisions(
    run: Run, fit: Fit, table: pd.DataFrame, field: Field, shown: np.ndarray
) -> Iterator[Image.Image]:
    """Yield each decision's panel: the sum of the predicted class and, if wrong, the true one's.

    Args:
        run: the images and their similarities.
        fit: the last layer.
        table: of `stages.prototypes.table.prototype_table`.
        field: of the cells.
        shown: positions among the evaluated images.
    """
    prototypes = [
        Prototype(
            Patch(run.images[one["row"]], (one["centre_y"], one["centre_x"]), 1.0, one["class"]),
            one["path"],
        )
        for one in table.to_dict("records")
    ]
    confidence = softmax(fit.logits, axis=1).max(axis=1)
    for n in shown:
        row = run.split.iloc[run.evaluated[n]]
        predicted, label = int(fit.logits[n].argmax()), int(run.evaluated_labels[n])
        decision = Decision(
            run.images[run.evaluated[n]],
            row["path"],
            row["label"],
            run.classes[predicted],
            float(confidence[n]),
            [
                decompose(run.measured.evaluated, n, fit.layer, owner)
                for owner in dict.fromkeys((predicted, label))
            ],
        )
        yield draw_decision(decision, prototypes, run.classes, field)


def draw_decision(
    decision: Decision,
    prototypes: Sequence[Prototype],
    classes: Sequence[str],
    field: Field,
) -> Image.Image:
    """Return the panel of a decision: for each sum the image, its patches and their contributions.

    Args:
        decision: what is shown.
        prototypes: all of them, ``P``.
        classes: the labels.
        field: of the cells.
    """
    parts = [_header(decision, field.side)]
    for number, one in enumerate(decision.sums):
        name = classes[one.owner]
        title = f"The best matches of “{name}”" if number else f"Predicted: {name}"
        parts.append(_draw_sum(decision.image, one, title, prototypes, classes, field))
    panel = Image.new("RGB", (parts[0].width, sum(part.height for part in parts)), PAPER)
    top = 0
    for part in parts:
        panel.paste(part, (0, top))
        top += part.height
    return panel


def _header(decision: Decision, width: int) -> Image.Image:
    header = Image.new("RGB", (BIG + 2 * TILE + TEXT + 5 * GAP, HEADER), PAPER)
    draw, room = ImageDraw.Draw(header), header.width - 2 * GAP
    right = decision.label == decision.predicted
    predicted = f"Predicted {decision.predicted} ({certainty(decision.confidence)})"
    text = f"{predicted}, labelled {decision.label}: {'correct' if right else 'wrong'}"
    ink = RIGHT if right else WRONG
    write_line(draw, (GAP, 10), text, width=room, face=Face(16, bold=True), ink=ink)
    frames = f"frames and patches: a cell's receptive field of {width} px, its centre marked"
    detail = f"{decision.path}   ·   {frames}"
    write_line(draw, (GAP, 35), detail, width=room, face=Face(12), ink=MUTED)
    return header


def _draw_sum(
    image: np.ndarray,
    one: Decomposition,
    title: str,
    prototypes: Sequence[Prototype],
    classes: Sequence[str],
    field: Field,
) -> Image.Image:
    sums = _sums(one, classes[one.owner])
    rows = len(one.largest) * (TILE + 8) + 6 + len(sums) * LINE
    height = TITLE + CAPTION + max(BIG, rows) + GAP
    strip = Image.new("RGB", (BIG + 2 * TILE + TEXT + 5 * GAP, height), PAPER)
    draw = ImageDraw.Draw(strip)
    write_line(draw, (GAP, 0), title, width=strip.width - 2 * GAP, face=Face(bold=True))
    centres = [cell_centre(term.cell, field) for term in one.largest]
    strip.paste(draw_frames(image, centres, field.side, BIG), (GAP, TITLE + CAPTION))
    here, there, text = (2 * GAP + BIG + shift for shift in (0, TILE + 8, 2 * (TILE + 8) + 6))
    write_line(draw, (here, TITLE), "this …", width=TILE, face=Face(12), ink=MUTED)
    write_line(draw, (there, TITLE), "… looks like that", width=TILE + 60, face=Face(12), ink=MUTED)
    top = TITLE + CAPTION
    for number, (term, centre) in enumerate(zip(one.largest, centres, strict=True), 1):
        prototype, colour = prototypes[term.prototype], COLOURS[number - 1]
        for left, patch in ((here, Patch(image, centre, 1.0, "")), (there, prototype.patch)):
            strip.paste(cut_out(patch, field.side, TILE), (left, top))
            draw.rectangle((left, top, left + TILE - 1, top + TILE - 1), outline=colour, width=2)
        product = f"{term.similarity:.3f} × {term.weight:.3f} = {term.value:.3f}"
        write_line(draw, (text, top + 14), product, width=TEXT, face=Face(bold=True))
        origin = f"{number}: prototype {term.prototype}, {prototype.patch.label}"
        write_line(draw, (text, top + 36), origin, width=TEXT, face=Face(12))
        write_line(draw, (text, top + 54), prototype.path, width=TEXT, face=Face(12), ink=MUTED)
        top += TILE + 8
    draw.line((here, top, strip.width - GAP, top), fill=MUTED)
    for number, (what, value) in enumerate(sums):
        last = number == len(sums) - 1
        y = top + 6 + number * LINE
        write_line(draw, (here, y), what, width=2 * TILE + TEXT - 100, face=Face(bold=last))
        edge = (strip.width - 2 * GAP, y)
        draw.text(edge, f"{value:.3f}", font=font(Face(13, bold=last)), fill=INK, anchor="ra")
    return strip


def _sums(one: Decomposition, name: str) -> list[tuple[str, float]]:
    return [
        ("contributions of these", sum(term.value for term in one.largest)),
        (f"{one.others} other prototypes of “{name}”", one.others_sum),
        ("bias", one.bias),
        (f"logit of “{name}”", one.logit),
    ]
